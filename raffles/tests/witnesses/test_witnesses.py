"""Witnesses of seals: whom terms name, and what a proof then says."""

from __future__ import annotations

import base64
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from pytest_django import Settings

from raffles.domain.drawing import void_raffle
from raffles.domain.keys import signer
from raffles.domain.log import LogTree, checkpoint, size
from raffles.domain.witnesses.ours.asking import ask_witnesses
from raffles.fairness.verify import (
    parse_note,
)
from raffles.models import Draw, Entropy, Raffle, WitnessAnswer
from raffles.tests.factories import NOW, STAFF, RaffleFactory
from raffles.tests.pages.visiting import text_of, visitor
from raffles.tests.test_beacon_draws import (
    BEFORE,
    ROUND_42,
    SEALED_AT,
    at,
    run,
    sold_out,
)
from raffles.tests.witnesses import witnessing
from raffles.tests.witnesses.acting import (
    SEEN_AT,
    Invite,
    drawn,
    learn,
    seal,
    told,
    verdict,
)
from raffles.tests.witnesses.witnessing import OPENSSL, LogWitness, Stamper
from raffles.web.witness_lists import Authority, Cosigner

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("relay")]
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is the authority of this test")
FAR = "https://witness.example.org"
ONE = Cosigner("one", "11" * 32, f"{FAR}/1")
TWO = Cosigner("two", "22" * 32, f"{FAR}/2")
AUTHORITY = Authority("An authority", f"{FAR}/tsa")

# --- Terms


def test_terms_by_the_beacon_name_who_is_listed_when_the_raffle_is_made(settings: Settings) -> None:
    settings.COSIGNERS, settings.TIMESTAMP_AUTHORITIES = [ONE, TWO], [AUTHORITY]
    learn(AUTHORITY.url, "aa" * 32)
    raffle = RaffleFactory.create(entropy=Entropy.DRAND)
    settings.COSIGNERS, settings.TIMESTAMP_AUTHORITIES = [], []
    raffle.refresh_from_db()
    terms = raffle.terms()
    assert terms["cosigners"] == [
        {"name": "one", "key": "11" * 32},
        {"name": "two", "key": "22" * 32},
    ]
    assert terms["authorities"] == [{"name": "An authority", "keys": ["aa" * 32]}]


def test_terms_without_a_beacon_name_nobody(settings: Settings) -> None:
    settings.COSIGNERS = [ONE]
    terms = RaffleFactory.create().terms()
    assert (terms["cosigners"], terms["authorities"]) == ([], [])


