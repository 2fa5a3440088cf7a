"""Witnesses on this machine: one of logs and a timestamp authority by OpenSSL, good and bad."""

from __future__ import annotations

import shutil
import subprocess
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from raffles.fairness.receipts import Cosigner as Signer
from raffles.fairness.verify import (
    Invalid,
    Note,
    check_consistency,
    checkpoint_text,
    der,
    opened,
    parse_note,
)
from raffles.web.witness_lists import Authority, Cosigner

Answer = tuple[int, str, bytes]  # status, content type, body
Behaviour = Callable[["Exchange"], None]
OPENSSL = shutil.which("openssl")
TEXT, SIZE, REPLY = "text/plain", "text/x.tlog.size", "application/timestamp-reply"


class Server:
    """Answers POST requests as its `behave` says; counts how many are under way at once."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.most_at_once = 0
        self.over = threading.Event()
        self.behave: Behaviour = honest
        self._at_once, self._lock = 0, threading.Lock()
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._http.server_port}/in/a/folder"

    def answer(self, path: str, body: bytes) -> Answer:
        """The honest answer to a request."""
        raise NotImplementedError

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1

    @contextmanager
    def serving(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self.over.set()
            self._http.shutdown()
            self._thread.join()
            self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, server: Server) -> None:
        self.asked = server
        super().__init__(("127.0.0.1", 0), Exchange)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet: a client that hangs up on a bad witness is what the tests want."""


class Exchange(BaseHTTPRequestHandler):
    """One request and its answer."""

    server: _Http

    def do_POST(self) -> None:
        asked = self.server.asked
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        with asked.counted():
            asked.requests.append(self.body)
            asked.behave(self)

    def honest_answer(self) -> Answer:
        return self.server.asked.answer(self.path, self.body)

    def send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
        pass


# --- A witness of logs


@dataclass(frozen=True)
class Signed:
    """What it signed, in order."""

    size: int
    root: bytes


class LogWitness(Server):
    """A C2SP tlog-witness that knows every log, and signs at its clock's time.

    It keeps what it signed and signs nothing inconsistent with it, or smaller.
    """

    def __init__(self, name: str, clock: Callable[[], int]) -> None:
        super().__init__()
        self.signer = Signer(name, sha256(name.encode()).digest())
        self.cosigner = Cosigner(name, self.signer.public_key, self.url)
        self.clock = clock
        self.signed: list[Signed] = []
        self.turn = threading.Lock()

    def answer(self, path: str, body: bytes) -> Answer:
        if path != "/in/a/folder/add-checkpoint":
            return 404, TEXT, b""
        head, note_text = body.decode().split("\n\n", 1)
        old, *nodes = head.split("\n")
        try:
            note = parse_note(note_text)
        except Invalid:
            return 400, TEXT, b""
        with self.turn:
            return self._sign(int(old.removeprefix("old ")), nodes, note)

    def _sign(self, old: int, nodes: list[str], note: Note) -> Answer:
        last = self.signed[-1] if self.signed else Signed(0, b"")
        if last.size != old:
            return 409, SIZE, f"{last.size}\n".encode()
        try:
            if old == note.size:
                assert (last.root, nodes) == (note.root, [])
            elif old:
                check_consistency(old, note.size, last.root, note.root, [*map(b64decode, nodes)])
            else:
                assert nodes == []
        except (Invalid, AssertionError):
            return 422, TEXT, b""
        self.signed.append(Signed(note.size, note.root))
        return 200, TEXT, self.signer.cosign(note.text, self.clock()).encode()

    def line(self, body: bytes, at: int) -> bytes:
        """A signature of what a request brought, whatever was signed before."""
        note = parse_note(body.decode().split("\n\n", 1)[1])
        return self.signer.cosign(note.text, at).encode()


# --- Behaviours of both


def honest(exchange: Exchange) -> None:
    exchange.send(*exchange.honest_answer())


def hangs(exchange: Exchange) -> None:
    exchange.server.asked.over.wait()


def drips(exchange: Exchange) -> None:
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not exchange.server.asked.over.wait(0.05):
        exchange.wfile.write(b" ")


