"""Witnesses of seals: who is named, who is asked, what is kept, and what the proof then says."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from raffles.domain import asking
from raffles.domain.asking import ask_witnesses
from raffles.domain.drawing import Waiting, void_raffle
from raffles.domain.keys import signer
from raffles.domain.log import LogTree, checkpoint, size, statements
from raffles.domain.pool import build_tree
from raffles.domain.proofs import published_draw, stream_proof
from raffles.domain.sealing import close
from raffles.domain.sealing import seal as seal_pool
from raffles.domain.witnesses import lacking
from raffles.fairness.verify import (
    Step,
    check_consistency,
    parse_note,
    verify,
)
from raffles.models import AuthorityKey, Draw, Entropy, Raffle, Witness, WitnessAnswer
from raffles.tests import witnessing
from raffles.tests.factories import NOW, STAFF, RaffleFactory
from raffles.tests.fairness import in_node
from raffles.tests.test_beacon_draws import (  # noqa: F401 - `relay` is a fixture
    BEFORE,
    ROUND_42,
    SEALED_AT,
    at,
    relay,
    run,
    sold_out,
)
from raffles.tests.witnessing import OPENSSL, LogWitness, Stamper
from raffles.web.witness_lists import Authority, Cosigner

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("relay")]
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is the authority of this test")
SEEN_AT = ROUND_42 - 58
FAR = "https://witness.example.org"
ONE = Cosigner("one", "11" * 32, f"{FAR}/1")
TWO = Cosigner("two", "22" * 32, f"{FAR}/2")
AUTHORITY = Authority("An authority", f"{FAR}/tsa")

Invite = Callable[..., list[LogWitness]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a silent witness three seconds, not ten."""
    monkeypatch.setattr(asking, "TOGETHER", 3.0)


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def invite(servers: ExitStack, settings: Settings) -> Invite:
    """`invite(honest, hangs)` makes witnesses that behave so, named in the settings."""

    def invite(*behaviours: witnessing.Behaviour) -> list[LogWitness]:
        witnesses = []
        for n, behaviour in enumerate(behaviours, start=1):
            witness = LogWitness(f"witness-{n}.example.org", lambda: SEEN_AT)
            witness.behave = behaviour
            servers.enter_context(witness.serving())
            witnesses.append(witness)
        settings.COSIGNERS = [witness.cosigner for witness in witnesses]
        return witnesses

    return invite


@pytest.fixture
def stamper(servers: ExitStack, settings: Settings, tmp_path: Path) -> Stamper:
    """An authority that the settings list, whose key is known, at a clock of the time of seals."""
    stamper = Stamper(tmp_path, clock=lambda: SEEN_AT)
    servers.enter_context(stamper.serving())
    settings.TIMESTAMP_AUTHORITIES = [stamper.authority]
    learn(stamper.url, stamper.key)
    return stamper


def learn(url: str, key: str, ends_at: datetime = NOW + timedelta(days=365)) -> None:
    AuthorityKey.objects.create(url=url, key=key, ends_at=ends_at, learned_at=NOW)


def seal(raffle: Raffle | None = None, moment: datetime = SEALED_AT) -> Raffle:
    """Seal a raffle for round 42, and so ask its witnesses."""
    raffle = raffle or sold_out()
    with pytest.raises(Waiting):
        run(raffle, moment)
    raffle.refresh_from_db()
    return raffle


def drawn(raffle: Raffle) -> dict[str, Any]:
    """Draw it, and return its proof."""
    assert run(raffle, at(ROUND_42))
    proof: dict[str, Any] = json.loads("".join(stream_proof(published_draw(raffle.uuid))))
    return proof


def verdict(proof: dict[str, Any], *, log: bool = True) -> str:
    """What verify.py says of a proof, and verify.js with the same words."""
    lines = b"".join(line + b"\n" for line in statements(0, size()))
    words = verify(proof, {"log": io.BytesIO(lines)} if log else {}).words
    if in_node.NODE:
        with in_node.asking() as ask:
            files = {"proof": json.dumps(proof).encode()} | ({"log": lines} if log else {})
            assert in_node.judging(ask)(files)["verdict"] == words
    return words


def told(proof: dict[str, Any]) -> list[str]:
    """What verify.py says of each witness."""
    steps: list[Step] = []
    verify(proof, {}, steps.append)
    return [step.computed for step in steps if step.name in ("witness", "authority", "stranger")]


def kept() -> list[tuple[str, int, int]]:
    """Every answer that is stored: whose, about which size, of which time."""
    return list(WitnessAnswer.objects.values_list("name", "size", "at"))


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


# --- Answers that are of no use


