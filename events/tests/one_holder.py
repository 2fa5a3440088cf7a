"""One holder and many clients at once, by every way in: do they get what the terms allow?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time
from functools import partial
from itertools import chain
from typing import Any
from uuid import uuid4

from events.domain.entering import Participant, enter_users, take_part
from events.domain.refusals import AlreadyInDraw
from events.domain.scheduling import schedule_event
from events.models import Event
from raffles.domain.confirming import confirm, offer_ticket
from raffles.domain.creating import Request
from raffles.domain.entering import Entry, enter, tickets_of
from raffles.domain.entering_lists import create_from_list, enter_list
from raffles.domain.identities import of_entrant
from raffles.domain.inviting import enter_by_invitation, make_invitations
from raffles.domain.paper_tickets import print_tickets
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import AlreadyEntered, BadLines, InvitationUsed, MailEntered
from raffles.models import Channel, Raffle, Ticket
from raffles.tests.factories import NOW, STAFF, RaffleFactory
from raffles.tests.nothing_lost.harness import at_once, flaws

MOST = 3  # tickets that a holder may have
_REQUESTS = 8  # each sent by several clients
_REFUSED = (AlreadyEntered, MailEntered, InvitationUsed, BadLines, AlreadyInDraw)

Ask = Callable[[int], Sequence[Entry]]


def faults_of_a_round(way: str, threads: ThreadPoolExecutor, clients: int) -> list[str]:
    """Let so many clients, a thread each, ask at once by that way; return what was wrong."""
    before = Ticket.objects.count(), Raffle.objects.count()
    ask = WAYS[way]()
    outcomes = at_once(threads, *(partial(ask, n) for n in range(clients)))
    tickets, raffles = Ticket.objects.count() - before[0], Raffle.objects.count() - before[1]
    got = [each for each in outcomes if isinstance(each, list)]
    told = {(entry.raffle_id, entry.ticket_number) for entry in chain(*got)}
    wrong = [repr(each) for each in outcomes if not isinstance(each, (list, *_REFUSED))]
    if (raffles, tickets, len(told)) != (1, MOST, MOST):
        wrong.append(f"{raffles} raffles, {tickets} tickets, {len(told)} acknowledged")
    for raffle in Raffle.objects.filter(uuid__in={raffle_id for raffle_id, _ in told}):
        wrong += flaws(raffle)
    return [f"{way}: {each}" for each in wrong]


def _raffle(entry: str) -> Raffle:
    return RaffleFactory.create(entry=entry, total_tickets=100, tickets_per_holder=MOST)


def _key(n: int) -> str:
    return f"request {n % _REQUESTS}"


def _by_address() -> Ask:
    raffle = _raffle("address")
    return lambda n: [enter(raffle.uuid, identity="ip:203.0.113.7", now=NOW, request_key=_key(n))]


def _by_mailed_link() -> Ask:
    raffle = _raffle("email")
    offers = [offer_ticket(raffle.uuid, address="a@example.org", now=NOW) for _ in range(8)]
    return lambda n: [
        confirm(raffle.uuid, confirmation=offers[n % len(offers)].confirmation, now=NOW)
    ]


def _by_invitation() -> Ask:
    raffle = _raffle("invitation")
    asked: dict[str, Any] = {"batch": "batch", "amount": 1, "tickets": MOST}
    (code,) = make_invitations(raffle.uuid, **asked, now=NOW, by=STAFF)
    return lambda n: enter_by_invitation(
        raffle.uuid, code=code, now=NOW, request_key=_key(n) if n % 2 else None
    )


def _by_paper() -> Ask:
    """Print one batch: its tickets have a holder each."""
    raffle = _raffle("address")
    return lambda _: (
        print_tickets(raffle.uuid, batch="batch", amount=MOST, now=NOW, by=STAFF)[1].entries
    )


def _by_staff_and_partner() -> Ask:
    raffle = _raffle("list")

    def ask(n: int) -> list[Entry]:
        who, channel = (STAFF, Channel.LIST) if n % 2 else ("key:7", Channel.PARTNER)
        request = Request(who, _key(n), {})
        how: dict[str, Any] = {"now": NOW, "by": who, "channel": channel, "request": request}
        return enter_list(raffle.uuid, [Line(0, "a")], **how)["a"]

    return ask


def _by_import() -> Ask:
    """Bring one list at once: it is one raffle."""
    request = Request("tests", str(uuid4()), {})
    terms: dict[str, Any] = {"name": "List", "prizes": [("Phone", 1)]}

    def ask(_: int) -> list[Entry]:
        lines = [Line(2, "a", tickets=MOST)]
        raffle = create_from_list(lines, request=request, terms=terms, now=NOW, by=STAFF)
        return tickets_of(raffle, [of_entrant("a")])[of_entrant("a")]

    return ask


_EARLY = datetime(2026, 2, 10, 6, tzinfo=UTC)


def _event() -> Event:
    event = Event(
        name="Breakfast",
        slug=f"breakfast-{uuid4().hex[:12]}",
        start_date=date(2026, 2, 10),
        draw_time=time(7),
        time_zone="UTC",
        max_participants=100,
        tickets_per_holder=MOST,
        reward_name="Coffee",
    )
    return schedule_event(event, now=_EARLY, by=STAFF)


def _take_part(event: Event, n: int) -> list[Entry]:
    caller = "ip:203.0.113.7"
    order: dict[str, Any] = {"order_id": _key(n)} if n % 2 else {"request_key": _key(n)}
    participant = Participant("alice", caller=caller, address=caller, **order)
    return [take_part(event, participant, now=_EARLY).entry]


def _through_event() -> Ask:
    """Open its next draw, too."""
    return partial(_take_part, _event())


def _through_event_or_its_list() -> Ask:
    event = _event()

    def ask(n: int) -> list[Entry]:
        if n % 2:
            return _take_part(event, n)
        how: dict[str, Any] = {"now": _EARLY, "by": STAFF, "channel": Channel.LIST}
        return enter_users(event, [Line(0, "alice")], **how).entered["alice"]

    return ask


WAYS: dict[str, Callable[[], Ask]] = {
    "address": _by_address,
    "mailed link": _by_mailed_link,
    "invitation": _by_invitation,
    "paper": _by_paper,
    "staff and partner": _by_staff_and_partner,
    "import": _by_import,
    "event": _through_event,
    "event and its list": _through_event_or_its_list,
}
