"""Another operator's log, in memory and served on this machine: honest until a test changes it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self
from uuid import UUID

from raffles.fairness.receipts import Signer
from raffles.fairness.verify import Tree, TreeBuilder, consistency_path, hash_leaf, make_statement
from raffles.web.witness_lists import WatchedLog

ORIGIN = "club.example/log"
SEED = b"a club's key, of thirty-two bytes"[:32]


class ForeignLog:
    """Statements, and what an operator signs over them."""

    def __init__(self, origin: str = ORIGIN, seed: bytes = SEED) -> None:
        self.origin, self.signer = origin, Signer([seed])
        self.entries: list[bytes] = []
        self.state("key", public_key=self.signer.public_key)

    def state(self, kind: str, **adds: str) -> None:
        """Append a statement."""
        n = len(self.entries)
        statement = make_statement(kind, origin=self.origin, n=n, at=1_800_000_000 + n, **adds)
        self.entries.append(statement)

    def seal(self, *raffles: int) -> Self:
        """Append the seals of raffles, by their numbers."""
        for number in raffles:
            about = {"raffle_id": UUID(int=number).hex, "commitment_hash": f"{number:064x}"}
            self.state("sealed", **about)
        return self

    def fork(self) -> ForeignLog:
        """Another log of this name and key, with the same statements so far."""
        other = ForeignLog(self.origin)
        other.entries, other.signer = list(self.entries), self.signer
        return other

    def checkpoint(self, size: int | None = None) -> str:
        """The signed note over the first ``size`` statements, all by default."""
        size = len(self.entries) if size is None else size
        root = self._tree(size).root
        return self.signer.checkpoint(self.origin, size, root, self.signer.public_keys)

    def request(self, old: int = 0, size: int | None = None) -> bytes:
        """What is sent to a witness that signed ``old`` statements last."""
        size = len(self.entries) if size is None else size
        levels = self._tree(size).levels

        def node(level: int, index: int) -> bytes:
            nodes = levels[min(level, len(levels) - 1)]
            return nodes[index * 32 : index * 32 + 32]

        proof = consistency_path(old, size, node) if old else []
        lines = "".join(f"{b64encode(node).decode()}\n" for node in proof)
        return f"old {old}\n{lines}\n{self.checkpoint(size)}".encode()

    def watched(self, url: str) -> dict[str, WatchedLog]:
        """What WITNESS_LOGS says of it."""
        return {self.origin: WatchedLog(self.origin, (self.signer.public_key,), url)}

    def _tree(self, size: int) -> Tree:
        builder = TreeBuilder(keep_from=0)
        for entry in self.entries[:size]:
            builder.add(hash_leaf(entry))
        return builder.finish()


Answering = Callable[[ForeignLog, str], tuple[int, bytes]]


def tiles(log: ForeignLog, path: str) -> tuple[int, bytes]:
    """The answer of an honest server: entries and the checkpoint."""
    if path == "/log/checkpoint":
        return 200, log.checkpoint().encode()
    name, _, width = path.removeprefix("/log/tile/entries/").partition(".p/")
    start = 256 * int(name.replace("x", "").replace("/", ""))
    found = log.entries[start : start + int(width or 256)]
    if len(found) < int(width or 256):
        return 404, b""
    return 200, b"".join(len(entry).to_bytes(2, "big") + entry for entry in found)


class Served:
    """`with Served(log) as served`: served.url; what it answers is served.answer's to say."""

    def __init__(self, log: ForeignLog, answer: Answering = tiles) -> None:
        self.log, self.answer, self.asked = log, answer, list[str]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, body = outer.answer(outer.log, self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/log"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Broken pipes are what some tests are about."""
