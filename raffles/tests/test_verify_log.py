"""`manage.py verify_log`: a log that is whole, and each way in which it is not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from pytest_django import Settings

from raffles.domain import log
from raffles.domain.announcing import announce
from raffles.domain.prizes import replace_winner
from raffles.fairness.verify import make_statement, read_statement
from raffles.models import Announcement, Draw, LogNode, Raffle, Replacement, State, StreamCounter
from raffles.tests.factories import NOW, STAFF, RaffleFactory

pytestmark = pytest.mark.django_db

NOBODY = {"event": "daily", "name": "Daily", "reason": "Nobody took part"}
HASHES: dict[str, Any] = {
    "commitment_hash": "0" * 64,
    "reason_hash": hashlib.sha256(b"Nobody").hexdigest(),
}
Change = Callable[[], object]


def verify_log() -> tuple[int, list[str]]:
    """The exit status, and the lines."""
    out = StringIO()
    try:
        call_command("verify_log", stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def make_log() -> None:
    """Statements of every kind: 0 key, 1 sold_out, 2 sealed, 3 drawn, 4 replaced, 5 voided, ..."""
    raffle = RaffleFactory.create(state=State.DRAWN)
    number = raffle.winners.get(rank=1).ticket_number()
    replace_winner(raffle.uuid, ticket_number=number, reason="Ill", now=NOW, by=STAFF)
    RaffleFactory.create(state=State.VOID)
    nobody_came(1)


def nobody_came(times: int) -> None:
    for _ in range(times):
        with transaction.atomic():
            announce(Announcement.Kind.VOIDED, None, NOBODY, at=NOW, by=STAFF, **HASHES)


def unguarded(*models: Any) -> None:
    """Take the guards of tables away, until the test is rolled back."""
    with connection.cursor() as cursor:
        for table in (model._meta.db_table for model in models):
            if connection.vendor == "postgresql":
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                continue
            about = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s"
            cursor.execute(about, [table])
            for (name,) in cursor.fetchall():
                cursor.execute(f"DROP TRIGGER {name}")


def restated(n: int, *changes: tuple[bytes, bytes]) -> Change:
    """Statement `n` with other words."""

    def write() -> None:
        row = Announcement.objects.get(sequence=n + 1)
        for old, new in changes:
            assert old in bytes(row.statement)
            row.statement = bytes(row.statement).replace(old, new)
        row.save()

    return write


def sold_out_instead() -> None:
    row = Announcement.objects.get(sequence=6)
    said = read_statement(bytes(row.statement))
    about = {name: said[name] for name in ("origin", "n", "at", "raffle_id")}
    row.statement = make_statement("sold_out", **about)
    row.save()


def swap() -> None:
    Announcement.objects.filter(sequence=3).update(sequence=99)
    Announcement.objects.filter(sequence=4).update(sequence=3)
    Announcement.objects.filter(sequence=99).update(sequence=4)


def without(n: int) -> Change:
    return lambda: Announcement.objects.filter(sequence=n + 1)._raw_delete(using="default")


def updated(model: Any, **values: object) -> Change:
    return lambda: model.objects.update(**values)


ORIGIN, OTHER = b"testserver/log", b"otherserver/log"
AT = str(int(NOW.timestamp())).encode()
WRONG: dict[str, tuple[Change, str]] = {
    "another byte": (restated(2, (b'"at"', b' "at"')), "statement 2 is not the canonical bytes"),
    "another number": (restated(2, (b'"n":2', b'"n":7')), "statement 2 says that it is number 7"),
    "another log": (restated(2, (ORIGIN, OTHER)), "statement 2 is of another log, otherserver/log"),
    "an older time": (restated(3, (AT, b"1700000000")), "statement 3 is older than the one before"),
    "no key first": (
        restated(0, (b'"kind":"key"', b'"kind":"key_retired"')),
        "statement 0 is the first, and no key",
    ),
    "another kind": (sold_out_instead, "statement 5 is sold_out, and its row draw.voided"),
    "another order": (swap, "statement 2 says that it is number 3"),
    "a gap": (without(6), "the counter is at 7"),
    "a gap within": (without(1), "statement 1 is row 3 of the list, not 2"),
    "a counter ahead": (updated(StreamCounter, last=8), "the counter is at 8"),
    "other randomness": (
        updated(Draw, randomness=b"r" * 32),
        "statement 3, drawn: it was drawn by",
    ),
    "another seal": (
        updated(Draw, commitment_hash=b"h" * 32),
        "statement 2, sealed: the commitment",
    ),
    "another key": (
        updated(Draw, public_key="ab" * 32),
        "statement 2, sealed: it was signed by a key that was not announced",
    ),
    "another close": (
        updated(Draw, closed_at=NOW.replace(year=2020)),
        "statement 2, sealed: the draw was closed at",
    ),
    "another place": (updated(Draw, statement=1), "statement 2, sealed: the raffle was sealed by"),
    "another reason": (
        updated(Replacement, reason="Other"),
        "statement 4, replaced: another reason",
    ),
    "no replacement": (
        lambda: Replacement.objects.all()._raw_delete(using="default"),
        "statement 4, replaced: there is no such replacement",
    ),
    "another reason of a void": (
        lambda: Raffle.objects.filter(state=State.VOID).update(void_reason="Other"),
        "statement 5, voided: another reason is stored",
    ),
    "a void that nobody stated": (
        lambda: Raffle.objects.filter(state=State.DRAWN).update(
            state=State.VOID, voided_at=NOW, void_reason="A whim"
        ),
        "2 raffles or replacements are voided, and 1 are in the log",
    ),
}


def test_a_whole_log() -> None:
    assert verify_log() == (
        0,
        [f"0 statements of testserver/log, root {hashlib.sha256(b'').hexdigest()}."],
    )
    make_log()
    root = log.LogTree(7).root().hex()
    assert verify_log() == (0, [f"7 statements of testserver/log, root {root}."])


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name: str) -> None:
    change, words = WRONG[name]
    make_log()
    unguarded(Announcement, Draw, Raffle, Replacement)
    change()
    returncode, lines = verify_log()
    assert returncode == 1
    assert [line for line in lines if line.startswith(words)], lines


def test_kept_nodes_are_recomputed() -> None:
    make_log()
    nobody_came(520)
    assert verify_log()[0] == 0
    unguarded(LogNode)
    LogNode.objects.filter(index=1).update(hash=b"h" * 32)
    status, lines = verify_log()
    assert (status, lines) == (1, ["node 1 of level 8 is not the one over the statements"])


def test_missing_and_superfluous_nodes() -> None:
    nobody_came(257)
    unguarded(LogNode)
    LogNode.objects.all()._raw_delete(using="default")
    LogNode.objects.create(level=16, index=0, hash=b"h" * 32)
    status, lines = verify_log()
    assert (status, lines) == (
        1,
        [
            "node 0 of level 8 is not the one over the statements",
            "1 nodes are kept of levels that the tree does not have",
        ],
    )


def test_a_checkpoint_that_no_announced_key_signs(settings: Settings) -> None:
    make_log()
    settings.RECEIPT_SEEDS = [b"n" * 32]
    assert verify_log() == (1, ["no key that could sign the checkpoint is announced"])
