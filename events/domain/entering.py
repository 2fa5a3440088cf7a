"""Entering the next draw of an event; whoever comes first opens its raffle.

On an open date it costs one read and the claim. The database holds the rules: one raffle per
date, one ticket per user in a raffle, one ticket per order ever.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from events.domain.calendar import ComingDraw, coming_draws, locked_event
from events.domain.refusals import (
    AlreadyInDraw,
    AlreadyInOrResting,
    DrawFull,
    NoDraw,
    PartnersOnly,
    WonRecently,
)
from events.models import Event, Occurrence
from events.schedule import local
from raffles.domain.creating import create_raffle
from raffles.domain.entering import Entrant, Entry, enter, enter_again
from raffles.domain.keys import ticket_key
from raffles.domain.refusals import (
    AlreadyEntered,
    GateShut,
    OrderUsed,
    Refusal,
    RequestMismatch,
    SoldOut,
)
from raffles.fairness.tickets import fold, holder_key, holder_tag
from raffles.models import EntryMode, Privacy, State, Winner

OPENED_BY = "the first ticket"


@dataclass(frozen=True, slots=True)
class Participant:
    """Who asks for a ticket, and for whom.

    `caller` is the address (`ip:203.0.113.7`) or the API key (`key:7`), whose repeated request gets
    the same ticket; `address` may hold one ticket where the event says so. `order_id` is the
    caller's own name for what the ticket is for, `request_key` an `Idempotency-Key`, ignored with
    an order.
    """

    username: str
    caller: str
    address: str
    is_partner: bool = False
    order_id: str | None = None
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A ticket of an event; `draw_at` is in the draw's time zone."""

    event: Event
    username: str
    draw_at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class _Person:
    """A participant in a raffle's terms."""

    identity: str
    request_key: str | None
    entrant: Entrant

    def enter(self, raffle_id: UUID, now: datetime) -> Entry:
        return enter(
            raffle_id,
            identity=self.identity,
            now=now,
            request_key=self.request_key,
            entrant=self.entrant,
        )

    def enter_again(self) -> Entry | None:
        """Return the ticket that the order or request got before, in any draw; None without one."""
        if self.entrant.order_tag is None or self.request_key is None:
            return None
        which = Q(order_tag=self.entrant.order_tag)
        return enter_again(which, identity=self.identity, request_key=self.request_key)


def identity_of(username: str) -> str:
    """Return the identity of a user, `user:` and the name as names are compared."""
    return f"user:{fold(username)}"


def take_part(
    event: Event, participant: Participant, *, now: datetime, draw: ComingDraw | None = None
) -> Taken:
    """Hand the participant a ticket of the first draw after `now`, which is `draw` if it is known.

    The same order or request of the same caller and user gets the same ticket again, for ever.
    Raises PartnersOnly, WonRecently, NoDraw, DrawFull, AlreadyInDraw, RequestMismatch.
    """
    if event.entry == Event.Entry.PARTNER and not participant.is_partner:
        raise PartnersOnly
    person = _person(event, participant)
    try:
        return _enter_next(event, draw, person, now)
    except OrderUsed:
        raise (AlreadyInDraw if participant.order_id else RequestMismatch) from None
    except AlreadyEntered:
        is_hidden = event.rest_days and event.privacy != Privacy.FULL
        raise (AlreadyInOrResting if is_hidden else AlreadyInDraw) from None
    except SoldOut as refusal:
        raise (refusal if isinstance(refusal, DrawFull) else DrawFull) from None


def _person(event: Event, participant: Participant) -> _Person:
    # With the caller in it: nobody can use up another caller's order, or learn that it exists.
    once = None
    if participant.order_id is not None:
        once = f"order\0{participant.caller}\0{participant.order_id}"
    elif participant.request_key is not None:
        once = f"key\0{participant.caller}\0{participant.request_key}"
    return _Person(
        identity=identity_of(participant.username),
        request_key=once,
        entrant=Entrant(
            username=participant.username,
            order_tag=_once_tag(event, once) if once else None,
            address=participant.address if event.one_per_address else None,
        ),
    )


def _once_tag(event: Event, once: str) -> bytes:
    """Return 16 bytes that identify an order or request of this event without revealing it."""
    message = f"once\0{event.pk}\0{once}".encode()
    return hmac.digest(ticket_key(event.ticket_key_id), message, "sha256")[:16]


