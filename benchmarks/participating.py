"""Taking part over HTTP against a bare DRF view, and what the receipt's signature costs."""

from __future__ import annotations

from functools import partial
from unittest import mock

from benchmarks.calling import ask
from benchmarks.harness import Figure, Goal, against, cpu_timed, emit, interleaved, ratios
from benchmarks.pools import new_raffle
from benchmarks.serving import Load, Server, granian, load
from raffles.domain import entering, keys
from raffles.fairness.receipts import Signer

CONNECTIONS = 16


def run(*, quick: bool) -> None:
    """Figures participate_requests, participate_cpu and receipt_cpu."""
    against_bare_view(rounds=3 if quick else 9, seconds=2.5 if quick else 5.0)
    receipt(rounds=9 if quick else 25, entries=200)


def against_bare_view(*, rounds: int, seconds: float) -> None:
    """Requests a second and CPU a request of both servers, in the same rounds."""
    entering_path = f"/raffles/{new_raffle().uuid}/participate/"
    with (
        granian("rafflesite.wsgi:application") as ours,
        granian("benchmarks.bare:application", "benchmarks.bare_settings") as bare,
    ):

        def ask(server: Server, path: str, duration: float = seconds) -> Load:
            return load(server, path, connections=CONNECTIONS, seconds=duration)

        ask(ours, entering_path, 1.0)  # every thread has its connection and its raffle
        ask(bare, "/", 1.0)
        seen = interleaved(partial(ask, ours, entering_path), partial(ask, bare, "/"), rounds)
    rates = [(a.rate, b.rate) for a, b in seen]
    cpus = [(a.cpu * 1000, b.cpu * 1000) for a, b in seen]
    emit(Figure.of("participate_requests", ratios(rates), Goal(">=", 0.70), against(rates, "/s")))
    emit(Figure.of("participate_cpu", ratios(cpus), Goal("<=", 1.35), against(cpus, "ms", 2)))


class Unsigned(Signer):
    """Makes the same receipts, with a constant where the signature would be."""

    def __init__(self, signer: Signer) -> None:
        self.key_id = signer.key_id
        self._sign = lambda data: bytes(64)  # noqa: ARG005


def receipt(*, rounds: int, entries: int) -> None:
    """CPU of the same requests with and without the signature, in this process."""
    path = f"/raffles/{new_raffle().uuid}/participate/"
    unsigned = Unsigned(keys.signer())

    def enter_all() -> None:
        for _ in range(entries):
            status, body = ask("POST", path)
            if status != 201:
                raise RuntimeError(body)

    def without() -> float:
        with mock.patch.object(entering, "signer", return_value=unsigned):
            return cpu_timed(enter_all)

    enter_all()
    seen = [
        (a / entries * 1000, b / entries * 1000)
        for a, b in interleaved(lambda: cpu_timed(enter_all), without, rounds)
    ]
    emit(Figure.of("receipt_cpu", ratios(seen), Goal("<=", 1.10), against(seen, "ms", 3)))
