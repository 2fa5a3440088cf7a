"""`manage.py witness_catch_up`: logs are read to their ends, and what is in the way is said."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django import Settings

from raffles.domain.refusals import LogRefused
from raffles.domain.witnesses.being_one import cosigning
from raffles.domain.witnesses.being_one.cosigning import Unsigned, cosign
from raffles.models import WitnessedLog
from raffles.tests.foreign_log import Answering, ForeignLog, Served, tiles
from raffles.web.witness_lists import WatchedLog

pytestmark = pytest.mark.django_db


@pytest.fixture
def log(settings: Settings) -> Iterator[Served]:
    """A log of a key and two seals, which we are a witness of."""
    settings.WITNESS_SEED = b"the key of a witness, 32 bytes.."
    with Served(ForeignLog().seal(1, 2)) as served:
        settings.WITNESS_LOGS = served.log.watched(served.url)
        yield served


def catch_up() -> tuple[int, str, str]:
    """The exit status, what was printed, and what went wrong."""
    out, err = StringIO(), StringIO()
    try:
        call_command("witness_catch_up", stdout=out, stderr=err, verbosity=0)
    except CommandError as error:
        return error.returncode, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_a_long_log_is_signed_at_once_afterwards(
    log: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cosigning, "BUNDLES", 1)
    log.log.seal(*range(10, 700))
    with pytest.raises(Unsigned):
        cosign(log.log.request(), clock=timezone.now)
    assert catch_up() == (0, "club.example/log: 693 entries have been read.\n", "")
    asked = len(log.asked)
    assert cosign(log.log.request(), clock=timezone.now).startswith("— testserver/witness ")
    assert len(log.asked) == asked
    assert catch_up()[0] == 0


def test_nothing_is_signed_by_reading(log: Served) -> None:
    assert catch_up()[0] == 0
    assert WitnessedLog.objects.get().size == 0


def test_a_second_seal_is_refused_by_reading(log: Served) -> None:
    log.log.seal(1)
    status, _, said = catch_up()
    flaw = f"statement 3 seals raffle {1:032x}, as statement 1 did"
    refused = f"club.example/log: This witness signs nothing more of this log: {flaw}\n"
    assert (status, said) == (1, refused)
    assert catch_up()[2] == refused
    with pytest.raises(LogRefused):
        cosign(log.log.request(), clock=timezone.now)


def only(path: str, status: int, text: bytes) -> Answering:
    """A server that answers one path so, and others honestly."""
    return lambda log, asked: (status, text) if asked == path else tiles(log, asked)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (only("/log/checkpoint", 404, b""), "/checkpoint answers 404"),
        (only("/log/checkpoint", 200, b"nothing"), "/checkpoint is not a checkpoint"),
        (only("/log/checkpoint", 200, b"\xff"), "/checkpoint is not a checkpoint"),
        (
            only("/log/checkpoint", 200, ForeignLog("other.example/log").checkpoint().encode()),
            "not signed by a key of its log that this witness knows",
        ),
        (
            only("/log/checkpoint", 200, ForeignLog(seed=b"o" * 32).checkpoint().encode()),
            "not signed by a key of its log that this witness knows",
        ),
        (only("/log/tile/entries/000.p/3", 500, b""), "/tile/entries/000.p/3 answers 500"),
    ],
)
def test_what_stands_in_the_way_is_said(log: Served, answer: Answering, said: str) -> None:
    log.answer = answer
    status, printed, error = catch_up()
    assert (status, printed) == (1, "")
    assert error.startswith("club.example/log: ")
    assert said in error


def test_one_log_that_is_away_does_not_keep_the_others_from_being_read(
    log: Served, settings: Settings
) -> None:
    away = WatchedLog("away.example/log", ("ab" * 32,), "http://127.0.0.1:9/log")
    settings.WITNESS_LOGS = {away.origin: away} | settings.WITNESS_LOGS
    status, printed, error = catch_up()
    assert (status, printed) == (1, "club.example/log: 3 entries have been read.\n")
    where = f"{away.url}/checkpoint"
    assert error == f"away.example/log: {where} cannot be had (ConnectionRefusedError)\n"