def _enter_next(event: Event, draw: ComingDraw | None, person: _Person, now: datetime) -> Taken:
    """Enter the next draw, or the one after it if its gate shuts at this moment."""
    if event.rest_days and (last := _last_win(event, person, now)):
        if entry := person.enter_again():
            return _taken(event, person, entry)
        raise _resting(event, last, now)
    passed: set[date] = set()
    while draw := draw or _next_draw(event, now, passed):
        try:
            if taken := _enter(event, draw, person, now, passed):
                return taken
            event = Event.objects.get(
                pk=event.pk
            )  # somebody opened the date, or changed the schedule
        except GateShut:
            if passed:
                raise
            passed.add(draw.date)
        draw = None
    if entry := person.enter_again():
        return _taken(event, person, entry)
    raise NoDraw


def _enter(
    event: Event, draw: ComingDraw, person: _Person, now: datetime, passed: set[date]
) -> Taken | None:
    if draw.occurrence is None or draw.occurrence.raffle is None:
        return _open(event, person, now, passed)
    return _taken(event, person, person.enter(draw.occurrence.raffle.uuid, now), draw)


def _taken(event: Event, person: _Person, entry: Entry, draw: ComingDraw | None = None) -> Taken:
    """Return the ticket with its draw's time; that of a repeat may not be the next draw."""
    if draw is None or entry.is_repeat:
        occurrence = Occurrence.objects.get(raffle__uuid=entry.raffle_id)
        return Taken(event, person.entrant.username, occurrence.local(), entry)
    return Taken(event, person.entrant.username, draw.local(), entry)


def _next_draw(event: Event, now: datetime, passed: set[date]) -> ComingDraw | None:
    draws = coming_draws([event], now=now, each=1 + len(passed))
    return next((draw for draw in draws if draw.date not in passed), None)


def _open(event: Event, person: _Person, now: datetime, passed: set[date]) -> Taken | None:
    """Create the next date's raffle with its first ticket, or neither; None if it exists already.

    The event is locked, since the raffle takes its time, reward and size from this moment.
    """
    with transaction.atomic():
        event = locked_event(event.pk)
        draw = _next_draw(event, now, passed)
        if draw is None or draw.occurrence is not None:
            return None
        raffle = create_raffle(
            name=f"{event.name}, {draw.date}",
            total_tickets=draw.max_participants,
            prizes=[(draw.reward.reward_name, draw.reward.reward_amount)],
            entropy=settings.DRAW_ENTROPY,
            closes_at=draw.draw_at,
            time_zone=draw.time_zone,
            event_slug=event.slug,
            privacy=Privacy(event.privacy),
            entry=EntryMode.PARTNER if event.entry == Event.Entry.PARTNER else EntryMode.USERNAME,
            claim=event.claim_terms(),
            now=now,
            by=OPENED_BY,
        )
        Occurrence.objects.create(
            event=event,
            date=draw.date,
            draw_at=draw.draw_at,
            time_zone=draw.time_zone,
            raffle=raffle,
            max_participants=draw.max_participants,
            **draw.reward.reward(),
        )
        entry = person.enter(raffle.uuid, now)
        if entry.is_repeat:  # of an earlier draw, so this date still has no ticket
            transaction.set_rollback(True)
    return _taken(event, person, entry, draw)


def _last_win(event: Event, person: _Person, now: datetime) -> date | None:
    """Return the date of the participant's last prize, if they have to rest after it still."""
    today = local(now, event.time_zone).date()
    recent = event.occurrences.filter(
        date__gt=today - timedelta(days=event.rest_days), raffle__state=State.DRAWN
    )
    tickets = Q()
    for row in recent.select_related("raffle"):
        assert row.raffle  # noqa: S101 - it is drawn
        key = holder_key(ticket_key(row.raffle.ticket_key_id), row.raffle.uuid.bytes)
        tag = holder_tag(key, person.identity)
        # By ticket, so that each is one index lookup.
        tickets |= Q(ticket__raffle=row.raffle, ticket__holder_tag=tag)
    if not tickets:
        return None
    has_prize = Q(prize__isnull=False) | Q(replaces__isnull=False)
    won = Winner.objects.filter(tickets).filter(has_prize, replacement=None)
    dates = won.order_by("-raffle__closes_at").values_list("raffle__occurrence__date", flat=True)
    return dates.first()


def _resting(event: Event, last: date, now: datetime) -> Refusal:
    """Return why a recent winner may not take part, as far as everybody may know it.

    Anybody can ask about any name. Where names are hidden, a winner gets the same refusal as the
    holder of a ticket, and only if the draw is neither full nor missing.
    """
    if event.privacy == Privacy.FULL:
        return WonRecently(last + timedelta(days=event.rest_days))
    draw = _next_draw(event, now, set())
    if draw is None:
        return NoDraw()
    return DrawFull() if draw.participants() >= draw.max_participants else AlreadyInOrResting()
