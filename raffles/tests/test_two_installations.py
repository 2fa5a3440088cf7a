"""Two installations vouch for each other: two databases, two folders, real HTTP between them.

One is restored from a backup and goes on: the other signs nothing of it, however often it tries.
`WITNESS_ROUNDS=100 pytest raffles/tests/test_two_installations.py` tries a hundred times; with a
DATABASE_URL of PostgreSQL in front of it, in two databases of that server.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from raffles.fairness.verify import COSIGNATURE, lines_of, parse_note, time_of_cosignature
from raffles.tests.foreign_log import ForeignLog
from raffles.tests.installations import Installation, PostgresqlStore, SqliteStore
from raffles.tests.serving import running

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("WITNESS_ROUNDS", "2"))
IS_ON_POSTGRESQL = "WITNESS_ROUNDS" in os.environ and connection.vendor == "postgresql"


def submit(log: ForeignLog, witness: Installation, old: int) -> tuple[int, bytes]:
    return witness.ask(
        "POST", "/witness/add-checkpoint", log.request(old), content_type="text/plain"
    )


def is_cosigned(log: ForeignLog, witness: Installation, old: int) -> bool:
    """Send a checkpoint, and begin again where the witness says; whether it signed."""
    status, answer = submit(log, witness, old)
    if status == 409 and int(answer) <= len(log.entries):
        status, answer = submit(log, witness, int(answer))
    if status != 200:
        return False
    note = parse_note(log.checkpoint() + answer.decode())
    key = bytes.fromhex(witness.cosigner.public_key)
    (line,) = lines_of(note, witness.cosigner.name, COSIGNATURE, key)
    return time_of_cosignature(note.text, line.signature, key) is not None


def two(folder: Path) -> tuple[Installation, Installation]:
    """Return two clubs that are each other's witness."""
    store = PostgresqlStore if IS_ON_POSTGRESQL else SqliteStore
    one = Installation("a", 1, folder / "a", store)
    other = Installation("b", 2, folder / "b", store)
    one.knows(other)
    other.knows(one)
    return one, other


@pytest.fixture(scope="module")
def new_clubs(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Installation, Installation]]:
    """The two on their first day: to migrate takes longer than all that is tested."""
    clubs = two(tmp_path_factory.mktemp("new"))
    with ExitStack() as stack:
        for club in clubs:
            stack.callback(club.store.drop)
            club.manage("migrate", "--verbosity=0")
        yield clubs


@pytest.fixture
def clubs(
    new_clubs: tuple[Installation, Installation], tmp_path: Path
) -> Iterator[tuple[Installation, Installation]]:
    """The two, being served."""
    clubs = two(tmp_path)
    with ExitStack() as stack:
        for club, new in zip(clubs, new_clubs, strict=True):
            stack.callback(club.store.drop)
            club.store.copy_of(new.store)
            serve = [sys.executable, "-m", "gunicorn", "--workers", "1"]
            serve += ["--bind", f"127.0.0.1:{club.port}"]
            stack.enter_context(running(serve, club.port, **club.environment))
        yield clubs


def test_two_clubs_vouch_for_each_other(clubs: tuple[Installation, Installation]) -> None:
    one, two = clubs
    for club, witness in (clubs, reversed(clubs)):
        club.seal_a_raffle()
        log = club.log()
        assert [kind(entry) for entry in log.entries] == ["key", "sold_out", "sealed"]
        assert is_cosigned(log, witness, 0)
        club.seal_a_raffle()
        assert is_cosigned(club.log(), witness, 3)
        assert "5 statements" in club.manage("verify_log")

    # One goes on from a backup: its raffles are sealed once more, or others in their place.
    backup, latest = one.backup("backup"), one.log()
    one.seal_a_raffle()
    one.seal_a_raffle()
    assert is_cosigned(one.log(), two, 5)
    lost = one.backup("lost")
    refused = 0
    for _ in range(ROUNDS):
        one.restore_in_secret(backup)
        assert one.log().entries == latest.entries
        answers = [submit(one.log(), two, 5)[0]]  # a size that was signed before
        for _ in range(3):
            one.seal_a_raffle()
            log = one.log()
            answers += [submit(log, two, old)[0] for old in (5, min(9, len(log.entries)))]
        refused += set(answers) <= {409, 422} and not is_cosigned(one.log(), two, 5)
    assert refused == ROUNDS

    # What had been witnessed is found again, and the log is signed as before.
    one.restore_in_secret(lost)
    one.seal_a_raffle()
    assert is_cosigned(one.log(), two, 9)


def test_a_restored_witness_signs_nothing_behind_itself(
    clubs: tuple[Installation, Installation],
) -> None:
    one, two = clubs
    one.seal_a_raffle()
    assert is_cosigned(one.log(), two, 0)
    before, log_before = two.backup("before"), one.backup("before")
    one.seal_a_raffle()
    honest = one.log()
    assert is_cosigned(honest, two, 3)
    two.restore(before)
    one.restore_in_secret(log_before)
    one.seal_a_raffle()
    fork = one.log()
    assert submit(fork, two, 3) == (409, b"5\n")
    assert not is_cosigned(fork, two, 3)


def test_a_long_log_is_caught_up_with(clubs: tuple[Installation, Installation]) -> None:
    one, two = clubs
    said = two.manage("witness_catch_up").splitlines()
    assert said == [
        "Who is to be our witness adds to WITNESS_LOGS:",
        f"  {one.environment['WITNESS_LOGS']}",
        "Whose witness we are to be adds to COSIGNERS:",
        f"  127.0.0.1/witness {two.cosigner.public_key} {two.url}/witness",
        "a.example/log: 1 entries have been read.",
    ]


def kind(entry: bytes) -> Any:
    return json.loads(entry)["kind"]
