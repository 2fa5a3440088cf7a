"""A beacon relay on this machine: recorded rounds, and the ways in which a relay can be wrong."""

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from raffles.fairness.verify import CHAIN, randomness_of

# Signatures that drand's quicknet published.
ROUNDS = {
    42: "95a9f9f5b231b7714de1553105d8ffdf3dcda24cfdb1e689319bccf79a9c8ce4"
    "30a91b811fbfaf763900bc998b5d686a",
    123: "b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482"
    "e26cd02df835d3546d23c4b13e0dfc92",
    1000: "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125"
    "e342b73a8dd2bacbe47e4b6b63ed5e39",
}
# Round 42's signature plus a point outside the subgroup: the pairing equation still holds.
TORSION_42 = (
    "a93ce162b1f585d58a29d72693dfe318e537b7428c62143af6eb4dc370fb0ee8"
    "604540fe567a6f1fe711abedbc0fb1c5"
)
DRIP_SECONDS = 0.05

Behaviour = Callable[["Exchange", int], None]


class Relay:
    """Serves `ROUNDS` honestly, and a round given a behaviour as that behaviour says.

    with Relay({1000: late}) as relay: relay.url; relay.requests; relay.behave(1000, honest)
    """

    def __init__(
        self,
        behaviours: dict[int, Behaviour] | None = None,
        *,
        chain: str = CHAIN,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.chain = chain
        self.requests: list[str] = []  # the paths, in order
        self.stopped = threading.Event()
        self._behaviours = dict(behaviours or {})
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def behave(self, round_no: int, behaviour: Behaviour) -> None:
        self._behaviours[round_no] = behaviour

    def behaviour(self, round_no: int) -> Behaviour:
        return self._behaviours.get(round_no, honest if round_no in ROUNDS else late)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()  # waits for the exchanges under way


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        super().__init__(("127.0.0.1", 0), Exchange)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet: a client that gives up on a wrong relay is what the tests want."""


class Exchange(BaseHTTPRequestHandler):
    """One request and its answer; behaviours write to it."""

    server: _Server

    def do_GET(self) -> None:
        relay = self.server.relay
        relay.requests.append(self.path)
        *_, chain, public, round_no = self.path.split("/")
        if (chain, public) == (relay.chain, "public"):
            relay.behaviour(int(round_no))(self, int(round_no))
        else:
            self.send_error(404)

    def answer(self, body: bytes, *, status: int = 200, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def answer_round(self, round_no: int, signature: str) -> None:
        self.answer(_round(round_no, signature))

    def drip(self, text: bytes) -> None:
        """Send one byte at a time, for ever, so that no single read takes long."""
        self.wfile.write(text)
        while not self.server.relay.stopped.wait(DRIP_SECONDS):
            self.wfile.write(b" ")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
        pass


def _round(round_no: int, signature: str) -> bytes:
    randomness = randomness_of(bytes.fromhex(signature)).hex()
    answer = {"round": round_no, "randomness": randomness, "signature": signature}
    return json.dumps(answer).encode()


# --- Behaviours --------------------------------------------------------------------------


def honest(exchange: Exchange, round_no: int) -> None:
    exchange.answer_round(round_no, ROUNDS[round_no])


def chunked(exchange: Exchange, round_no: int) -> None:
    body = _round(round_no, ROUNDS[round_no])
    exchange.protocol_version = "HTTP/1.1"
    exchange.send_response(200)
    exchange.send_header("Transfer-Encoding", "chunked")
    exchange.end_headers()
    for part in (body[:100], body[100:], b""):
        exchange.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")


def lying_randomness(exchange: Exchange, round_no: int) -> None:
    """Send the true signature with a randomness of the relay's own."""
    answer = {"round": round_no, "randomness": "00" * 32, "signature": ROUNDS[round_no]}
    exchange.answer(json.dumps(answer).encode())


def late(exchange: Exchange, _round_no: int) -> None:
    exchange.send_error(404)


def too_early(exchange: Exchange, _round_no: int) -> None:
    exchange.send_error(425, "Too Early")


def broken(exchange: Exchange, _round_no: int) -> None:
    exchange.send_error(500)


def wrong_round(exchange: Exchange, round_no: int) -> None:
    """Answer with the newest round, whichever was asked for."""
    other = max(known for known in ROUNDS if known != round_no)
    exchange.answer_round(other, ROUNDS[other])


def renamed_round(exchange: Exchange, round_no: int) -> None:
    """Pass another round's signature off as this one's."""
    exchange.answer_round(round_no, ROUNDS[max(known for known in ROUNDS if known != round_no)])


def flipped_bit(exchange: Exchange, round_no: int) -> None:
    """Send the negated point: on the curve, in the subgroup, and wrong."""
    signature = bytearray.fromhex(ROUNDS[round_no])
    signature[0] ^= 0x20
    exchange.answer_round(round_no, signature.hex())


def off_the_curve(exchange: Exchange, round_no: int) -> None:
    exchange.answer_round(round_no, ROUNDS[round_no][:-1] + "0")


def torsion(exchange: Exchange, round_no: int) -> None:
    assert round_no == 42, "only recorded for round 42"
    exchange.answer_round(round_no, TORSION_42)


def short_signature(exchange: Exchange, round_no: int) -> None:
    exchange.answer_round(round_no, ROUNDS[round_no][:-2])


def long_signature(exchange: Exchange, round_no: int) -> None:
    exchange.answer_round(round_no, ROUNDS[round_no] + "00")


def uppercase(exchange: Exchange, round_no: int) -> None:
    exchange.answer_round(round_no, ROUNDS[round_no].upper())


def true_as_round(exchange: Exchange, round_no: int) -> None:
    exchange.answer(f'{{"round": true, "signature": "{ROUNDS[round_no]}"}}'.encode())


def float_as_round(exchange: Exchange, round_no: int) -> None:
    exchange.answer(f'{{"round": {round_no}.0, "signature": "{ROUNDS[round_no]}"}}'.encode())


def duplicate_keys(exchange: Exchange, round_no: int) -> None:
    good = _round(round_no, ROUNDS[round_no]).decode()
    exchange.answer(f'{{"round": 7, {good[1:]}'.encode())


def not_a_number(exchange: Exchange, round_no: int) -> None:
    good = _round(round_no, ROUNDS[round_no]).decode()
    exchange.answer(f'{{"age": NaN, {good[1:]}'.encode())


def trailing_data(exchange: Exchange, round_no: int) -> None:
    exchange.answer(_round(round_no, ROUNDS[round_no]) + b"{}")


def not_json(exchange: Exchange, _round_no: int) -> None:
    exchange.answer(b"<html>Gateway</html>")


def not_utf_8(exchange: Exchange, _round_no: int) -> None:
    exchange.answer(b'{"round": "\xff"}')


def not_an_object(exchange: Exchange, _round_no: int) -> None:
    exchange.answer(b"[]")


def nested(exchange: Exchange, _round_no: int) -> None:
    exchange.answer(b"[" * 60_000)


def cut_off(exchange: Exchange, round_no: int) -> None:
    body = _round(round_no, ROUNDS[round_no])
    exchange.answer(body[:-10], length=len(body))


def huge(exchange: Exchange, round_no: int) -> None:
    """Send a good answer behind a megabyte of blanks."""
    exchange.answer(b" " * 1_000_000 + _round(round_no, ROUNDS[round_no]))


def claimed_huge(exchange: Exchange, round_no: int) -> None:
    """Announce 100 GB, so that whoever believes it runs out of memory."""
    exchange.answer(b"{" + b" " * 100_000, length=100_000_000_000)


def endless_headers(exchange: Exchange, _round_no: int) -> None:
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000)


def not_http(exchange: Exchange, _round_no: int) -> None:
    exchange.wfile.write(b"SSH-2.0-OpenSSH\r\n\x1b[2J forged log line\r\n")


def redirect(exchange: Exchange, round_no: int) -> None:
    """Point at the round under another name, where it is served honestly."""
    exchange.send_response(302)
    exchange.send_header("Location", f"/elsewhere/{CHAIN}/public/{round_no}")
    exchange.send_header("Content-Length", "0")
    exchange.end_headers()
    exchange.server.relay.behave(round_no, honest)


def drip_body(exchange: Exchange, _round_no: int) -> None:
    exchange.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{")


def drip_headers(exchange: Exchange, _round_no: int) -> None:
    exchange.drip(b"HTTP/1.1 200 OK\r\nX-Slow: ")


def hang(exchange: Exchange, _round_no: int) -> None:
    exchange.server.relay.stopped.wait()
