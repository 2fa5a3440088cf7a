"""One draw from the gate to a stranger's verdict, and everything that must not be believed.

    python -m benchmarks.whole [--tickets 1000000] [--prizes 300] [--flips 200]

Fills a raffle on a PostgreSQL of its own, closes and seals it, draws it with a recorded round of
the beacon over a relay on this machine, and has the single file check the proof in an empty folder.
Then it flips one bit at a time, anywhere in the proof, and checks that each is refused. Prints what
was seen; exits 1 when a flipped proof is believed.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from django.core.management import call_command

from benchmarks.__main__ import environment
from benchmarks.harness import cluster
from raffles.fairness import verify

ROUND = 1000  # recorded; the seal is dated so that this round decides
_VERDICT = ("VALID", "INVALID: ")
_PLACES = re.compile(r"0x\w+|\d+")


def main() -> int:
    """Run it on a database that is gone afterwards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--prizes", type=int, default=300)
    parser.add_argument("--flips", type=int, default=200)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="whole-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the cluster runs under another account
        with cluster(folder) as url:
            os.environ.update(environment(url) | {"LOG_LEVEL": "ERROR"})
            os.environ["DJANGO_SETTINGS_MODULE"] = "rafflesite.settings"
            django.setup()
            call_command("migrate", verbosity=0)
            # Models exist only now.
            proof = import_module("benchmarks.whole_draw").drawn(options.tickets, options.prizes)
        return check(proof, folder / "empty", options.flips)


def check(proof: bytes, folder: Path, flips: int) -> int:
    """The verdict on the proof, and on as many proofs with one bit flipped."""
    folder.mkdir()
    shutil.copy(verify.__file__, folder / "verify.py")
    started = time.perf_counter()
    verdict = judged(proof, folder)
    seconds = time.perf_counter() - started
    print(f"verify.py        {verdict} after {seconds:.2f} s, {len(proof):,} bytes")
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
    return 0 if verdict == _VERDICT[0] and not believed else 1


def judged(proof: bytes, folder: Path) -> str:
    """What the file says, alone in a folder, without a package and without an environment."""
    (folder / "proof.json").write_bytes(proof)
    command = [sys.executable, "-I", "-S", "verify.py", "proof.json"]
    done = subprocess.run(command, cwd=folder, env={}, capture_output=True, check=False)
    said = (done.stdout or done.stderr).decode(errors="replace").strip()
    return said.splitlines()[-1] if said else f"exit {done.returncode}"


def moment(seconds: float) -> datetime:
    """A UNIX time as a datetime."""
    return datetime.fromtimestamp(seconds, UTC)


if __name__ == "__main__":
    sys.exit(main())
