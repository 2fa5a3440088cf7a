"""The site as it is deployed, behind real proxies: no header of a stranger is believed.

Each proxy runs twice: as the documentation has it, and as it comes, since whoever serves the site
must hold without its help. Spellings meet in every order; what a stranger says never counts. One
process of each server stands behind all fronts; each case has a raffle of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from email.message import Message
from http.client import HTTPResponse
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import CommandError, call_command

from raffles.models import State
from raffles.tests.factories import RaffleFactory
from raffles.tests.serving import SITE, database_url, free_port, in_the_clear, running
from rafflesite.management.commands.check_proxy import orders, spellings

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.once]

MANAGER, STRANGER, OTHER = "127.0.0.9", "127.0.0.5", "127.0.0.6"
Lines = tuple[str, ...]  # of a request's head
TERMS = {"name": "Mill", "total_tickets": 10, "prizes": [{"name": "Mill", "amount": 1}]}
GUNICORN = [sys.executable, "-m", "gunicorn", "--workers", "1"]
GRANIAN = [sys.executable, "-m", "granian", "--workers-kill-timeout", "1", "--interface"]
SERVERS = {
    "gunicorn": [*GUNICORN, "--bind", "127.0.0.1:{port}"],
    "granian": [*GRANIAN, "asgi", "--port", "{port}", "rafflesite.asgi:application"],
    # Folds spellings: what the table must see.
    "folding": [*GRANIAN, "wsgi", "--port", "{port}", "rafflesite.wsgi:application"],
}
FRONTS = [
    *("direct", "nginx", "nginx as it comes", "haproxy", "haproxy as it comes"),
    *("caddy", "caddy as it comes"),
]


class Said(NamedTuple):
    """An answer: status, the word for programs, and headers by name."""

    status: int
    code: str
    headers: Message
    body: bytes


def ask(
    port: int,
    method: str,
    path: str,
    *lines: str,
    peer: str = STRANGER,
    body: object = None,
) -> Said:
    """Send these header lines exactly, before all others, from an address of this machine."""
    payload = b"" if body is None else json.dumps(body).encode()
    head = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *lines, "Connection: close"]
    if payload:
        head.append("Content-Type: application/json")
    head += [f"Content-Length: {len(payload)}", "", ""]
    with socket.create_connection(("127.0.0.1", port), 60, (peer, 0)) as there:
        there.sendall("\r\n".join(head).encode() + payload)
        response = HTTPResponse(there, method=method)
        response.begin()
        answer = response.read()
    is_json = "json" in response.headers.get("Content-Type", "") and answer.startswith(b"{")
    code = json.loads(answer).get("code", "") if is_json else ""
    return Said(response.status, code, response.headers, answer)


# --- What stands in front


@contextmanager
def nginx(behind: int, folder: Path, *, documented: bool) -> Iterator[int]:
    port = free_port()
    site = (SITE / "deploy/nginx.conf").read_text()
    site = in_the_clear(site, f"127.0.0.1:{port}")
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{behind}").replace("include /srv", "#")
    site = site.replace("/var/cache/nginx", str(folder))
    if not documented:
        site = (
            f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{behind}"
            "; proxy_set_header Host $http_host; "
            "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } }"
        )
    folders = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {folder}/{name}; " for name in folders)
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}} http {{ access_log off; {temporary}\n{site}\n}}"
    )
    command = ["-p", str(folder), "-c", str(conf), "-e", f"{folder}/error.log"]
    with running([program("nginx"), *command], port):
        yield port


@contextmanager
def haproxy(behind: int, folder: Path, *, documented: bool) -> Iterator[int]:
    port = free_port()
    conf = (SITE / "deploy/haproxy.cfg").read_text()
    conf = in_the_clear(conf, f"127.0.0.1:{port}").replace("/srv/raffles", str(SITE))
    if not documented:
        conf = (
            "defaults\n mode http\n option forwardfor\n timeout connect 5s\n timeout client 20s\n"
            f" timeout server 20s\nlisten site\n bind 127.0.0.1:{port}\n"
            " server site 127.0.0.1:8000\n"
        )
    file = folder / "haproxy.cfg"
    file.write_text(conf.replace("127.0.0.1:8000", f"127.0.0.1:{behind}"))
    with running([program("haproxy"), "-db", "-f", str(file)], port):
        yield port


@contextmanager
def caddy(behind: int, folder: Path, *, documented: bool) -> Iterator[int]:
    port = free_port()
    site = (SITE / "deploy/Caddyfile").read_text()
    if not documented:
        site = "draws.example.org {\n reverse_proxy 127.0.0.1:8000\n}\n"
    site = site.replace("draws.example.org", f"http://127.0.0.1:{port}")
    file = folder / "Caddyfile"
    file.write_text("{\n admin off\n}\n" + site.replace("8000", f"{behind}"))
    command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(file)]
    with running(command, port, HOME=str(folder), XDG_DATA_HOME=str(folder)):
        yield port


def program(name: str) -> str:
    """Return the proxy's program; a test without it is skipped."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"needs {name}")
    return found


