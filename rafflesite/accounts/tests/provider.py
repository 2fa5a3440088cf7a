"""A provider of OpenID Connect on this machine, which checks what it is asked and can lie.

It follows OpenID Connect Core 1.0 for the code flow: discovery, keys, an authorization endpoint
that shows who may sign in, a token endpoint with client authentication and PKCE, and userinfo.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLIENT, SECRET = "raffles", "a secret between the two"
Claims = dict[str, Any]


def signed(claims: Claims) -> str:
    """Return an ID token as it should be."""
    return jwt.encode(claims, KEY, algorithm="RS256", headers={"kid": "one"})


@dataclass
class Provider:
    """The provider; `people` are its users' claims by name, `sign` makes the token of claims.

    `told` are the claims that userinfo has, beside those of the token, `asked` the parameters of
    each authorization request, and `described` what discovery says otherwise than it should.
    """

    redirect_uri: str = ""
    people: dict[str, Claims] = field(default_factory=dict)
    sign: Callable[[Claims], str] = signed
    told: dict[str, Claims] = field(default_factory=dict)
    described: Claims = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    _codes: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def up(self) -> Iterator[Provider]:
        """Serve on a free port of this machine."""
        handler = type("Handler", (_Handler,), {"provider": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.daemon_threads = True
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            yield self
            server.shutdown()

    def description(self) -> Claims:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        } | self.described

    def keys(self) -> Claims:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
        return {"keys": [public | {"kid": "one", "use": "sig", "alg": "RS256"}]}

    def fault(self, asked: dict[str, str]) -> str:
        """Return what is wrong with an authorization request."""
        wanted = {
            "client_id": CLIENT,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "code_challenge_method": "S256",
        }
        wrong = [name for name, value in wanted.items() if asked.get(name) != value]
        wrong += [name for name in ("state", "nonce", "code_challenge") if not asked.get(name)]
        if "openid" not in asked.get("scope", "").split():
            wrong.append("scope")
        return ", ".join(wrong)

    def grant(self, name: str, asked: dict[str, str]) -> str:
        """Return where to send somebody who has signed in."""
        code = secrets.token_urlsafe()
        self._codes[code] = (name, asked)
        return f"{self.redirect_uri}?{urlencode({'code': code, 'state': asked['state']})}"

    def exchange(self, sent: dict[str, str], authorization: str) -> Claims | None:
        """Return the tokens for a code, which is good for once."""
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        is_client = authorization == f"Basic {basic}"
        name, asked = self._codes.pop(sent.get("code", ""), ("", {}))
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            not (name and is_client)
            or challenge != asked["code_challenge"]
            or sent.get("grant_type") != "authorization_code"
            or sent.get("redirect_uri") != self.redirect_uri
        ):
            return None
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300}
        claims |= {"nonce": asked["nonce"], "sub": f"id of {name}"} | self.people[name]
        token = secrets.token_urlsafe()
        self._tokens[token] = name
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 300}
        return answer | {"id_token": self.sign(claims)}

    def userinfo(self, authorization: str) -> Claims | None:
        name = self._tokens.get(authorization.removeprefix("Bearer "))
        return {"sub": f"id of {name}"} | self.told.get(name, {}) if name else None


class _Handler(BaseHTTPRequestHandler):
    provider: ClassVar[Provider]

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(place.query).items()}
        if place.path == "/.well-known/openid-configuration":
            self._json(self.provider.description())
        elif place.path == "/keys":
            self._json(self.provider.keys())
        elif place.path == "/userinfo":
            self._json(self.provider.userinfo(self.headers.get("Authorization", "")), 401)
        elif place.path != "/authorize":
            self._json(None, 404)
        elif fault := self.provider.fault(asked):
            self._json({"error": "invalid_request", "error_description": fault}, 400)
        else:
            self.provider.asked.append(asked)
            self._choices(asked)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        if self.path == "/token":
            self._json(self.provider.exchange(sent, self.headers.get("Authorization", "")), 400)
        elif self.path == "/signed-in" and sent["name"] in self.provider.people:
            self._to(self.provider.grant(sent["name"], json.loads(sent["asked"])))
        else:
            asked = json.loads(sent["asked"])
            query = urlencode({"error": "access_denied", "state": asked["state"]})
            self._to(f"{self.provider.redirect_uri}?{query}")

    def _choices(self, asked: dict[str, str]) -> None:
        hidden = html.escape(json.dumps(asked))
        buttons = "".join(
            f'<button name="name" value="{name}">I am {name}</button> '
            for name in [*self.provider.people, "nobody"]
        )
        self._send(
            200,
            "text/html",
            f'<!doctype html><html lang="en"><title>Provider</title><h1>Who are you?</h1>'
            f'<form action="/signed-in" method="post"><input type="hidden" name="asked" '
            f'value="{hidden}">{buttons}</form>',
        )

    def _to(self, url: str) -> None:
        self.send_response(303)
        self.send_header("Location", url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, answer: Claims | None, otherwise: int = 200) -> None:
        status = otherwise if answer is None or "error" in answer else 200
        self._send(status, "application/json", json.dumps(answer or {"error": "invalid_request"}))

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
