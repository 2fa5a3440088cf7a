"""Each "never" of the database, broken on purpose behind the domain's back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F

from raffles.domain.locking import violated
from raffles.models import (
    Announcement,
    AuthorityKey,
    Contact,
    Delivery,
    Draw,
    Endpoint,
    Exclusion,
    Handover,
    Invitation,
    Lineage,
    LogEntry,
    LogNode,
    Outbox,
    Pool,
    Prize,
    Raffle,
    Replacement,
    Rules,
    SentMail,
    SkippedEntry,
    State,
    StreamCounter,
    Stripe,
    Ticket,
    Winner,
    Witness,
    WitnessAnswer,
    WitnessedLog,
    WitnessedSeal,
)
from raffles.tests.factories import NOW, STAFF, RaffleFactory

Change = Callable[[Raffle], object]
OPEN, CLOSED, SEALED, DRAWN, VOID = State
SOLD_OUT = Announcement.Kind.SOLD_OUT
ON_POSTGRESQL = connection.vendor == "postgresql"


# --- What is done to a raffle --------------------------------------------------------------


def rows(model: type[models.Model], raffle: Raffle) -> models.QuerySet[Any]:
    """Return the rows of `model` that belong to the raffle."""
    key = "pk" if model is Raffle else "raffle"
    return model._default_manager.filter(**{key: raffle.pk})


def update(model: type[models.Model], **values: Any) -> Change:
    """Return a bare UPDATE of the raffle's rows."""
    return lambda raffle: rows(model, raffle).update(**values)


def delete(model: type[models.Model]) -> Change:
    """Return a bare DELETE of the raffle's rows, without Django's own protection."""
    return partial(_delete, model)


def _delete(model: type[models.Model], raffle: Raffle) -> None:
    rows(model, raffle)._raw_delete(using="default")


def insert(model: type[models.Model], **values: Any) -> Change:
    """Return a bare INSERT of a row of the raffle."""
    return lambda raffle: model(raffle=raffle, **values).save(force_insert=True)


def again(model: type[models.Model], **changes: Any) -> Change:
    """Return a bare INSERT of the raffle's first row again, with some other values."""

    def copy(raffle: Raffle) -> None:
        row = rows(model, raffle).order_by("pk")[0]
        row.pk, row._state.adding = None, True
        for name, value in changes.items():
            setattr(row, name, value)
        row.save(force_insert=True)

    return copy


def replace(*, by_rank: int = 2, reason: str = "Did not come") -> Change:
    """Return a replacement of the first winner."""

    def write(raffle: Raffle) -> None:
        winner, alternate = (raffle.winners.get(rank=rank) for rank in (1, by_rank))
        Replacement.objects.create(
            raffle=raffle,
            winner=winner,
            alternate=alternate,
            prize=raffle.prizes.get(),
            reason=reason,
            replaced_at=NOW,
            actor=STAFF,
        )

    return write


def without_guard(name: str) -> Change:
    """Take away the guard that stands before a constraint, until the test is rolled back."""

    def drop(_raffle: Raffle) -> None:
        on = " ON raffles_raffle" if ON_POSTGRESQL else ""
        with connection.cursor() as cursor:
            if ON_POSTGRESQL:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(f"DROP TRIGGER {name}{on}")

    return drop


LATER = NOW + timedelta(days=1)


def invite(**values: Any) -> Change:
    """Return a bare INSERT of an invitation."""
    row = {"batch": bytes(16), "n": 0, "code_tag": bytes(16), "made_at": NOW, "made_by": STAFF}
    return insert(Invitation, **row | values)


def mail_to(*, place: int = 0) -> Change:
    """Return a bare INSERT of a mail within the hour."""
    row = {"address_tag": bytes(16), "place": place, "sent_at": NOW}
    return lambda _raffle: SentMail.objects.create(**row)


