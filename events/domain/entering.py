"""Entering the next draw of an event; whoever comes first opens its raffle.

On an open date it costs one read and the claim. The database holds the rules: one raffle per
date, one ticket per user in a raffle, one ticket per order ever.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
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
from raffles.domain import identities
from raffles.domain.claiming import Entrant
from raffles.domain.creating import Request, create_raffle
from raffles.domain.entering import Entry, enter, enter_again
from raffles.domain.entering_lists import enter_list
from raffles.domain.keys import held_key, ticket_key
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import (
    AlreadyEntered,
    BadLines,
    GateShut,
    OrderUsed,
    Refusal,
    RequestMismatch,
    SoldOut,
)
from raffles.fairness.tickets import holder_key, holder_tag
from raffles.models import Channel, EntryMode, Privacy, Raffle, State, Winner

OPENED_BY = "the first ticket"


@dataclass(frozen=True, slots=True)
class Participant:
    """Who asks for a ticket, and for whom.

    `caller` is the address (`ip:203.0.113.7`) or the API key (`key:7`), whose repeated request gets
    the same ticket; `address` may hold one ticket where the event says so. `order_id` is the
    caller's own name for what the ticket is for, `request_key` an `Idempotency-Key`, ignored with
    an order, `accepts` the hash of the rules that the user accepts.
    """

    username: str
    caller: str
    address: str
    is_partner: bool = False
    order_id: str | None = None
    request_key: str | None = None
    accepts: str | None = None


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
    channel: Channel | None
    accepts: str | None

    def may_enter(self, draw: ComingDraw) -> bool:
        """Return whether the draw takes those who come as this person does."""
        return self.channel == Channel.PARTNER or not draw.is_for_partners()

    def enter(self, raffle_id: UUID, now: datetime) -> Entry:
        return enter(
            raffle_id,
            identity=self.identity,
            now=now,
            request_key=self.request_key,
            entrant=self.entrant,
            channel=self.channel,
            accepts=self.accepts,
        )

    def enter_again(self) -> Entry | None:
        """Return the ticket that the order or request got before, in any draw; None without one."""
        if self.entrant.order_tag is None or self.request_key is None:
            return None
        which = Q(order_tag=self.entrant.order_tag)
        return enter_again(which, identity=self.identity, request_key=self.request_key)


def take_part(
    event: Event, participant: Participant, *, now: datetime, draw: ComingDraw | None = None
) -> Taken:
    """Hand the participant a ticket of the first draw after `now`, which is `draw` if it is known.

    The same order or request of the same caller and user gets the same ticket again, for ever.
    Raises PartnersOnly, WonRecently, NoDraw, DrawFull, AcceptRules, Excluded, AlreadyInDraw,
    RequestMismatch.
    """
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
        identity=identities.of_user(participant.username),
        request_key=once,
        entrant=Entrant(
            username=participant.username,
            order_tag=_once_tag(event, once) if once else None,
            address=participant.address if event.one_per_address else None,
            caller=None if participant.is_partner else participant.address,
        ),
        channel=Channel.PARTNER if participant.is_partner else None,
        accepts=participant.accepts,
    )


def _once_tag(event: Event, once: str) -> bytes:
    """Return 16 bytes that identify an order or request of this event without revealing it."""
    message = f"once\0{event.pk}\0{once}".encode()
    return hmac.digest(ticket_key(event.ticket_key_id), message, "sha256")[:16]


def _enter_next(event: Event, draw: ComingDraw | None, person: _Person, now: datetime) -> Taken:
    """Enter the next draw, or the one after it if its gate shuts at this moment."""
    passed: set[date] = set()
    while True:
        draw = draw or _next_draw(event, now, passed)
        if refusal := _why_not(event, draw, person, now):
            if entry := person.enter_again():
                return _taken(event, person, entry)
            raise refusal
        assert draw  # noqa: S101 - without one there is a refusal
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


def _why_not(
    event: Event, draw: ComingDraw | None, person: _Person, now: datetime
) -> Refusal | None:
    """Return what keeps the person out of the draw, however many tickets it has left."""
    # First of all: strangers to a draw of partners' learn nothing about names.
    if draw and not person.may_enter(draw):
        return PartnersOnly()
    if event.rest_days and (last := _last_win(event, person.identity, now)):
        return _resting(event, last, now)
    return None if draw else NoDraw()


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
    """Create the next date's raffle with its first ticket, or neither.

    None if it exists already, or takes others now: the event's rules may have changed. The event
    is locked, since the raffle takes its time, reward and size from this moment.
    """
    with transaction.atomic():
        event = locked_event(event.pk)
        draw = _next_draw(event, now, passed)
        if draw is None or draw.occurrence is not None or not person.may_enter(draw):
            return None
        raffle = _make(event, draw, now)
        entry = person.enter(raffle.uuid, now)
        if entry.is_repeat:  # of an earlier draw, so this date still has no ticket
            transaction.set_rollback(True)
    return _taken(event, person, entry, draw)


def _make(event: Event, draw: ComingDraw, now: datetime) -> Raffle:
    """Create the raffle of a date of a locked event, for its first ticket."""
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
        **event.holder_terms(),
        rules_hash=event.rules_hash or "",
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
    return raffle


@dataclass(frozen=True, slots=True)
class Listed:
    """Tickets of a list of users by name, and their draw's time in its time zone."""

    draw_at: datetime
    raffle_id: UUID
    entered: dict[str, list[Entry]]