BAD = (
    witnessing.hangs,
    witnessing.drips,
    witnessing.talks_too_long,
    witnessing.redirects,
    witnessing.says_nothing,
    witnessing.sends_bytes,
    witnessing.is_unavailable,
    witnessing.knows_no_log,
    witnessing.speaks_no_http,
    witnessing.lies,
    witnessing.signs_another,
    witnessing.signs_as_another,
    witnessing.signs_short,
    witnessing.signs_at_the_end_of_time,
    witnessing.always_starts_again,
    witnessing.has_seen_more,
    witnessing.conflicts_in_words,
)


@pytest.mark.parametrize("behaviour", BAD, ids=lambda behaviour: behaviour.__name__)
def test_what_does_not_verify_is_logged_and_dropped_and_asked_for_again(
    behaviour: witnessing.Behaviour, invite: Invite, caplog: pytest.LogCaptureFixture
) -> None:
    (witness,) = invite(behaviour)
    raffle = seal()
    assert kept() == []
    (warning,) = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert warning.startswith("The witness witness-1.example.org: ")
    assert "\x1b" not in warning

    witness.behave = witnessing.honest
    ask_witnesses(lambda: SEALED_AT + timedelta(seconds=4))  # it has just failed
    assert kept() == []
    ask_witnesses(lambda: SEALED_AT + timedelta(seconds=6))
    assert kept() == [("witness-1.example.org", size(), SEEN_AT)]
    assert verdict(drawn(raffle)) == (
        "VALID, the only seal, witnessed before the randomness by 1 of 1"
    )


@needs_openssl
@pytest.mark.parametrize(
    "behaviour",
    [
        witnessing.hangs,
        witnessing.talks_too_long,
        witnessing.redirects,
        witnessing.says_nothing,
        witnessing.sends_bytes,
        witnessing.is_unavailable,
        witnessing.stamps_something_else,
        witnessing.repeats_itself,
        witnessing.rejects,
        witnessing.spoils,
    ],
    ids=lambda behaviour: behaviour.__name__,
)
def test_a_token_that_does_not_verify_is_dropped(
    behaviour: witnessing.Behaviour, stamper: Stamper, settings: Settings
) -> None:
    stamper.requests.append(b"")  # what `repeats_itself` answers is no request of ours
    stamper.run("-query", "-data", "certificate", "-sha256", "-out", "first")
    stamper.requests[0] = (stamper.folder / "first").read_bytes()
    stamper.behave = behaviour
    seal()
    assert kept() == []
    stamper.behave = witnessing.honest
    ask_witnesses(lambda: SEALED_AT + timedelta(seconds=6))
    assert kept() == [("An authority", size(), SEEN_AT + 1)]


@needs_openssl
def test_a_token_by_a_key_that_the_terms_do_not_name_is_dropped(
    stamper: Stamper, caplog: pytest.LogCaptureFixture
) -> None:
    raffle = sold_out()
    stamper.take_key("rsa")
    seal(raffle)
    assert kept() == []
    assert "which the terms do not name" in caplog.text


def test_of_two_lines_the_first_is_kept(invite: Invite) -> None:
    invite(witnessing.signs_twice)
    proof = drawn(seal())
    assert [each[2] for each in kept()] == [SEEN_AT]
    assert verdict(proof) == "VALID, the only seal, witnessed before the randomness by 1 of 1"


def test_an_answer_of_a_late_time_is_shown_and_does_not_count(invite: Invite) -> None:
    invite(witnessing.signs_late)
    proof = drawn(seal())
    assert verdict(proof).startswith("NOT AS PROMISED")
    assert "answered too late" in told(proof)[0]


# --- Who is asked, and when


def test_who_has_answered_is_not_asked_again(invite: Invite) -> None:
    (witness,) = invite(witnessing.honest)
    seal()
    assert lacking(SEALED_AT) == []
    ask_witnesses(lambda: SEALED_AT + timedelta(seconds=6))
    assert len(witness.requests) == 1


@pytest.mark.parametrize(("before", "is_asked"), [(5, True), (4.9, False)])
def test_nobody_is_asked_once_an_answer_would_come_too_late(
    before: float, is_asked: bool, invite: Invite
) -> None:
    (witness,) = invite(witnessing.is_unavailable)
    seal()
    ask_witnesses(lambda: at(ROUND_42 - before))
    assert len(witness.requests) == 1 + is_asked


def test_who_is_no_longer_listed_is_not_asked(invite: Invite, settings: Settings) -> None:
    (witness,) = invite(witnessing.is_unavailable)
    seal()
    key = "33" * 32
    settings.COSIGNERS = [Cosigner(witness.cosigner.name, key, witness.url)]
    assert lacking(SEALED_AT) == []


def test_the_address_is_the_one_that_is_listed_now(invite: Invite, settings: Settings) -> None:
    (witness,) = invite(witnessing.is_unavailable)
    seal()
    settings.COSIGNERS = [witness.cosigner._replace(url="http://127.0.0.1:9/moved")]
    assert [each.witness.url for each in lacking(SEALED_AT)] == ["http://127.0.0.1:9/moved"]