def hand_over(**moments: Any) -> Change:
    """Return what became of the first winner's prize, written once more for every call."""

    def write(raffle: Raffle) -> None:
        first = raffle.winners.get(rank=1)
        if not Handover.objects.filter(winner=first).update(**moments):
            Handover.objects.create(winner=first, **moments)

    return write


def announced_name(name: str) -> Change:
    """Return a change that names a winner in the draw's announcement."""

    def write(raffle: Raffle) -> None:
        row = raffle.announcements.get(kind=Announcement.Kind.DRAWN)
        row.payload["winners"][0]["username"] = name
        row.save(update_fields=["payload"])

    return write


def winner(rank: int, slot: int) -> Change:
    """Return a winner of rank and slot, without a prize."""
    return insert(Winner, rank=rank, slot=slot, index=slot, leaf=b"leaf")


# --- What must refuse it -------------------------------------------------------------------


def asked(**fields: Any) -> Change:
    """Return a change that adds an endpoint."""
    fields = {"created_at": NOW} | (fields or {"address": "https://example.org"})
    return lambda _: Endpoint.objects.create(**fields)


def told(by_rank: int | None = None, **fields: Any) -> Change:
    """Return a delivery of the raffle's first announcement, about a winner or not."""

    def tell(raffle: Raffle) -> None:
        Delivery.objects.create(
            endpoint=Endpoint.objects.get(),
            announcement=rows(Announcement, raffle).order_by("sequence")[0],
            winner=raffle.winners.get(rank=by_rank) if by_rank else None,
            created_at=NOW,
            next_try_at=NOW,
            **fields,
        )

    return tell


def log_node() -> Change:
    """Return a change that stores a node of the log's tree."""
    return lambda _: LogNode.objects.create(level=8, index=0, hash=b"h" * 32)


def _other_hash(_raffle: Raffle) -> None:
    LogNode.objects.update(hash=b"o" * 32)


def _no_nodes(_raffle: Raffle) -> None:
    LogNode.objects.all()._raw_delete(using="default")


def witnessed(**fields: Any) -> Change:
    """A log is known to us as its witness, signed up to three statements."""
    fields = {"origin": "club.example/log", "size": 3, "root": b"r" * 32} | fields
    return lambda _: WitnessedLog.objects.create(**fields)


def of_witnessed(**values: Any) -> Change:
    """One bare UPDATE of what we know of it."""
    return lambda _: WitnessedLog.objects.update(**values)


def _no_witnessed(_raffle: Raffle) -> None:
    WitnessedLog.objects.all()._raw_delete(using="default")


def _witnessed_seal(raffle: Raffle) -> None:
    WitnessedSeal.objects.create(log=WitnessedLog.objects.get(), raffle_uuid=raffle.uuid, n=1)


@dataclass(frozen=True)
class Break:
    """`name` refuses the last of `changes` to a raffle in `state`; those before are lawful.

    `tickets` of its three are given out: by default none while it is open or void, else all.
    """

    name: str
    state: State
    changes: tuple[Change, ...]
    tickets: int | None = None

    def is_deletion(self) -> bool:
        """Return whether only PostgreSQL guards it; on SQLite it would break the tests' flush."""
        return self.name.endswith(("_kept", "_delete"))


def broken(name: str, state: State, *changes: Change, tickets: int | None = None) -> Break:
    """Return one way to break `name`."""
    return Break(name, state, changes, tickets)


ANOTHER = {"uuid": uuid.UUID(int=1)}
ENTRANT: dict[str, Any] = {
    "slot": 9,
    "holder_tag": b"holder",
    "code_tag": b"code",
    "issued_at": NOW,
    "username": "alice",
    "order_tag": b"order",
    "address_tag": b"address",
}
REQUEST = {"request_tag": b"tag", "request_digest": b"digest"}
RANDOM = {"randomness": b"r" * 32, "drawn_at": NOW}
CALLED_OFF = {"voided_at": NOW, "void_reason": "Called off", "void_signature": b"s" * 64}
COMMITTED = {
    "closed_at": NOW,
    "commitment_hash": b"h" * 32,
    "public_key": "ab" * 32,
    "signature": b"s" * 64,
    "statement": 9,
}


