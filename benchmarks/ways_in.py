"""Many clients ask at once for one holder, by every way in: does anybody get a ticket too many?

    python -m benchmarks.ways_in [--rounds 1000] [--clients 64] [--ways address event] [--sqlite]

Each round is a new raffle, whose holder may have three tickets, and all clients ask for the same
one: by address, mailed link, invitation or batch on paper, as staff and partner, with one list, or
through an event. What they were told is compared with what is there: exactly three, none lost.
Prints a line for each way and exits 1 when anything was wrong. The PostgreSQL is its own; with
--sqlite, a file.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.apart import running
from events.tests.one_holder import WAYS, faults_of_a_round
from raffles.tests.nothing_lost.harness import clients


def main() -> int:
    """Start the database and say how many things were wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--sqlite", action="store_true")  # read by benchmarks.apart
    options = parser.parse_args()
    with running():
        wrong = [
            fault
            for way in options.ways
            for fault in faults_of(way, options.rounds, options.clients)
        ]
    for line in wrong[:20]:
        print(f"  {line}")
    return 1 if wrong else 0


def faults_of(way: str, rounds: int, size: int) -> list[str]:
    """Play the rounds of one way and say, even when stopped, what came of it; return the faults."""
    started, done = time.time(), 0
    wrong: list[str] = []
    try:
        with clients(size) as threads:
            while done < rounds:
                wrong += faults_of_a_round(way, threads, size)
                done += 1
    finally:
        seconds = time.time() - started
        said = f"{done:,} rounds of {size} clients in {seconds:,.0f} s: {len(wrong)} wrong"
        print(f"{way}: {said}", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
