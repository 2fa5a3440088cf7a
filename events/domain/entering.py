"""Taking part in the next draw of an event; whoever comes first opens its raffle.

A date that is open costs one read and the claim. What decides is in the database: one raffle for
each date, one ticket for each user of a raffle, one for each order ever.
"""

from __future__ import annotations

import hmac
import unicodedata
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
from raffles.fairness.tickets import holder_key, holder_tag
from raffles.models import EntryMode, Privacy, State, Winner

OPENED_BY = "the first ticket"
_UNSEEN = dict.fromkeys((0x200C, 0x200D, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))


@dataclass(frozen=True, slots=True)
class Participant:
    """Who asks for whom.

    ``caller`` is the address (``ip:203.0.113.7``) or the API key (``key:7``) that may ask for the
    same ticket again; ``address`` is what may hold one ticket where the event says so.
    ``order_id`` is the caller's own word for what the ticket is for, ``request_key`` an
    ``Idempotency-Key``; with an order it is not looked at.
    """

    username: str
    caller: str
    address: str
    is_partner: bool = False
    order_id: str | None = None
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A ticket of an event; ``draw_at`` is on the clocks of its zone."""

    event: Event
    username: str
    draw_at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class _Person:
    """A participant in the words of a raffle."""

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
        """Return the ticket that the order or the request has got, whichever draw it was."""
        if self.entrant.order_tag is None or self.request_key is None:
            return None
        which = Q(order_tag=self.entrant.order_tag)
        return enter_again(which, identity=self.identity, request_key=self.request_key)


def identity_of(username: str) -> str:
    """Return the identity of a user.

    Names that differ in case, form, or what is not seen by itself (joiners, variation selectors)
    are the same.
    """
    folded = unicodedata.normalize("NFKC", username.translate(_UNSEEN)).casefold()
    return f"user:{unicodedata.normalize('NFKC', folded)}"


def take_part(
    event: Event, participant: Participant, *, now: datetime, draw: ComingDraw | None = None
) -> Taken:
    """Hand the participant a ticket of the first draw after ``now``: ``draw``, when it is known.

    The same order of the same caller and user gives the same ticket again, for ever. Raises
    PartnersOnly, WonRecently, NoDraw, DrawFull, AlreadyInDraw, RequestMismatch.
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
    # The caller's own word: nobody can use up that of another, or learn that there is one.
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
    """16 bytes that stand for an order or a request of this event, without telling it."""
    message = f"once\0{event.pk}\0{once}".encode()
    return hmac.digest(ticket_key(event.ticket_key_id), message, "sha256")[:16]


def _enter_next(event: Event, draw: ComingDraw | None, person: _Person, now: datetime) -> Taken:
    """Enter the next draw; at the boundary of two, where the gate has shut, the one after."""
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
    """Return the ticket with the time of its draw; a repeat may be for another than the next."""
    if draw is None or entry.is_repeat:
        occurrence = Occurrence.objects.get(raffle__uuid=entry.raffle_id)
        return Taken(event, person.entrant.username, occurrence.local(), entry)
    return Taken(event, person.entrant.username, draw.local(), entry)


def _next_draw(event: Event, now: datetime, passed: set[date]) -> ComingDraw | None:
    draws = coming_draws([event], now=now, each=1 + len(passed))
    return next((draw for draw in draws if draw.date not in passed), None)


def _open(event: Event, person: _Person, now: datetime, passed: set[date]) -> Taken | None:
    """Make the next date's raffle with its first ticket, or neither; None if it has been made.

    Under the event's lock, since time, reward and size are those of this moment.
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
    """Return the date of the participant's last prize, if it is so recent that they rest."""
    today = local(now, event.time_zone).date()
    recent = event.occurrences.filter(
        date__gt=today - timedelta(days=event.rest_days), raffle__state=State.DRAWN
    )
    tickets = Q()
    for row in recent.select_related("raffle"):
        assert row.raffle  # noqa: S101 - it is drawn
        key = holder_key(ticket_key(row.raffle.ticket_key_id), row.raffle.uuid.bytes)
        tag = holder_tag(key, person.identity)
        # By the ticket, so that each is one look at its index.
        tickets |= Q(ticket__raffle=row.raffle, ticket__holder_tag=tag)
    if not tickets:
        return None
    has_prize = Q(prize__isnull=False) | Q(replaces__isnull=False)
    won = Winner.objects.filter(tickets).filter(has_prize, replacement=None)
    dates = won.order_by("-raffle__closes_at").values_list("raffle__occurrence__date", flat=True)
    return dates.first()


def _resting(event: Event, last: date, now: datetime) -> Refusal:
    """Why a recent winner may not take part, as far as everybody may know it.

    Anybody can ask for any name. Where names are hidden, a winner is refused as one who has a
    ticket is: in the same words, and not before a draw that is full or not planned.
    """
    if event.privacy == Privacy.FULL:
        return WonRecently(last + timedelta(days=event.rest_days))
    draw = _next_draw(event, now, set())
    if draw is None:
        return NoDraw()
    return DrawFull() if draw.participants() >= draw.max_participants else AlreadyInOrResting()