def skipped() -> Change:
    """An entry that a draw passes over."""
    return insert(SkippedEntry, step=0, slot=0, index=0, leaf=b"leaf")


def authority_key() -> Change:
    """A key of an authority."""
    facts = {"url": "https://tsa.example.org", "key": "ab" * 32}
    return lambda _: AuthorityKey.objects.create(**facts, ends_at=NOW, learned_at=NOW)


def answer(**changes: Any) -> Change:
    """What a witness said about a checkpoint."""
    facts = {"kind": "token", "name": "one", "key": "ab" * 32, "size": 1, "root": b"r", "at": 1}
    return lambda _: WitnessAnswer.objects.create(**facts | changes, content=b"c")


_EXCLUDED = {"tag": b"tag", "kind": "user", "reason": "Staff", "created_at": NOW}


def excluded(**values: Any) -> Change:
    """Return a bare INSERT of an exclusion."""
    return lambda _: Exclusion.objects.create(**_EXCLUDED | values)


def ruled(text: str = "Be fair.") -> Change:
    """Return a bare INSERT of rules."""
    return lambda _: Rules.objects.create(hash="ab" * 32, text=text, created_at=NOW)


BREAKS = (
    # A raffle
    broken("raffle_has_tickets", OPEN, again(Raffle, **ANOTHER, total_tickets=0)),
    broken("raffle_has_tickets", OPEN, again(Raffle, **ANOTHER, total_tickets=10_000_001)),
    broken("raffle_alternates_within_limit", OPEN, update(Raffle, alternates=1_001)),
    broken(
        "raffle_state_is_known",
        OPEN,
        without_guard("raffle_starts_open"),
        again(Raffle, **ANOTHER, state="lost"),
    ),
    broken("raffle_entropy_is_known", OPEN, update(Raffle, entropy="dice")),
    broken("raffle_entry_is_known", OPEN, update(Raffle, entry="queue")),
    broken("raffle_privacy_is_known", OPEN, update(Raffle, privacy="most")),
    broken("raffle_void_has_reason", OPEN, update(Raffle, void_reason="A whim")),
    broken("raffle_void_has_reason", SEALED, update(Raffle, state=VOID)),
    broken("raffle_void_has_reason", SEALED, update(Raffle, state=VOID, voided_at=NOW)),
    broken("raffle_created_once", OPEN, update(Raffle, **REQUEST), again(Raffle, **ANOTHER)),
    broken("raffle_opens_before_it_closes", OPEN, update(Raffle, opens_at=NOW, closes_at=NOW)),
    broken("raffle_tickets_per_holder_within_limit", OPEN, update(Raffle, tickets_per_holder=0)),
    broken(
        "raffle_tickets_per_holder_within_limit", OPEN, update(Raffle, tickets_per_holder=10**6 + 1)
    ),
    broken(
        "raffle_max_wins_per_holder_within_limit",
        OPEN,
        update(Raffle, max_wins_per_holder=10**6 + 1),
    ),
    broken("raffle_request_is_whole", OPEN, update(Raffle, request_tag=b"tag")),
    broken("raffle_moves_forward", CLOSED, update(Raffle, state=OPEN)),
    broken("raffle_moves_forward", SEALED, update(Raffle, state=CLOSED)),
    broken("raffle_sealed_has_draw", CLOSED, update(Raffle, state=SEALED)),
    broken("raffle_drawn_has_randomness", SEALED, update(Raffle, state=DRAWN)),
    broken("raffle_shuts_its_gate", OPEN, update(Raffle, state=CLOSED)),
    broken("raffle_shuts_its_gate", OPEN, update(Raffle, state=CLOSED), tickets=2),
    broken("raffle_starts_open", OPEN, again(Raffle, **ANOTHER, state=CLOSED)),
    broken("raffle_identity_fixed", OPEN, update(Raffle, total_tickets=4)),
    broken("raffle_identity_fixed", OPEN, update(Raffle, numbering_key=b"k" * 32)),
    broken("raffle_series_fixed", OPEN, update(Raffle, event_slug="daily")),
    broken("raffle_terms_frozen", OPEN, update(Raffle, name="Other"), tickets=1),
    broken("raffle_terms_frozen", OPEN, update(Raffle, closes_at=NOW), tickets=1),
    broken("raffle_terms_frozen", CLOSED, update(Raffle, alternates=2)),
    broken("raffle_terms_frozen", OPEN, update(Raffle, operator="other.example/log"), tickets=1),
    broken("raffle_terms_frozen", OPEN, update(Raffle, entry="partner"), tickets=1),
    broken("raffle_terms_frozen", OPEN, update(Raffle, witnesses={"cosigners": []}), tickets=1),
    broken("raffle_terms_frozen", OPEN, update(Raffle, tickets_per_holder=2), tickets=1),
    broken("raffle_terms_frozen", OPEN, update(Raffle, max_wins_per_holder=1), tickets=1),
    broken("raffle_terms_frozen", OPEN, update(Raffle, opens_at=NOW), tickets=1),
    broken("raffle_terms_frozen", OPEN, update(Raffle, rules_hash="ab" * 32), tickets=1),
    broken("raffle_finished_unchangeable", DRAWN, update(Raffle, created_by="Nobody")),
    broken("raffle_finished_unchangeable", DRAWN, update(Raffle, max_wins_per_holder=1)),
    broken("raffle_finished_unchangeable", DRAWN, update(Raffle, witnesses={"cosigners": []})),
    broken("raffle_finished_unchangeable", VOID, update(Raffle, void_reason="Other")),
    # Its prizes
    broken("prize_position_once", OPEN, again(Prize)),
    broken("prize_amount_positive", OPEN, update(Prize, amount=0)),
    broken("prizes_within_tickets", OPEN, again(Prize, position=2, amount=3)),
    broken("prizes_still_within_tickets", OPEN, update(Prize, amount=4)),
    broken("prizes_frozen_insert", OPEN, again(Prize, position=2), tickets=1),
    broken("prizes_frozen_insert", VOID, again(Prize, position=2)),
    broken("prizes_frozen", OPEN, update(Prize, name="Bicycle"), tickets=1),
    broken("prizes_frozen", VOID, update(Prize, name="Bicycle")),
    broken("prizes_frozen", OPEN, update(Prize, picture="https://a.example/b"), tickets=1),
    broken("prizes_frozen_delete", OPEN, delete(Prize), tickets=1),
    broken("prizes_frozen_delete", VOID, delete(Prize)),
    # Its pool
    broken("stripe_once", OPEN, again(Stripe)),
    broken("stripe_issued_within_capacity", OPEN, update(Stripe, issued=F("cap") + 1)),
    broken("stripe_gate_only_shuts", CLOSED, update(Stripe, cap=F("cap") + 1)),
    broken("stripe_gate_only_shuts", OPEN, update(Stripe, issued=F("issued") - 1), tickets=3),
    broken("stripe_gate_only_shuts", OPEN, update(Stripe, lo=F("lo") + 1)),
    broken("stripe_kept", OPEN, delete(Stripe), tickets=3),
    broken("ticket_slot_once", OPEN, again(Ticket, holder_tag=b"other"), tickets=1),
    broken("ticket_holder_nth_once", OPEN, again(Ticket, slot=9), tickets=1),
    broken(
        "ticket_keeps_tags_or_leaf",
        OPEN,
        update(Ticket, holder_tag=None, code_tag=None),
        tickets=1,
    ),
    broken("ticket_keeps_tags_or_leaf", OPEN, update(Ticket, code_tag=None), tickets=1),
    broken(
        "ticket_channel_is_known", OPEN, again(Ticket, slot=9, nth=1, channel="luck"), tickets=1
    ),
    broken("ticket_unchangeable", OPEN, update(Ticket, nth=1), tickets=1),
    broken("ticket_unchangeable", OPEN, update(Ticket, channel="paid"), tickets=1),
    broken("ticket_unchangeable", OPEN, update(Ticket, slot=F("slot") + 9), tickets=1),
    broken("ticket_unchangeable", OPEN, update(Ticket, holder_tag=b"other"), tickets=1),
    broken("ticket_unchangeable", OPEN, update(Ticket, code_tag=b"other"), tickets=1),
    broken("ticket_unchangeable", OPEN, update(Ticket, request_tag=b"other"), tickets=1),
    broken(
        "ticket_unchangeable", OPEN, update(Ticket, issued_at=NOW.replace(year=2000)), tickets=1
    ),
    broken(
        "ticket_unchangeable",
        OPEN,
        update(Ticket, leaf_hash=b"leaf"),
        update(Ticket, leaf_hash=b"other"),
        tickets=1,
    ),
    broken(
        "ticket_order_once",
        OPEN,
        insert(Ticket, **ENTRANT | {"address_tag": None}),
        insert(Ticket, **ENTRANT | {"slot": 8, "holder_tag": b"other", "address_tag": b"other"}),
    ),
    broken(
        "ticket_address_once",
        OPEN,
        insert(Ticket, **ENTRANT | {"order_tag": None}),
        insert(Ticket, **ENTRANT | {"slot": 8, "holder_tag": b"other", "order_tag": b"other"}),
    ),
    broken("ticket_entrant_unchangeable", OPEN, update(Ticket, username="bob"), tickets=1),
    broken("ticket_entrant_unchangeable", OPEN, update(Ticket, address_tag=b"tag"), tickets=1),
    broken(
        "ticket_entrant_unchangeable",
        OPEN,
        insert(Ticket, **ENTRANT),
        update(Ticket, order_tag=None),
    ),
    broken("ticket_kept", OPEN, delete(Ticket), tickets=1),
    broken("pool_is_not_empty", CLOSED, insert(Pool, tickets=0, root=b"root", levels=b"root")),
    broken("pool_unchangeable", SEALED, update(Pool, root=b"other")),
    broken("pool_kept", SEALED, delete(Pool)),
    # Its draws
    broken("draw_drawn_is_whole", SEALED, update(Draw, drawn_at=NOW)),
    broken("draw_drawn_is_whole", SEALED, update(Draw, randomness=b"r" * 32)),
    broken("draw_drawn_is_whole", SEALED, update(Draw, **RANDOM, **CALLED_OFF)),
    broken("draw_beacon_is_whole", SEALED, update(Draw, **RANDOM, beacon_signature=b"s" * 48)),
    broken(
        "draw_beacon_is_whole",
        CLOSED,
        insert(Draw, **COMMITTED, **RANDOM, round=1_000),
    ),
    broken("draw_void_has_reason", SEALED, update(Draw, **CALLED_OFF | {"void_reason": ""})),
    broken("draw_void_has_reason", SEALED, update(Draw, **CALLED_OFF | {"void_signature": None})),
    broken("draw_void_has_reason", SEALED, update(Draw, void_reason="A whim")),
    broken("draw_seal_unchangeable", SEALED, update(Draw, commitment_hash=b"other")),
    broken("draw_seal_unchangeable", SEALED, update(Draw, closed_at=NOW.replace(year=2000))),
    broken("draw_seal_unchangeable", SEALED, update(Draw, round=1_000)),
    broken("draw_seal_unchangeable", SEALED, update(Draw, public_key="ab" * 32)),
    broken("draw_seal_unchangeable", SEALED, update(Draw, signature=b"s" * 64)),
    broken("draw_seal_unchangeable", SEALED, update(Draw, statement=F("statement") + 1)),
    broken("draw_finished_unchangeable", DRAWN, update(Draw, randomness=b"r" * 32)),
    broken(
        "draw_finished_unchangeable",
        SEALED,
        update(Draw, **CALLED_OFF),
        update(Draw, void_reason="Other"),
    ),
    broken("draw_kept", SEALED, delete(Draw)),
    broken("winner_rank_once", SEALED, winner(1, 0), winner(1, 1)),
    broken("winner_ticket_once", SEALED, winner(1, 0), winner(2, 0)),
    broken("winner_rank_positive", SEALED, winner(0, 0)),
    broken("winner_is_ticket_of_raffle", SEALED, winner(1, 3)),
    broken("winners_before_drawn", CLOSED, winner(1, 0)),
    broken("skipped_step_once", SEALED, skipped(), skipped()),
    broken("skipped_before_drawn", DRAWN, skipped()),
    broken("skipped_unchangeable", SEALED, skipped(), update(SkippedEntry, index=1)),
    broken("skipped_kept", SEALED, skipped(), delete(SkippedEntry)),
    broken("winner_unchangeable", DRAWN, update(Winner, rank=F("rank") + 9)),
    broken("winner_kept", DRAWN, delete(Winner)),
    broken("replacement_has_reason", DRAWN, replace(reason="")),
    broken("replacement_is_another", DRAWN, replace(by_rank=1)),
    broken("replacement_unchangeable", DRAWN, replace(), update(Replacement, reason="Other")),
    broken("replacement_kept", DRAWN, replace(), delete(Replacement)),
    broken("raffle_claim_terms_frozen", OPEN, update(Raffle, claim_days=7), tickets=1),
    broken("raffle_claim_terms_frozen", OPEN, update(Raffle, promotes_alternates=True), tickets=1),
    broken("raffle_claim_terms_frozen", CLOSED, update(Raffle, claim_place="Elsewhere")),
    broken("handover_after_claim", DRAWN, hand_over(handed_over_at=NOW)),
    broken(
        "handover_or_forfeit",
        DRAWN,
        hand_over(claimed_at=NOW, handed_over_at=NOW),
        hand_over(forfeited_at=NOW),
    ),
    broken("handover_unchangeable", DRAWN, hand_over(claim_until=NOW), hand_over(claim_until=None)),
    broken(
        "handover_unchangeable",
        DRAWN,
        hand_over(claimed_at=NOW),
        hand_over(claimed_at=NOW.replace(year=2000)),
    ),
    broken("handover_unchangeable", DRAWN, hand_over(notified_at=NOW), hand_over(notified_at=None)),
    broken(
        "handover_unchangeable", DRAWN, hand_over(claim_until=LATER), hand_over(claim_until=NOW)
    ),
    broken(
        "handover_unchangeable",
        DRAWN,
        hand_over(claim_until=NOW, claimed_at=NOW),
        hand_over(claim_until=LATER),
    ),
    broken(
        "handover_unchangeable",
        DRAWN,
        hand_over(claimed_at=NOW, handed_over_at=NOW),
        hand_over(handed_over_at=LATER),
    ),
    broken(
        "handover_kept",
        DRAWN,
        hand_over(notified_at=NOW),
        lambda _: Handover.objects.all()._raw_delete(using="default"),
    ),
    broken("act_unchangeable", OPEN, lambda _: LogEntry.objects.update(by="Nobody")),
    broken("act_kept", OPEN, lambda _: LogEntry.objects.all()._raw_delete(using="default")),
    # What is announced
    broken("announcement_unchangeable", SEALED, update(Announcement, payload={})),
    broken("announcement_unchangeable", DRAWN, announced_name("Eve")),
    broken(
        "announcement_unchangeable",
        SEALED,
        update(Announcement, announced_at=NOW.replace(year=2000)),
    ),
    broken("announcement_kept", SEALED, delete(Announcement)),
    broken("stream_counter_one", OPEN, lambda _: StreamCounter.objects.create(pk=2)),
    broken(
        "announced_once",
        SEALED,
        again(Announcement, kind=SOLD_OUT, sequence=99, statement=b"another"),
    ),
    broken(
        "announced_once",
        SEALED,
        again(Announcement, kind=Announcement.Kind.SEALED, sequence=99, statement=b"another"),
    ),
    broken(
        "announcement_kind_is_known",
        SEALED,
        again(Announcement, kind="draw.delayed", sequence=99, statement=b"another"),
    ),
    broken("announcement_unchangeable", SEALED, update(Announcement, statement=b"another")),
    broken("log_node_once", OPEN, log_node(), log_node()),
    broken("log_node_unchangeable", OPEN, log_node(), _other_hash),
    broken("log_node_kept", OPEN, log_node(), _no_nodes),
    # What we have seen of others' logs
    broken("witnessed_log_once", OPEN, witnessed(), witnessed()),
    broken("witnessed_log_refused_for_a_flaw", OPEN, witnessed(refused_at=NOW)),
    broken("witnessed_log_never_back", OPEN, witnessed(), of_witnessed(size=2)),
    broken("witnessed_log_never_back", OPEN, witnessed(), of_witnessed(root=b"o" * 32)),
    broken("witnessed_log_never_back", OPEN, witnessed(), of_witnessed(origin="other/log")),
    broken(
        "witnessed_log_never_back",
        OPEN,
        witnessed(flaw="a second seal", refused_at=NOW),
        of_witnessed(refused_at=None),
    ),
    broken("witnessed_log_kept", OPEN, witnessed(), _no_witnessed),
    broken("witnessed_seal_once", OPEN, witnessed(), _witnessed_seal, _witnessed_seal),
    # Ways in
    broken("invitation_code_once", OPEN, invite(), invite(n=1)),
    broken("invitation_batch_once", OPEN, invite(), invite(code_tag=b"1" * 16)),
    broken("invitation_has_tickets", OPEN, invite(tickets=0)),
    broken("invitation_channel_is_known", OPEN, invite(channel="pigeon")),
    broken("invitation_used_or_withdrawn", OPEN, invite(used_at=NOW, withdrawn_at=NOW)),
    broken(
        "invitation_used_or_withdrawn_stays",
        OPEN,
        invite(used_at=NOW),
        lambda _: Invitation.objects.update(used_at=None),
    ),
    broken("sent_mail_place_once", OPEN, mail_to(), mail_to()),
    broken("sent_mail_within_limit", OPEN, mail_to(place=3)),
    # Who witnesses it
    broken("witness_has_size", OPEN, lambda _: Witness.objects.create(url="one", size=-1)),
    broken("authority_key_once", OPEN, *[authority_key()] * 2),
    broken("witness_answer_once", OPEN, answer(), answer(at=2)),
    broken("witness_answer_kind_is_known", OPEN, answer(kind="rumour")),
    broken("witness_answer_has_checkpoint", OPEN, answer(size=0)),
    broken(
        "witness_answer_unchangeable",
        OPEN,
        answer(),
        lambda _: WitnessAnswer.objects.update(at=2),
    ),
    broken(
        "witness_answer_kept",
        OPEN,
        answer(),
        lambda _: WitnessAnswer.objects.all()._raw_delete(using="default"),
    ),
    broken("outbox_one", OPEN, lambda _: Outbox.objects.create(pk=2)),
    broken("lineage_one", OPEN, lambda _: Lineage.objects.create(pk=2)),
    broken("lineage_begins_in_an_epoch", OPEN, lambda _: Lineage.objects.create(pk=1, since=2)),
    broken(
        "lineage_breaks_in_an_epoch", OPEN, lambda _: Lineage.objects.create(pk=1, unbroken_since=2)
    ),
    broken("lineage_state_is_known", OPEN, lambda _: Lineage.objects.create(pk=1, state="lost")),
    broken("endpoint_channel_is_known", OPEN, asked(channel="pigeon", address="a@example.org")),
    broken("endpoint_has_address", OPEN, asked(channel="webhook")),
    broken("endpoint_has_address", OPEN, asked(channel="winners", address="a@example.org")),
    broken("endpoint_winners_one", OPEN, asked(channel="winners"), asked(channel="winners")),
    broken("delivery_once", SEALED, asked(), told(), told()),
    broken("delivery_once_a_winner", DRAWN, asked(), told(by_rank=1), told(by_rank=1)),
    broken("delivery_state_is_known", SEALED, asked(), told(state="lost")),
    broken("contact_ticket_once", OPEN, *[insert(Contact, slot=1, email="a@example.org")] * 2),
    # Who may not enter, and what who enters accepts
    broken("exclusion_everywhere_once", OPEN, *[excluded()] * 2),
    broken("exclusion_from_event_once", OPEN, *[excluded(event_slug="daily")] * 2),
    broken("exclusion_from_raffle_once", OPEN, *[insert(Exclusion, **_EXCLUDED)] * 2),
    broken("exclusion_has_one_scope", OPEN, insert(Exclusion, event_slug="daily", **_EXCLUDED)),
    broken("exclusion_has_reason", OPEN, excluded(reason="")),
    broken("exclusion_kind_is_known", OPEN, excluded(kind="postman")),
    broken("rules_say_something", OPEN, ruled(text="")),
    broken("rules_unchangeable", OPEN, ruled(), lambda _: Rules.objects.update(text="Other")),
    broken("rules_kept", OPEN, ruled(), lambda _: Rules.objects.all()._raw_delete(using="default")),
)


