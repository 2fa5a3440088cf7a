"""A witness under races and kills: it never signs two logs, and locks no honest one out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import combinations, count
from pathlib import Path
from random import Random

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from raffles.domain.refusals import LogRefused, NotConsistent, SignedOtherSize
from raffles.domain.witnesses.being_one.cosigning import Unsigned, cosign
from raffles.fairness.verify import Note, parse_note
from raffles.models import WitnessedLog
from raffles.tests.foreign_log import Answering, ForeignLog, Served, tiles
from raffles.tests.nothing_lost.harness import (
    die_at,
    fork,
    is_killed,
    postgresql_only,
    race,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    """A log of three statements, and a witness that knows it."""
    settings.WITNESS_SEED = b"the key of a witness, 32 bytes.."
    with Served(ForeignLog().seal(1, 2)) as served:
        settings.WITNESS_LOGS = served.log.watched(served.url)
        yield served


def forks_of(log: ForeignLog) -> tuple[ForeignLog, ForeignLog]:
    """Two logs that go on from this one, each sealing the next raffles in its own way."""
    return log.fork().seal(*range(10, 16)), log.fork().seal(*range(20, 26))


def either(forks: tuple[ForeignLog, ...]) -> Answering:
    """A server that shows now this log and now that."""
    chance = Random(7)
    return lambda _log, path: tiles(chance.choice(forks), path)


def submit(log: ForeignLog, size: int, *, tries: int = 8) -> Note | None:
    """A client that begins at 3 and follows what the witness says; the note if it was signed."""
    old = 3
    for _ in range(tries):
        try:
            cosign(log.request(old, size), clock=timezone.now)
        except SignedOtherSize as other:
            if other.size > size:
                return None
            old = other.size
        except (NotConsistent, LogRefused):
            return None
        except Unsigned:
            continue
        else:
            return parse_note(log.checkpoint(size))
    return None


def contradictions(notes: list[Note], logs: tuple[ForeignLog, ...]) -> list[tuple[int, int]]:
    """The sizes of two signed checkpoints that no one log has."""
    return [
        (one.size, other.size)
        for one, other in combinations(notes, 2)
        if not any(has(log, one) and has(log, other) for log in logs)
    ]


def has(log: ForeignLog, note: Note) -> bool:
    return parse_note(log.checkpoint(note.size)).root == note.root


def test_64_at_once_are_never_signed_inconsistently(served: Served) -> None:
    cosign(served.log.request(), clock=timezone.now)
    forks = forks_of(served.log)
    served.answer = either(forks)
    acts = [partial(submit, forks[n % 2], 4 + n % 6) for n in range(64)]
    outcomes = race(*acts)
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    signed = [note for note in outcomes if note is not None]
    assert signed
    assert contradictions(signed, forks) == []


def without_lock(log: ForeignLog, size: int) -> Note | None:
    """What a witness that looks first and writes afterwards would sign."""
    row = WitnessedLog.objects.get()
    note = parse_note(log.checkpoint(size))
    if row.size != 3:
        return None
    with transaction.atomic():
        WitnessedLog.objects.filter(pk=row.pk, size__lt=size).update(size=size, root=note.root)
    return note


@postgresql_only
def test_the_race_is_one_without_the_lock(served: Served) -> None:
    cosign(served.log.request(), clock=timezone.now)
    forks = forks_of(served.log)
    outcomes = race(*[partial(without_lock, forks[n % 2], 4 + n % 6) for n in range(64)])
    signed = [note for note in outcomes if isinstance(note, Note)]
    assert contradictions(signed, forks)


def acknowledge(log: ForeignLog, size: int, file: Path) -> None:
    """Have a checkpoint signed, and write down that it was."""
    cosign(log.request(3, size), clock=timezone.now)
    file.write_text("signed")


def test_killed_at_every_point_it_signs_nothing_else(
    served: Served, settings: Settings, tmp_path: Path
) -> None:
    points = 0
    for point in count():
        log = ForeignLog(f"club-{point}.example/log").seal(1, 2)
        served.log = log
        settings.WITNESS_LOGS = log.watched(served.url)
        cosign(log.request(), clock=timezone.now)
        mine, other = forks_of(log)
        served.log = mine
        file = tmp_path / str(point)

        def act(point: int = point, mine: ForeignLog = mine, file: Path = file) -> None:
            die_at(point)
            acknowledge(mine, 5, file)

        was_killed = is_killed(fork(act))
        was_signed = file.exists()
        signed = []
        for served.log, size in ((other, 6), (mine, 6), (other, 9)):
            signed.append(submit(served.log, size))
        if was_signed:
            assert [note is not None for note in signed] == [False, True, False], point
        assert contradictions([note for note in signed if note], (mine, other)) == [], point
        assert any(signed), point
        if not was_killed:
            assert was_signed
            break
        points += 1
    assert points > 8
