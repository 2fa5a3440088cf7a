"""Spoils proofs and what belongs to them, and looks for one that is believed all the same.

    python -m raffles.tests.fairness.campaign [--count 1000000] [--seed 1] [--drand-share 0.02]

Half are random draws of ours, half the published cases that hold, with their logs, tokens,
witnesses, receipts and leaves. Exits 1 if a verdict shows another winner, time or name than the
honest files do, a witness more or an earlier answer, or accuses an operator who did nothing.
"""

import argparse
import functools
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest import mock

from raffles.fairness import verify
from raffles.tests.fairness.draw_vectors import ACCUSATIONS, CASES, Files
from raffles.tests.fairness.mutations import encode, mutate
from raffles.tests.fairness.proofs import judge, make_random
from raffles.tests.fairness.spoiling import spoil

VALID = [case.files for case in CASES if case.expected["exit"] in (0, 3)]
EACH = 20  # spoilt copies of one honest set of files


def deceives(honest: Files, spoilt: Files) -> str | None:
    """What verify.py says of spoilt files where it should not; None if nobody is deceived."""
    verdict = judge(**spoilt)
    if any(words in verdict.words for words in ACCUSATIONS):
        return verdict.words
    if verdict.words == "UNREADABLE" or verdict.words.startswith("INVALID: "):
        return None
    size = largest_checkpoint(spoilt)
    is_same = essence(spoilt, size) == essence(honest, size)
    is_same = is_same and number_of(spoilt) in (None, number_of(honest))
    # Who answered twice and is left with the later answer is shown later, never earlier.
    seen: Counter[str] = Counter()
    for name, seconds in judge(**honest).counted:
        seen[name] = max(seen[name], seconds)
    is_less = all(seconds <= seen[name] for name, seconds in verdict.counted)
    return None if is_same and is_less else verdict.words


def essence(files: Files, size: int) -> dict[str, Any]:
    """Everything but what may show less and still be right in what it shows.

    That is the log in a proof, a log file behind the first ``size`` statements, which are signed,
    and whose keys and which witnesses a reader trusts.
    """
    found: dict[str, Any] = {}
    for name, content in files.items():
        if name == "log":
            found[name] = content.splitlines()[:size]
        elif name == "leaves":
            found[name] = content
        elif name not in ("keys", "witnesses"):
            found[name] = json.loads(content)
    found["proof"].pop("log", None)
    return found


def number_of(files: Files) -> int | None:
    """The number that the seal has in the proof's log; None if the proof shows none."""
    log = json.loads(files["proof"]).get("log")
    return log["n"] if log else None


def largest_checkpoint(files: Files) -> int:
    """The size of the largest log that the proof shows to be signed."""
    log = json.loads(files["proof"]).get("log", {"checkpoints": []})
    notes = [verify.parse_note(each["checkpoint"]) for each in log["checkpoints"]]
    return max((note.size for note in notes), default=0)


def believed(count: int, seed: int, drand_share: float) -> Iterator[tuple[str, Files, str]]:
    """Of ``count`` spoilt sets of files, those that deceive: what was done, files and verdict.

    Of random draws a beacon's are few, since each has a pairing of its own.
    """
    rng = random.Random(seed)
    for done in range(count):
        if done % EACH == 0:
            source = "drand" if rng.random() < drand_share else "system"
            is_ours = rng.random() < 0.5
            honest = (
                {"proof": encode(make_random(rng, source).proof)} if is_ours else rng.choice(VALID)
            )
        if is_ours or rng.random() < 0.5:
            name, data = mutate(rng, json.loads(honest["proof"]))
            spoilt = honest | {"proof": data}
        else:
            name, spoilt = "spoil", spoil(rng, honest)
        words = deceives(honest, spoilt)
        if words is not None:
            yield name, spoilt, words


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--drand-share", type=float, default=0.02)
    options = parser.parse_args()
    # Pure functions, asked the same again and again.
    with (
        mock.patch.object(verify, "check_beacon", functools.lru_cache(verify.check_beacon)),
        mock.patch.object(
            verify, "signature_is_good", functools.lru_cache(4096)(verify.signature_is_good)
        ),
    ):
        found = list(believed(options.count, options.seed, options.drand_share))
    for name, files, words in found[:10]:
        print(name, words, *(f"{label}: {content!r}" for label, content in files.items()))
    print(f"{options.count:,} spoilt, {len(found)} believed", dict(Counter(f[0] for f in found)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