CONSTRAINTS = tuple(
    (model, constraint)
    for model in apps.get_app_config("raffles").get_models()
    for constraint in model._meta.constraints
)
UNIQUE_BY_COLUMNS = {
    ", ".join(
        f"{model._meta.db_table}.{model._meta.get_field(field).attname}"  # type: ignore[union-attr]
        for field in constraint.fields
    ): constraint.name
    for model, constraint in CONSTRAINTS
    if isinstance(constraint, models.UniqueConstraint)
}


@pytest.mark.django_db
@pytest.mark.parametrize("break_", BREAKS, ids=lambda break_: break_.name)
def test_database_refuses(break_: Break) -> None:
    if break_.is_deletion() and not ON_POSTGRESQL:
        pytest.skip("SQLite guards no deletion: foreign keys do, and verify_draw sees the rest")
    raffle = RaffleFactory.create(state=break_.state, tickets=break_.tickets)
    *lawful, unlawful = break_.changes
    for change in lawful:
        change(raffle)
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        unlawful(raffle)
    assert name_of(refused.value) == break_.name


def name_of(error: IntegrityError) -> str:
    """Return the violated constraint or guard; for a unique constraint SQLite names columns."""
    return UNIQUE_BY_COLUMNS.get(
        str(error).partition("UNIQUE constraint failed: ")[2], violated(error)
    )


@pytest.mark.django_db
def test_every_constraint_and_guard_is_broken_above() -> None:
    constraints = {constraint.name for _, constraint in CONSTRAINTS}
    broken_here = {break_.name for break_ in BREAKS if ON_POSTGRESQL or not break_.is_deletion()}
    assert broken_here == constraints | triggers() | {"winner_is_ticket_of_raffle"}


def triggers() -> set[str]:
    """Return the triggers on our tables, as the database knows them."""
    statement = (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal "
        "AND tgrelid::regclass::text LIKE 'raffles%'"
        if ON_POSTGRESQL
        else "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'raffles%'"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return {name for (name,) in cursor.fetchall()}
