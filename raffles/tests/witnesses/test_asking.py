"""Asking witnesses: what is dropped, who is asked and when, and in which sizes."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from raffles.domain.drawing import void_raffle
from raffles.domain.log import LogTree, size
from raffles.domain.pool import build_tree
from raffles.domain.sealing import close
from raffles.domain.sealing import seal as seal_pool
from raffles.domain.witnesses.ours import asking
from raffles.domain.witnesses.ours.asking import PAUSE, ask_witnesses
from raffles.domain.witnesses.ours.named import disagreeing, lacking
from raffles.fairness.verify import (
    check_consistency,
)
from raffles.models import Witness
from raffles.tests.api.test_database_away import database_away
from raffles.tests.factories import STAFF
from raffles.tests.test_beacon_draws import (
    ROUND_42,
    SEALED_AT,
    at,
    sold_out,
)
from raffles.tests.witnesses import witnessing
from raffles.tests.witnesses.acting import (
    SEEN_AT,
    Invite,
    drawn,
    kept,
    seal,
    told,
    verdict,
)
from raffles.tests.witnesses.witnessing import OPENSSL, Signed, Stamper
from raffles.web.witness_lists import Cosigner

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("relay")]
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is the authority of this test")


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


def test_no_draw_fails_with_a_fault_of_ours(
    invite: Invite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(_tree: LogTree) -> str:
        raise RuntimeError("a fault")

    invite(witnessing.honest)
    monkeypatch.setattr(asking, "checkpoint", fault)
    raffle = seal()
    assert "Asking the witnesses failed" in caplog.text
    assert "0 of 1" in verdict(drawn(raffle))


@pytest.mark.django_db(transaction=True)
def test_without_a_database_it_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with database_away():
        asking.ask_witnesses(lambda: SEALED_AT)
    assert [(one.levelname, one.exc_info) for one in caplog.records] == [("WARNING", None)]


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
    assert disagreeing() == ["witness-1.example.org"]


def test_a_log_that_its_witness_knows_otherwise_says_so_until_it_is_the_same_again(
    invite: Invite, caplog: pytest.LogCaptureFixture
) -> None:
    (witness,) = invite(witnessing.honest)
    seal()
    own = witness.signed[-1]
    witness.signed[-1] = Signed(own.size, b"another root, of as many bytes..")
    ask_witnesses(lambda: SEALED_AT)
    assert disagreeing() == []  # it has answered for every seal and is not asked
    seal()
    assert f"the first {own.size} statements that it signed are not those of our log" in caplog.text
    assert disagreeing() == ["witness-1.example.org"]
    witness.signed[-1] = own
    ask_witnesses(lambda: SEALED_AT + PAUSE)
    assert disagreeing() == []


@pytest.mark.parametrize("signs_since", [False, True])
def test_another_log_of_the_same_size_is_no_place_to_start_again(
    signs_since: bool, invite: Invite
) -> None:
    (witness,) = invite(witnessing.honest)
    seal()
    length = size() + 2 * signs_since

    def has_another(exchange: witnessing.Exchange) -> None:
        exchange.send(409, witnessing.SIZE, f"{length}\n".encode())

    witness.behave = has_another
    witness.requests.clear()
    seal()
    assert len(witness.requests) == 1 + signs_since
    assert disagreeing() == ["witness-1.example.org"]


def test_start_again_for_ever_is_followed_three_times(invite: Invite) -> None:
    (witness,) = invite(witnessing.always_starts_again)
    seal()
    assert len(witness.requests) == 4
