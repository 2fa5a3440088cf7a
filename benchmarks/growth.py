"""What grows with the number of tickets, from a thousand to ten million: flat, linear, or worse?

Each ratio is the largest raffle's CPU to the smallest's; a hundred prizes, PostgreSQL.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import NamedTemporaryFile

from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from benchmarks.harness import Seen, timing
from benchmarks.inside import ask, fill, new_raffle, seal_now
from raffles.domain.drawing import advance
from raffles.domain.pool import build_tree
from raffles.domain.proofs import drawn, stream_proof
from raffles.fairness import verify
from raffles.models.raffle import MAX_TICKETS

cpu = partial(timing, clock=time.process_time)


def sizes(*, quick: bool) -> Iterator[Seen]:
    """CPU with the smallest, a middling and the largest raffle."""
    sizes = (1_000, 10_000, 1_000_000) if quick else (1_000, 100_000, 9_999_000)
    staff = Client(REMOTE_ADDR="192.0.2.1", SERVER_NAME="127.0.0.1")
    staff.force_login(get_user_model().objects.create_superuser("benchmark"))
    costs(1_000, staff)  # what is made once and kept
    grown = [costs(size, staff) for size in sizes]
    for name in grown[0]:
        values = [cost[name] for cost in grown]
        unit = "us a ticket" if name == "growth_tree" else "ms"
        detail = ", ".join(
            f"{value:.2f} with {size:,}" for value, size in zip(values, sizes, strict=True)
        )
        yield Seen(name, [values[-1] / values[0]], f"{unit}: {detail} tickets")


def costs(size: int, staff: Client) -> dict[str, float]:
    """Return the CPU of everything that is done with a raffle of so many tickets."""
    raffle = fill(new_raffle(min(size + 1_000, MAX_TICKETS), prizes=(("Book", 100),)), size)
    enter = partial(ask, "POST", f"/raffles/{raffle.uuid}/participate/", expected=201)
    enter()
    cost = {"growth_claim": cpu(enter, times=300, scale=1_000)()}
    cost["growth_tree"] = cpu(partial(build_tree, raffle), scale=1_000_000 / size)()
    seal_now(raffle)
    draw = partial(advance, raffle.pk, now=timezone.now(), clock=timezone.now, by="benchmark")
    cost["growth_draw"] = cpu(draw, scale=1_000)()
    decided = drawn(raffle.uuid)
    pieces: list[str] = []
    cost["growth_proof"] = cpu(lambda: pieces.extend(stream_proof(decided)), scale=1_000)()
    cost["growth_verify"] = verified("".join(pieces))
    cost["growth_admin"] = cpu(partial(read_list, staff), times=20, scale=1_000)()
    return cost


def verified(proof: str) -> float:
    """Milliseconds of CPU of the single file that checks a proof, alone in a process."""

    def spent() -> float:
        return sum(getrusage(RUSAGE_CHILDREN)[:2])  # user and system

    with NamedTemporaryFile("w", suffix=".json") as file:
        file.write(proof)
        file.flush()
        command = [sys.executable, "-I", "-S", verify.__file__, file.name]
        check = partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)
        return timing(check, times=5, scale=1_000, clock=spent)()


def read_list(staff: Client) -> None:
    """Look at the raffles in the back office."""
    response = staff.get("/admin/raffles/raffle/")
    if response.status_code != 200:
        raise RuntimeError(response.content)