def test_a_raffle_that_is_called_off_waits_for_nobody(invite: Invite) -> None:
    invite(witnessing.is_unavailable)
    raffle = seal()
    void_raffle(raffle.uuid, reason="Rain", now=SEALED_AT, by=STAFF)
    assert lacking(SEALED_AT) == []


def test_a_witness_that_another_process_asks_is_left_to_it_until_its_lease_ends(
    invite: Invite,
) -> None:
    (witness,) = invite(witnessing.honest)
    until = SEALED_AT + timedelta(seconds=8)
    Witness.objects.create(url=witness.url, fence=7, leased_until=until)
    seal()
    assert witness.requests == []
    ask_witnesses(lambda: until)
    assert len(kept()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_turn_that_was_taken_over_is_not_given_back(invite: Invite) -> None:
    """Whoever comes back after the end of their lease leaves the next one's alone."""
    (witness,) = invite(witnessing.honest)
    until = SEALED_AT + timedelta(days=1)

    def is_slow(exchange: witnessing.Exchange) -> None:
        Witness.objects.update(fence=99, leased_until=until)
        connection.close()
        witnessing.honest(exchange)

    witness.behave = is_slow
    seal()
    assert len(kept()) == 1
    row = Witness.objects.get()
    assert (row.fence, row.leased_until) == (99, until)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_while_a_witness_is_asked(invite: Invite) -> None:
    """A whole seal, and so the raffle's row and the log's counter, while the witness is at it."""
    (witness,) = invite(witnessing.honest)
    others = [sold_out(), sold_out()]

    def seals_meanwhile(exchange: witnessing.Exchange) -> None:
        raffle = others.pop()
        close(raffle.pk, now=SEALED_AT, by=STAFF)
        seal_pool(raffle.pk, build_tree(raffle), clock=lambda: SEALED_AT, by=STAFF)
        void_raffle(asked.uuid, reason="Rain", now=SEALED_AT, by=STAFF)
        connection.close()
        witness.behave = witnessing.honest
        witnessing.honest(exchange)

    asked, witness.behave = others[0], seals_meanwhile
    seal(sold_out())
    assert (len(witness.signed), lacking(SEALED_AT)) == (2, [])


# --- Sizes


def test_two_raffles_of_one_second_are_both_witnessed_and_sizes_only_grow(invite: Invite) -> None:
    (witness,) = invite(witnessing.honest)
    first, second = sold_out(), sold_out()
    seal(first)
    seal(second)
    sizes = [signed.size for signed in witness.signed]
    assert (sizes, sizes[1] > sizes[0]) == (sorted(sizes), True)
    for raffle in (first, second):
        assert verdict(drawn(raffle)) == (
            "VALID, the only seal, witnessed before the randomness by 1 of 1"
        )


def test_one_answer_is_for_every_seal_before_it(invite: Invite) -> None:
    (witness,) = invite(witnessing.is_unavailable)
    first, second = sold_out(), sold_out()
    seal(first)
    seal(second)
    witness.behave = witnessing.honest
    ask_witnesses(lambda: SEALED_AT + timedelta(seconds=6))
    assert len(witness.signed) == len(kept()) == 1
    for raffle in (first, second):
        assert "by 1 of 1" in verdict(drawn(raffle))


def test_a_witness_that_has_signed_more_than_we_know_goes_on_from_there(invite: Invite) -> None:
    (witness,) = invite(witnessing.honest)
    seal()
    Witness.objects.update(size=1)  # as after a restart that lost what it said
    seal()
    first, second = witness.signed
    check_consistency(
        first.size,
        second.size,
        first.root,
        second.root,
        LogTree(second.size).consistency(first.size),
    )
    olds = [body.split(b"\n")[0] for body in witness.requests]
    assert olds == [b"old 0", b"old 1", f"old {first.size}".encode()]
    assert Witness.objects.get().size == second.size


def test_a_witness_that_lost_its_state_begins_anew(invite: Invite) -> None:
    (witness,) = invite(witnessing.honest)
    seal()
    witness.signed.clear()
    seal()
    assert len(kept()) == 2


def test_a_log_that_is_behind_its_witness_says_so(
    invite: Invite, caplog: pytest.LogCaptureFixture
) -> None:
    invite(witnessing.has_seen_more)
    seal()
    assert "has signed 1000000 statements of our log" in caplog.text
    assert "restored from a backup?" in caplog.text


def test_start_again_for_ever_is_followed_three_times(invite: Invite) -> None:
    (witness,) = invite(witnessing.always_starts_again)
    seal()
    assert len(witness.requests) == 4


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