def enter_users(
    event: Event,
    lines: Sequence[Line],
    *,
    now: datetime,
    by: str,
    channel: Channel,
    request: Request | None = None,
) -> Listed:
    """Enter users in the first draw after `now`, all or none; there is at least one line.

    A repeated `request` gets the same tickets, for ever. Raises NoDraw, DrawFull (fewer are left
    than asked for), BadLines, RequestMismatch.
    """
    how: dict[str, Any] = {"now": now, "by": by, "channel": channel, "request": request}
    passed: set[date] = set()
    once = None
    if request is not None:
        once = _once_tag(event, f"entries\0{request.caller}\0{request.key}")
    while True:
        try:
            with transaction.atomic():
                event = locked_event(event.pk)
                row = _entered_before(event, once) or _opened(event, lines, now, passed)
                assert row.raffle  # noqa: S101 - it has tickets, or is to get them now
                entered = enter_list(
                    row.raffle.uuid, lines, **how, order_tag=once, through_event=True
                )
                return Listed(row.local(), row.raffle.uuid, entered)
        except GateShut:
            if passed:
                raise DrawFull from None
            passed.add(row.date)
        except SoldOut as refusal:
            raise (refusal if isinstance(refusal, DrawFull) else DrawFull()) from None


def _entered_before(event: Event, once: bytes | None) -> Occurrence | None:
    """Return the date that the request with this tag entered; None for a new one."""
    if once is None:
        return None
    entered = event.occurrences.filter(raffle__tickets__order_tag=once)
    return entered.select_related("raffle").first()


def _opened(event: Event, lines: Sequence[Line], now: datetime, passed: set[date]) -> Occurrence:
    """Return the next date of a locked event with its raffle, which it may get now."""
    _refuse_resting(event, lines, now)
    draw = _next_draw(event, now, passed)
    if draw is None:
        raise NoDraw
    if draw.occurrence is None or draw.occurrence.raffle is None:
        _make(event, draw, now)
    return event.occurrences.select_related("raffle").get(date=draw.date)


def _refuse_resting(event: Event, lines: Sequence[Line], now: datetime) -> None:
    """Raise BadLines for users who won too recently."""
    if not event.rest_days:
        return
    faults = [
        (line.number, str(_resting(event, last, now)))
        for line in lines
        if (last := _last_win(event, identities.of_user(line.holder), now))
    ]
    if faults:
        raise BadLines(faults, len(faults))


def _last_win(event: Event, identity: str, now: datetime) -> date | None:
    """Return the date of the participant's last prize, if they have to rest after it still."""
    today = local(now, event.time_zone).date()
    recent = event.occurrences.filter(
        date__gt=today - timedelta(days=event.rest_days), raffle__state=State.DRAWN
    )
    tickets = Q()
    for row in recent.select_related("raffle"):
        assert row.raffle  # noqa: S101 - it is drawn
        if (key := held_key(row.raffle.ticket_key_id)) is None:  # or nobody could enter any more
            continue
        tag = holder_tag(holder_key(key, row.raffle.uuid.bytes), identity)
        # By ticket, so that each is one index lookup.
        tickets |= Q(ticket__raffle=row.raffle, ticket__holder_tag=tag)
    if not tickets:
        return None
    won = Winner.objects.filter(tickets).holding()
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
