"""One draw from the gate to a stranger's verdict, and everything that must not be believed.

    python -m benchmarks.whole [--tickets 1000000] [--prizes 300] [--flips 200]

Fills a raffle on a PostgreSQL of its own, closes and seals it, draws it with a recorded round of
the beacon over a relay on this machine, and has the single file check the proof in an empty folder.
Then it flips one bit at a time, anywhere in the proof, and checks that each is refused. Prints what
was seen; exits 1 when a flipped proof is believed.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from django.conf import settings

from benchmarks.apart import running
from benchmarks.harness import timing
from benchmarks.inside import fill, new_raffle
from raffles.domain.drawing import Waiting, advance
from raffles.domain.proofs import drawn as drawn_draw
from raffles.domain.proofs import stream_proof
from raffles.fairness import verify
from raffles.tests.fairness.relay import Relay

_ROUND = 1000  # recorded; the seal is dated so that this round decides
_VERDICT = ("VALID", "INVALID: ")
_PLACES = re.compile(r"0x\w+|\d+")


def main() -> int:
    """Run it on a database that is gone afterwards."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--prizes", type=int, default=300)
    parser.add_argument("--flips", type=int, default=200)
    options = parser.parse_args()
    with running() as folder:
        return check(drawn(options.tickets, options.prizes), folder / "empty", options.flips)


def drawn(tickets: int, prizes: int) -> bytes:
    """Return the proof of a raffle that was filled, sealed and drawn."""
    raffle = new_raffle(tickets, prizes=[("Prize", prizes)], entropy="drand")
    fill(raffle, tickets)
    round_at = datetime.fromtimestamp(verify.time_of_round(_ROUND), UTC)

    def step(at: datetime) -> None:
        with suppress(Waiting):  # for the round
            advance(raffle.pk, now=at, clock=lambda: at, by="benchmark")

    with Relay() as relay:
        settings.DRAND_RELAYS = [relay.url]
        told("close and seal", partial(step, round_at - timedelta(minutes=1)))
        told("fetch and draw", partial(step, round_at))
    pieces: list[str] = []
    told("proof", lambda: pieces.extend(stream_proof(drawn_draw(raffle.uuid))))
    return "".join(pieces).encode()


def told(what: str, act: Callable[[], object]) -> None:
    """Do it and print how long it took."""
    print(f"{what:<16} {timing(act)():.2f} s")


def check(proof: bytes, folder: Path, flips: int) -> int:
    """Judge the proof, and as many proofs with one bit flipped."""
    folder.mkdir()
    shutil.copy(verify.__file__, folder / "verify.py")
    verdicts: list[str] = []
    told("verify.py", lambda: verdicts.append(judged(proof, folder)))
    print(f"verdict          {verdicts[0]}, {len(proof):,} bytes")
    anywhere, reasons, believed = random.Random(1), Counter[str](), 0
    for _ in range(flips):
        forged = bytearray(proof)
        forged[anywhere.randrange(len(proof))] ^= 1 << anywhere.randrange(8)
        answer = judged(bytes(forged), folder)
        believed += answer.startswith(_VERDICT[0])
        reasons[_PLACES.sub("…", answer.removeprefix(_VERDICT[1]))[:60]] += 1
    print(f"flipped bits     {flips}, believed {believed}")
    for reason, times in reasons.most_common(12):
        print(f"{times:>8}         {reason}")
    return 0 if verdicts == [_VERDICT[0]] and not believed else 1


def judged(proof: bytes, folder: Path) -> str:
    """Return what the file says, alone in a folder, without package and environment."""
    (folder / "proof.json").write_bytes(proof)
    command = [sys.executable, "-I", "-S", "verify.py", "proof.json"]
    done = subprocess.run(command, cwd=folder, env={}, capture_output=True, check=False)
    said = (done.stdout or done.stderr).decode(errors="replace").strip()
    return said.splitlines()[-1] if said else f"exit {done.returncode}"


if __name__ == "__main__":
    sys.exit(main())