def test_terms_are_frozen_with_their_witnesses_by_the_first_ticket(settings: Settings) -> None:
    settings.COSIGNERS = [ONE]
    raffle = RaffleFactory.create(entropy=Entropy.DRAND, tickets=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Raffle.objects.filter(pk=raffle.pk).update(witnesses={})


def test_an_authority_of_unknown_keys_is_not_named_and_a_warning_says_so(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TIMESTAMP_AUTHORITIES = [AUTHORITY]
    learn(AUTHORITY.url, "aa" * 32, ends_at=NOW)  # its certificate has just ended
    assert RaffleFactory.create(entropy=Entropy.DRAND).terms()["authorities"] == []
    (warning,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert "authority 'An authority'" in warning.getMessage()
    assert "manage.py witnesses" in warning.getMessage()


def test_no_two_authorities_are_named_with_one_key(settings: Settings) -> None:
    twin = Authority("Twin", f"{FAR}/twin")
    settings.TIMESTAMP_AUTHORITIES = [AUTHORITY, twin]
    learn(AUTHORITY.url, "aa" * 32)
    learn(twin.url, "aa" * 32)
    learn(twin.url, "bb" * 32)
    assert RaffleFactory.create(entropy=Entropy.DRAND).terms()["authorities"] == [
        {"name": "An authority", "keys": ["aa" * 32]},
        {"name": "Twin", "keys": ["bb" * 32]},
    ]


def test_a_cosigner_with_our_key_is_not_named(settings: Settings) -> None:
    settings.COSIGNERS = [Cosigner("ours", signer().public_key, FAR), ONE]
    named = RaffleFactory.create(entropy=Entropy.DRAND).terms()["cosigners"]
    assert [cosigner["name"] for cosigner in named] == ["one"]


def test_at_most_eight_keys_of_an_authority_are_named_the_longest_valid(settings: Settings) -> None:
    settings.TIMESTAMP_AUTHORITIES = [AUTHORITY]
    for n in range(10):
        learn(AUTHORITY.url, f"{n:064x}", ends_at=NOW + timedelta(days=10 - n))
    (named,) = RaffleFactory.create(entropy=Entropy.DRAND).terms()["authorities"]
    assert named["keys"] == [f"{n:064x}" for n in range(8)]


# --- Verdicts


def test_a_majority_of_cosigners_witnesses_the_only_seal(invite: Invite) -> None:
    invite(witnessing.honest, witnessing.honest, witnessing.hangs)
    proof = drawn(seal())
    assert verdict(proof) == "VALID, the only seal, witnessed before the randomness by 2 of 3"
    assert verdict(proof, log=False) == "VALID, witnessed before the randomness by 2 of 3"
    assert [line.partition(", ")[2] for line in told(proof)] == [
        "58 s before the randomness (as the operator named it)",
        "58 s before the randomness (as the operator named it)",
        "no answer (as the operator named it)",
    ]


def test_half_of_the_cosigners_are_no_majority(invite: Invite) -> None:
    invite(witnessing.honest, witnessing.is_unavailable)
    assert verdict(drawn(seal())) == (
        "NOT AS PROMISED: the winners follow, but only 1 of 2 witnesses saw the seal in time"
    )


def test_without_any_answer_the_newest_checkpoint_is_shown(invite: Invite) -> None:
    invite(witnessing.hangs)
    raffle = seal()
    void_raffle(RaffleFactory.create().uuid, reason="Rain", now=SEALED_AT, by=STAFF)
    newest = size()
    proof = drawn(raffle)
    (shown,) = proof["log"]["checkpoints"]
    assert parse_note(shown["checkpoint"]).size == newest
    assert verdict(proof) == (
        "NOT AS PROMISED: the winners follow, but only 0 of 1 witnesses saw the seal in time"
    )


@needs_openssl
def test_an_authority_alone_says_that_the_seal_is_older(stamper: Stamper) -> None:
    proof = drawn(seal())
    assert verdict(proof) == ("VALID, older than the randomness by the word of 1 of 1 authorities")
    assert [line.split(", ")[1] for line in told(proof)] == [
        "57 s before the randomness (as the operator named it)"  # a second of accuracy
    ]


@needs_openssl
def test_cosigners_and_authorities_answer_for_one_checkpoint(
    invite: Invite, stamper: Stamper
) -> None:
    invite(witnessing.honest)
    proof = drawn(seal())
    (checkpoint,) = proof["log"]["checkpoints"]
    assert len(checkpoint["tokens"]) == 1
    assert len(told(proof)) == 2
    assert verdict(proof) == "VALID, the only seal, witnessed before the randomness by 1 of 1"


def test_nobody_is_asked_about_a_raffle_that_the_operator_draws(
    invite: Invite, settings: Settings
) -> None:
    (witness,) = invite(witnessing.honest)
    raffle = RaffleFactory.create(tickets=3, now=BEFORE)
    assert run(raffle, SEALED_AT)
    assert witness.requests == []


def test_the_log_of_a_proof_is_frozen_when_it_is_drawn(invite: Invite) -> None:
    (witness,) = invite(witnessing.is_unavailable)
    raffle = seal()
    before = drawn(raffle)["log"]
    witness.behave = witnessing.honest
    ask_witnesses(lambda: at(ROUND_42 + 10))
    assert Draw.objects.get(raffle=raffle).log == before
    assert len(witness.requests) == 1


def test_a_proof_has_sixteen_checkpoints_at_most_and_every_cosigner_in_them(
    settings: Settings, tmp_path: Path
) -> None:
    """Sixteen cosigners and sixteen authorities, each about a checkpoint of its own."""
    witnesses = [LogWitness(f"w{n}", lambda: SEEN_AT) for n in range(16)]
    settings.COSIGNERS = [witness.cosigner for witness in witnesses]
    authorities = [Authority(f"a{n}", f"{FAR}/{n}") for n in range(16)]
    settings.TIMESTAMP_AUTHORITIES = authorities
    for n, authority in enumerate(authorities):
        learn(authority.url, f"{n:064x}")
    raffle = sold_out()
    settings.COSIGNERS, settings.TIMESTAMP_AUTHORITIES = [], []
    seal(raffle)
    for witness in witnesses:
        void_raffle(RaffleFactory.create().uuid, reason="Rain", now=SEALED_AT, by=STAFF)
        tree = LogTree(size())
        text = checkpoint(tree).partition("\n\n")[0] + "\n"
        line = witness.signer.cosign(text, SEEN_AT).split()[2]
        row = {"size": tree.size, "root": tree.root(), "at": SEEN_AT}
        WitnessAnswer.objects.create(
            kind="cosignature",
            name=witness.cosigner.name,
            key=witness.cosigner.key,
            content=base64.b64decode(line)[4:],
            **row,
        )
    for n, authority in enumerate(authorities):
        void_raffle(RaffleFactory.create().uuid, reason="Rain", now=SEALED_AT, by=STAFF)
        tree = LogTree(size())
        row = {"size": tree.size, "root": tree.root(), "at": SEEN_AT}
        WitnessAnswer.objects.create(
            kind="token", name=authority.name, key=f"{n:064x}", content=b"0", **row
        )
    proof = drawn(raffle)
    assert len(proof["log"]["checkpoints"]) == 16
    assert verdict(proof) == "VALID, the only seal, witnessed before the randomness by 16 of 16"


# --- While a raffle waits


def test_page_of_a_sealed_raffle_says_who_has_witnessed_so_far(invite: Invite) -> None:
    invite(witnessing.honest, witnessing.is_unavailable)
    raffle = seal()
    page = reverse("pages:raffle", args=[raffle.uuid])
    first, second = "witness-1.example.org 58 seconds before the number", "witness-2.example.org"
    assert f"so far: {first}; {second} not yet." in said_on(page)
    drawn(raffle)
    assert "so far" not in said_on(page)


def said_on(page: str) -> str:
    """What a page says, with its quotes close to their words."""
    return text_of(visitor().get(page)).replace(" ;", ";").replace(" .", ".")