PROXIES: dict[str, Callable[..., AbstractContextManager[int]]] = {
    "nginx": nginx,
    "haproxy": haproxy,
    "caddy": caddy,
}


@contextmanager
def serving(server: str) -> Iterator[int]:
    """The site by itself; its port."""
    port = free_port()
    environment = {
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": database_url(),
        "DEBUG": "off",
        "ENV_FILE": "",
        "MANAGER_IPS": MANAGER,
        "PUBLIC_URL": "http://127.0.0.1",
        "REDIS_URL": "",
        "THROTTLE_ENTRY": "",
        "TRUSTED_PROXIES": "127.0.0.1",
    } | dict.fromkeys(("SECRET_KEY", "TICKET_KEY", "RECEIPT_KEY"), "0123456789abcdef" * 4)
    command = [word.format(port=port) for word in SERVERS[server]]
    with running(command, port, **environment):
        ask(port, "GET", "/readyz")  # which waits until it is, as a proxy that checks it would not
        yield port


@pytest.fixture(scope="module")
def behind(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[int]:
    """The port of one server, for all its cases: starting it costs more than most of them."""
    with serving(request.param) as port:
        yield port


def behind_each(*servers: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("behind", servers, indirect=True)


@contextmanager
def in_front(front: str, behind: int, folder: Path) -> Iterator[int]:
    """A front of the server there; the port that strangers reach."""
    if front == "direct":
        yield behind
        return
    name, _, manner = front.partition(" ")
    with PROXIES[name](behind, folder, documented=not manner) as port:
        yield port


# --- The table


# What no site believes, and what ours believes from a proxy: (name, claim).
UNUSED = {
    "X-Real-IP": MANAGER,
    "Forwarded": f"for={MANAGER}",
    "X-Client-IP": MANAGER,
    "Remote-Addr": MANAGER,
    # A proxy that is told to forget its own header leaves the site without a caller.
    "Connection": "close, X-Forwarded-For",
}
FORWARDED = "X-Forwarded-For"


def holes(port: int, raffle: str) -> list[Lines]:
    """The header lines by which a stranger who holds a ticket was somebody else.

    All of them claim to be a manager, which costs the server least to refuse. Whoever is taken for
    somebody else by a line alone could take part again, manager or not.
    """
    unused = [
        (f"{written}: {claim}",) for name, claim in UNUSED.items() for written in spellings(name)
    ]
    forwarded = [
        tuple(": ".join(header) for header in order)
        for written in spellings(FORWARDED)
        for order in orders((written, MANAGER))
    ]
    return [
        lines
        for lines in [*unused, *forwarded]
        if _is_manager(port, lines) or (len(lines) == 1 and _is_another(port, lines, raffle))
    ]


def _is_manager(port: int, lines: Lines) -> bool:
    return ask(port, "POST", "/raffles/", *lines, body=TERMS).status not in (400, 403)


def _is_another(port: int, lines: Lines, raffle: str) -> bool:
    return ask(port, "POST", f"/raffles/{raffle}/participate/", *lines).status not in (400, 403)


def other_spellings(name: str) -> list[str]:
    return [written for written in spellings(name) if written.lower() != name.lower()]


@pytest.mark.parametrize("front", FRONTS)
@behind_each("gunicorn", "granian")
def test_nobody_is_somebody_else(behind: int, front: str, tmp_path: Path) -> None:
    with in_front(front, behind, tmp_path) as port:
        created = ask(port, "POST", "/raffles/", peer=MANAGER, body=TERMS)
        assert created.status == 201
        raffle = json.loads(created.body)["id"]
        take_part = f"/raffles/{raffle}/participate/"
        assert ask(port, "POST", take_part).status == 201

        assert holes(port, raffle) == []

        # Nor are a caller's own headers read in another spelling.
        for written in other_spellings("Idempotency-Key"):
            said = [ask(port, "POST", take_part, f"{written}: a", peer=OTHER) for _ in (1, 2)]
            assert 201 not in [one.status for one in said[1:]], written
        for written in other_spellings("Sec-Fetch-Site"):
            own = ask(port, "POST", take_part, "Origin: null", f"{written}: same-origin")
            assert own.status in (400, 403), written
            assert own.code in ("", "foreign_origin"), written
        # Everybody is still who they are.
        assert ask(port, "POST", "/raffles/", peer=MANAGER, body=TERMS).status == 201
        assert ask(port, "POST", take_part, peer="127.0.0.7").status == 201
        redirect = ask(port, "GET", "/raffles", "SCRIPT_NAME: /x", "PATH_INFO: /livez")
        assert redirect.headers["Location"] == "/raffles/"

        # Nor is the scheme theirs, nor the name of a request: in every order, as above. Of proxies
        # as they come it may be.
        if front in PROXIES:
            url = f"http://127.0.0.1:{port}"
            call_command("check_proxy", url, source=STRANGER, verbosity=0)


@behind_each("gunicorn", "granian")
def test_what_a_proxy_says_is_believed(behind: int) -> None:
    for said, status in ((MANAGER, 201), (f"{MANAGER}:80", 201), (STRANGER, 403), ("x", 400)):
        line = f"X-Forwarded-For: {said}"
        response = ask(behind, "POST", "/raffles/", line, peer="127.0.0.1", body=TERMS)
        assert response.status == status


def test_the_table_and_the_command_see_a_server_that_folds(tmp_path: Path) -> None:
    with serving("folding") as behind, in_front("caddy as it comes", behind, tmp_path) as port:
        raffle = json.loads(ask(port, "POST", "/raffles/", peer=MANAGER, body=TERMS).body)["id"]
        assert ask(port, "POST", f"/raffles/{raffle}/participate/").status == 201
        assert holes(port, raffle)
        with pytest.raises(CommandError, match="_For' gets through: whoever sends it"):
            call_command("check_proxy", f"http://127.0.0.1:{port}", source=STRANGER)


@pytest.mark.parametrize("url", ["127.0.0.1", "ftp://127.0.0.1", "http://"])
def test_check_needs_an_address(url: str) -> None:
    with pytest.raises(CommandError, match="as strangers reach it") as refusal:
        call_command("check_proxy", url)
    assert refusal.value.returncode == 2


def test_check_of_nobody_fails() -> None:
    with pytest.raises(CommandError, match="cannot be reached"):
        call_command("check_proxy", f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize("front", ["direct", "nginx", "haproxy", "caddy"])
@behind_each("gunicorn")
def test_whoever_sends_too_much_is_told_so(behind: int, front: str, tmp_path: Path) -> None:
    with in_front(front, behind, tmp_path) as port:
        for size in (100_000, 1_000_000, 2_900_000) * 5:
            assert ask(port, "POST", "/raffles/", body="x" * size).code == "too_large"
        for _ in range(5):  # without the token of a form, which is refused before it is read
            assert ask(port, "POST", "/admin/login/", body="x" * 9_000_000).status == 403


@behind_each("gunicorn")
def test_nginx_too_tells_people_what_a_file_may_have(behind: int, tmp_path: Path) -> None:
    with nginx(behind, tmp_path, documented=True) as port:
        beyond = ask(port, "POST", "/admin/login/", body="x" * 21_000_000)
    assert beyond.status == 413
    assert "höchstens 20 MB" in beyond.body.decode()


SLOW = {  # what is announced, and what comes at once: JSON, then nothing
    "small": "Content-Length: 1000",
    "beside long headers": f"Cookie: a={'x' * 7_900}\r\nContent-Length: 8000",
    "larger than a buffer": "Content-Length: 60000",
    "refused": "Content-Length: 4000000",
    "chunked": "Transfer-Encoding: chunked",
}
AT_ONCE = {"small": 7, "beside long headers": 7_000, "refused": 3_500_000}


@pytest.mark.parametrize("front", ["nginx", "haproxy", "caddy"])
@behind_each("gunicorn")
def test_slow_bodies_leave_the_site_to_others(behind: int, front: str, tmp_path: Path) -> None:
    with in_front(front, behind, tmp_path) as port:
        ask(port, "GET", "/livez")
        for slow, lines in SLOW.items():
            head = "POST /raffles/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            begun = b'{"name"'.ljust(AT_ONCE.get(slow, 30_000))
            if slow == "chunked":
                begun = b"%x\r\n%s\r\n" % (len(begun), begun)
            with ExitStack() as stack:
                for _ in range(16):  # four times as many as there are threads
                    sending = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                    sending.settimeout(1)
                    with suppress(TimeoutError, ConnectionError):  # or refused
                        sending.sendall(f"{head}{lines}\r\n\r\n".encode() + begun)
                time.sleep(0.5)  # in which they would get through
                began = time.monotonic()
                assert ask(port, "GET", "/livez").status == 200
                assert time.monotonic() - began < 5, slow


def test_server_on_a_socket_says_what_to_set(tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    for proxies, status in (("127.0.0.1", 400), ("unix", 200)):
        environment = os.environ | {
            **dict.fromkeys(("SECRET_KEY", "TICKET_KEY", "RECEIPT_KEY"), "0123456789abcdef" * 4),
            "DATABASE_URL": database_url(),
            "ENV_FILE": "",
            "TRUSTED_PROXIES": proxies,
        }
        command = [*GUNICORN, "--bind", f"unix:{path}"]
        with subprocess.Popen(
            command, cwd=SITE, env=environment, stderr=subprocess.DEVNULL
        ) as process:
            try:
                deadline = time.monotonic() + 30
                while not path.exists() and time.monotonic() < deadline:
                    time.sleep(0.05)
                with socket.socket(socket.AF_UNIX) as there:
                    there.connect(str(path))
                    there.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    response = HTTPResponse(there)
                    response.begin()
                    assert response.status == status
                    assert (b"add unix to TRUSTED_PROXIES" in response.read()) is (status == 400)
            finally:
                process.terminate()
                process.wait(30)


@pytest.mark.parametrize("front", ["nginx", "haproxy"])
@behind_each("gunicorn")
def test_large_reads_of_an_address_are_limited_in_front(
    behind: int, front: str, tmp_path: Path
) -> None:
    leaves = f"/raffles/{RaffleFactory.create(state=State.DRAWN).uuid}/leaves/"
    with in_front(front, behind, tmp_path) as port:
        said = [ask(port, "GET", leaves) for _ in range(40)]
        other = ask(port, "GET", leaves, peer=OTHER)
        revalidated = ask(
            port, "GET", leaves, f"If-None-Match: {other.headers['ETag']}", peer=OTHER
        )
    assert {one.status for one in said[:30]} == {200}
    assert {one.status for one in said[35:]} == {429}
    assert (other.status, other.body) == (200, said[0].body)
    assert revalidated.status == 304
    asked = {one.headers["X-Request-ID"] for one in said[:30]}
    assert len(asked) == 30
    if front == "nginx":
        assert len([path for path in (tmp_path / "raffles").rglob("*") if path.is_file()]) == 1