def talks_too_long(exchange: Exchange) -> None:
    status, content_type, body = exchange.honest_answer()
    exchange.send(status, content_type, body + b" " * 1_000_000)


def redirects(exchange: Exchange) -> None:
    exchange.send_response(307)
    exchange.send_header("Location", exchange.path)
    exchange.send_header("Content-Length", "0")
    exchange.end_headers()
    exchange.server.asked.behave = honest


def says_nothing(exchange: Exchange) -> None:
    exchange.send(200, TEXT, b"")


def sends_bytes(exchange: Exchange) -> None:
    exchange.send(200, REPLY, bytes(range(256)))


def is_unavailable(exchange: Exchange) -> None:
    exchange.send(503, TEXT, b"")


def knows_no_log(exchange: Exchange) -> None:
    exchange.send(404, TEXT, b"")


def speaks_no_http(exchange: Exchange) -> None:
    exchange.wfile.write(b"SSH-2.0-OpenSSH\r\n\x1b[2J forged log line\r\n")


# --- Behaviours of a witness of logs


def _witness(exchange: Exchange) -> LogWitness:
    asked = exchange.server.asked
    assert isinstance(asked, LogWitness)
    return asked


def lies(exchange: Exchange) -> None:
    """Sign, and spoil the signature's last byte."""
    line = exchange.honest_answer()[2].decode().rstrip("\n")
    last = "A" if line[-2] != "A" else "Q"
    exchange.send(200, TEXT, f"{line[:-2]}{last}{line[-1]}\n".encode())


def signs_another(exchange: Exchange) -> None:
    """Sign a checkpoint that nobody sent."""
    witness = _witness(exchange)
    text = checkpoint_text("testserver/log", 1, bytes(32))
    exchange.send(200, TEXT, witness.signer.cosign(text, witness.clock()).encode())


def signs_as_another(exchange: Exchange) -> None:
    witness = _witness(exchange)
    other = Signer("other", bytes(32))
    text = parse_note(exchange.body.decode().split("\n\n", 1)[1]).text
    exchange.send(200, TEXT, other.cosign(text, witness.clock()).encode())


def signs_short(exchange: Exchange) -> None:
    """Answer with its name and key and a signature that has no whole time."""
    name, code = exchange.honest_answer()[2].decode().split()[1:]
    exchange.send(200, TEXT, f"— {name} {code[:8]}\n".encode())


def signs_twice(exchange: Exchange) -> None:
    """Send two lines, the second with a later time."""
    witness = _witness(exchange)
    status, content_type, line = exchange.honest_answer()
    exchange.send(status, content_type, line + witness.line(exchange.body, witness.clock() + 1))


def signs_late(exchange: Exchange) -> None:
    witness = _witness(exchange)
    exchange.send(200, TEXT, witness.line(exchange.body, witness.clock() + 3600))


def signs_at_the_end_of_time(exchange: Exchange) -> None:
    exchange.send(200, TEXT, _witness(exchange).line(exchange.body, 2**64 - 1))


def always_starts_again(exchange: Exchange) -> None:
    exchange.send(409, SIZE, b"2\n" if exchange.body.startswith(b"old 1\n") else b"1\n")


def has_seen_more(exchange: Exchange) -> None:
    exchange.send(409, SIZE, b"1000000\n")


def conflicts_in_words(exchange: Exchange) -> None:
    exchange.send(409, TEXT, b"no\n")


# --- A timestamp authority

