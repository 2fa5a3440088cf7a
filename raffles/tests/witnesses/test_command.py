"""`manage.py witnesses`: everybody is asked, keys are learned, and what is wrong is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from raffles.domain.keys import signer
from raffles.domain.log import announce_keys, size
from raffles.domain.witnesses.ours import asking
from raffles.models import AuthorityKey, Entropy, WitnessAnswer
from raffles.tests.factories import RaffleFactory
from raffles.tests.witnesses import witnessing
from raffles.tests.witnesses.witnessing import OPENSSL, LogWitness, Stamper

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(OPENSSL is None, reason="openssl is the authority of these tests"),
]
TERMS = "The terms of a raffle by the beacon that is made now:\n"


@pytest.fixture(autouse=True)
def log(settings: Settings) -> None:
    """A log with a key, as `migrate` leaves it."""
    settings.EPHEMERAL_SECRETS = frozenset()
    announce_keys(timezone.now())


@pytest.fixture
def witness(settings: Settings) -> Iterator[LogWitness]:
    witness = LogWitness("witness.example.org", lambda: int(timezone.now().timestamp()))
    settings.COSIGNERS = [witness.cosigner]
    with witness.serving():
        yield witness


@pytest.fixture
def stamper(settings: Settings, tmp_path: Path) -> Iterator[Stamper]:
    stamper = Stamper(tmp_path)
    settings.TIMESTAMP_AUTHORITIES = [stamper.authority]
    with stamper.serving():
        yield stamper


def witnesses(*arguments: str) -> tuple[int, str]:
    """Run the command; returns its exit status and what it wrote."""
    written = StringIO()
    try:
        call_command("witnesses", *arguments, stdout=written)
    except SystemExit as stop:
        return int(stop.code or 0), written.getvalue()
    return 0, written.getvalue()


def terms_in(written: str) -> dict[str, Any]:
    """The terms that it shows."""
    terms: dict[str, Any] = json.JSONDecoder().raw_decode(written.partition(TERMS)[2])[0]
    return terms


def test_all_is_well(witness: LogWitness, stamper: Stamper) -> None:
    status, written = witnesses()
    named = {
        "cosigners": [{"name": "witness.example.org", "key": witness.cosigner.key}],
        "authorities": [{"name": "An authority", "keys": [stamper.key]}],
    }
    assert status == 0
    assert f"testserver/log {signer().public_key} http://testserver/log\n" in written
    assert f"answered with the key {witness.cosigner.key}\n" in written
    assert f"answered with the key {stamper.key}\n  new, and kept;" in written
    assert terms_in(written) == named
    raffle = RaffleFactory.create(entropy=Entropy.DRAND)
    assert {name: raffle.terms()[name] for name in named} == named
    assert "  known; its certificate ends at " in witnesses()[1]
    assert [row.name for row in WitnessAnswer.objects.all()] == ["witness.example.org"]
    assert [signed.size for signed in witness.signed] == [size()] * 2


def test_nobody_is_listed() -> None:
    status, written = witnesses()
    assert (status, terms_in(written)) == (0, {"cosigners": [], "authorities": []})


def test_who_fails_is_named_with_the_reason_and_the_others_are_still_asked(
    witness: LogWitness, stamper: Stamper
) -> None:
    witness.behave = witnessing.knows_no_log
    status, written = witnesses()
    assert status == 1
    assert (
        "WARNING: witness.example.org did not answer well: it does not know our log (status 404).\n"
        in written
    )
    assert AuthorityKey.objects.get().key == stamper.key
    witness.behave = witnessing.honest
    assert witnesses()[0] == 0  # asked at once, although it has just failed


def test_an_authority_that_never_answered_is_not_in_the_terms(stamper: Stamper) -> None:
    stamper.behave = witnessing.hangs
    status, written = witnesses()
    assert (status, terms_in(written)["authorities"]) == (1, [])
    assert "WARNING: No raffle names the timestamp authority 'An authority'" in written


def test_a_clock_that_is_off_is_seen(
    witness: LogWitness, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not that of one who answered at once while another was waited for."""
    monkeypatch.setattr(asking, "TOGETHER", 12.0)
    silent = LogWitness("silent.example.org", lambda: 0)
    silent.behave = witnessing.hangs
    settings.COSIGNERS += [silent.cosigner]
    with silent.serving():
        assert "clock" not in witnesses()[1]
    settings.COSIGNERS = [witness.cosigner]
    witness.clock = lambda: int(timezone.now().timestamp()) - 300
    status, written = witnesses()
    assert status == 1
    assert "WARNING: The clock of witness.example.org is -30" in written


def test_a_certificate_that_ends_soon_is_named(settings: Settings, tmp_path: Path) -> None:
    stamper = Stamper(tmp_path, lasting=timedelta(days=29))
    settings.TIMESTAMP_AUTHORITIES = [stamper.authority]
    with stamper.serving():
        status, written = witnesses()
    assert status == 1
    assert f"WARNING: The certificate of {stamper.url} ends at " in written
    assert terms_in(written)["authorities"] == [{"name": "An authority", "keys": [stamper.key]}]


def test_a_new_key_of_an_authority_is_named_beside_the_old(stamper: Stamper) -> None:
    witnesses()
    old = stamper.key
    stamper.take_key("p384")
    (named,) = terms_in(witnesses()[1])["authorities"]
    assert set(named["keys"]) == {old, stamper.key}
    assert witnesses("--forget", old) == (
        0,
        "Forgotten. Raffles that name it already go on naming it.\n",
    )
    (named,) = terms_in(witnesses()[1])["authorities"]
    assert named["keys"] == [stamper.key]


def test_a_key_that_nobody_knows_cannot_be_forgotten() -> None:
    with pytest.raises(CommandError, match="is no key of an authority") as refused:
        witnesses("--forget", "00" * 32)
    assert refused.value.returncode == 2


def test_without_a_lasting_key_there_is_no_log_to_be_witnessed(
    settings: Settings, witness: LogWitness
) -> None:
    settings.EPHEMERAL_SECRETS = frozenset({"RECEIPT_KEY"})
    with pytest.raises(CommandError, match="Set RECEIPT_KEY") as refused:
        witnesses()
    assert (refused.value.returncode, witness.requests) == (2, [])