_CONFIGURATION = """
[ tsa ]
default_tsa = here
[ here ]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class Stamper(Server):
    """A timestamp authority: OpenSSL behind HTTP, its certificate valid from 2020 on.

    With a ``clock`` (UNIX seconds; RSA alone) its tokens are dated by that.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kind: str = "rsa",
        name: str = "An authority",
        lasting: timedelta = timedelta(days=3650),
        clock: Callable[[], int] | None = None,
    ) -> None:
        super().__init__()
        self.folder, self.clock, self.options = folder, clock, list[str]()
        self.turn = threading.Lock()
        self.authority = Authority(name, self.url)
        self.ends_at = (datetime.now(UTC) + lasting).replace(microsecond=0)
        (folder / "configuration").write_text(_CONFIGURATION)
        (folder / "serial").write_text("01\n")
        self.take_key(kind)

    def take_key(self, kind: str) -> None:
        """Sign with a new key, and a certificate of it, from now on."""
        self.private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if kind == "rsa":
            self.private_key = rsa.generate_private_key(65537, 2048)
        else:
            curve = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind]
            self.private_key = ec.generate_private_key(curve)
        self._certify()
        public_key = self.private_key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self.key = sha256(public_key).hexdigest()

    def _certify(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.private_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(self.ends_at)
            .add_extension(usage, critical=True)
            .sign(self.private_key, hashes.SHA256())
        )
        key = self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "key").write_bytes(key)
        (self.folder / "certificate").write_bytes(certificate.public_bytes(Encoding.PEM))

    def answer(self, path: str, body: bytes) -> Answer:
        with self.turn:
            (self.folder / "query").write_bytes(body)
            self.run("-reply", "-queryfile", "query", "-out", "reply", *self.options)
            reply = (self.folder / "reply").read_bytes()
        return 200, REPLY, self.redated(reply) if self.clock else reply

    def run(self, *arguments: str) -> str:
        """Run `openssl ts` as this authority; returns what it prints."""
        signs = ("-config", "configuration", "-signer", "certificate", "-inkey", "key")
        command = [str(OPENSSL), "ts", *arguments, *(signs if "-reply" in arguments else ())]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout

    def redated(self, reply: bytes) -> bytes:
        """The same answer as it would be at our clock's time: dated and signed anew, in place."""
        assert self.clock is not None
        assert isinstance(self.private_key, rsa.RSAPrivateKey)
        _, token = der(opened(der(reply)[0], 0x30))
        signed = der(opened(der(opened(token, 0x30))[1], 0xA0))[0]
        _, _, content, *_, signers = der(signed.content)
        info = opened(der(opened(der(content.content)[1], 0xA0))[0], 0x04)
        signer = der(der(signers.content)[0].content)
        (attributes,) = [part for part in signer if part.tag == 0xA0]
        old_time = next(part for part in der(der(info)[0].content) if part.tag == 0x18).content
        new_time = f"{datetime.fromtimestamp(self.clock(), UTC):%Y%m%d%H%M%SZ}".encode()
        new_info = info.replace(old_time, new_time)
        new_attributes = attributes.raw.replace(sha256(info).digest(), sha256(new_info).digest())
        signature = self.private_key.sign(
            b"\x31" + new_attributes[1:], padding.PKCS1v15(), hashes.SHA256()
        )
        for old, new in (
            (info, new_info),
            (attributes.raw, new_attributes),
            (signer[-1].content, signature),
        ):
            assert len(old) == len(new)
            assert reply.count(old) == 1
            reply = reply.replace(old, new)
        return reply


def stamps_something_else(exchange: Exchange) -> None:
    """Give a true token, over another text."""
    stamper = _stamper(exchange)
    (stamper.folder / "other").write_bytes(b"other")
    stamper.run("-query", "-data", "other", "-sha256", "-cert", "-out", "other.query")
    exchange.send(*stamper.answer("", (stamper.folder / "other.query").read_bytes()))


def repeats_itself(exchange: Exchange) -> None:
    """Give the answer to the first request for ever: its nonce is of that."""
    stamper = _stamper(exchange)
    exchange.send(*stamper.answer("", stamper.requests[0]))


def rejects(exchange: Exchange) -> None:
    exchange.send(200, REPLY, bytes.fromhex("30053003020102"))


def spoils(exchange: Exchange) -> None:
    """Change the last byte of the signature."""
    status, content_type, body = exchange.honest_answer()
    exchange.send(status, content_type, body[:-1] + bytes([body[-1] ^ 1]))


def _stamper(exchange: Exchange) -> Stamper:
    asked = exchange.server.asked
    assert isinstance(asked, Stamper)
    return asked
