"""Every page in every state worth a look, and how a visitor gets there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from events.domain.entering import Participant, take_part
from events.domain.scheduling import schedule_event
from events.models import Event
from raffles.domain.confirming import offer_ticket
from raffles.domain.drawing import advance, void_raffle
from raffles.domain.entering import Entry, enter
from raffles.domain.entering_lists import enter_list
from raffles.domain.pool import build_tree
from raffles.domain.prizes import forfeit, replace_winner
from raffles.domain.reading_lists import Line
from raffles.domain.sealing import close, seal
from raffles.domain.witnesses.ours.named import log_of_proof
from raffles.fairness.receipts import Cosigner
from raffles.fairness.verify import time_of_round
from raffles.models import Channel, Draw, Raffle, State
from raffles.tests.browser.visiting import Visitor
from raffles.tests.factories import NOW, STAFF, RaffleFactory, address, enter_nth, take_to
from raffles.tests.fairness.relay import Relay

HOUR = timedelta(hours=1)
ROUND_AT = datetime.fromtimestamp(time_of_round(42), UTC)
SKIES = ("Observatory", "Planetarium")
PRIZES = (("Telescope", 1), ("A weekend for two in the mountains", 2), ("Book", 5))


@dataclass(frozen=True)
class Scene:
    """A page: the route it shows, its path, and what is done there before it is looked at."""

    name: str
    route: str
    path: str
    act: Callable[[Visitor], None] = lambda _: None
    status: int = 200
    user: User | None = None

    def play(self, visitor: Visitor) -> None:
        """Go there and do it."""
        if self.user:
            visitor.log_in(self.user)
        visitor.go(self.path)
        self.act(visitor)


def make_scenes() -> list[Scene]:
    """Return all of them, on data made now."""
    waiting = [sealed_for_beacon(), *(sealed_for_beacon(name=name, of=3) for name in SKIES)]
    beacon, witnessed, broken = (
        draw_by_beacon(raffle, seen=seen) for raffle, seen in zip(waiting, (0, 2, 1), strict=True)
    )
    now = timezone.now()
    soon = RaffleFactory.create(
        name="Village hall roof", total_tickets=60, prizes=PRIZES, tickets=11, closes_at=now + HOUR
    )
    unplanned = RaffleFactory.create(name="Summer fair", total_tickets=12, prizes=PRIZES)
    sold_out = RaffleFactory.create(name="Choir trip", tickets=3)
    closed = RaffleFactory.create(name="Fire brigade", state=State.CLOSED)
    sealed = RaffleFactory.create(name="Book fair", state=State.CLOSED, entropy="drand")
    seal(sealed.pk, build_tree(sealed), clock=timezone.now, by=STAFF)
    drawn, winner, loser = _drawn()
    there = reverse("pages:result", args=[drawn.uuid])
    void = RaffleFactory.create(name="Easter egg hunt", state=State.SEALED)
    void_raffle(void.uuid, reason="The storm took the tents", now=now, by=STAFF)
    several, mailed, invited, ruled, later, listed = _ways_in(now)
    offer = offer_ticket(mailed.uuid, address="ada@example.org", now=now)
    confirming = reverse("pages:raffle", args=[mailed.uuid]) + f"?confirmation={offer.confirmation}"
    counted = _drawn_with_channels()
    event, day = _event(now)
    staff = User.objects.create_superuser(f"operator {uuid4()}")

    def page(name: str, route: str, *arguments: object, **more: object) -> Scene:
        return Scene(name, route, reverse(route, args=arguments), **more)  # type: ignore[arg-type]

    return [
        page("home", "event_pages:home"),
        page("raffle that draws at a time", "pages:raffle", soon.uuid),
        page("raffle without a time", "pages:raffle", unplanned.uuid),
        page("ticket just taken", "pages:raffle", soon.uuid, act=_take_part, status=201),
        page("raffle that refuses", "pages:raffle", unplanned.uuid, act=_take_part_twice),
        page("raffle sold out", "pages:raffle", sold_out.uuid),
        page("raffle closed", "pages:raffle", closed.uuid),
        page("raffle awaits the beacon", "pages:raffle", sealed.uuid),
        page("raffle drawn", "pages:raffle", drawn.uuid),
        page("raffle called off", "pages:raffle", void.uuid),
        page("raffle of several tickets", "pages:raffle", several.uuid),
        page("one of several", "pages:raffle", several.uuid, act=_take_part, status=201),
        page("raffle by e-mail", "pages:raffle", mailed.uuid),
        page("raffle by e-mail, no address", "pages:raffle", mailed.uuid, act=_mistype, status=400),
        page("raffle by e-mail, written to", "pages:raffle", mailed.uuid, act=_ask, status=202),
        Scene("raffle by e-mail, link opened", "pages:raffle", confirming),
        page("raffle by invitation", "pages:raffle", invited.uuid),
        page(
            "raffle by invitation, no code",
            "pages:raffle",
            invited.uuid,
            act=_invite_wrongly,
            status=400,
        ),
        page("raffle with rules", "pages:raffle", ruled.uuid),
        page("raffle not open yet", "pages:raffle", later.uuid),
        page("raffle by list", "pages:raffle", listed.uuid),
        page("raffle drawn, with channels", "pages:raffle", counted.uuid),
        page("result with channels", "pages:result", counted.uuid, act=_check),
        page("certificate with channels", "pages:certificate", counted.uuid),
        page("rules", "pages:rules", ruled.rules_hash),
        page("my tickets", "pages:my_tickets", act=lambda v: _keep(v, soon, "/my-tickets/")),
        page("offline", "pages:offline", act=lambda v: _keep_offline(v, soon)),
        page("raffle of a ticket kept", "pages:raffle", soon.uuid, act=lambda v: _keep(v, soon)),
        page("my ticket", "pages:ticket", drawn.uuid),
        page("my ticket won", "pages:ticket", drawn.uuid, act=lambda v: look_up(v, winner)),
        page("my ticket did not win", "pages:ticket", drawn.uuid, act=lambda v: look_up(v, loser)),
        page("my ticket refused", "pages:ticket", drawn.uuid, act=_look_up_wrongly),
        page("result awaited", "pages:result", soon.uuid),
        page("no result", "pages:result", void.uuid),
        page("result", "pages:result", drawn.uuid),
        page("result checked", "pages:result", drawn.uuid, act=_check),
        page("result by beacon, checked", "pages:result", beacon.uuid, act=_check),
        page("result, witnessed, checked", "pages:result", witnessed.uuid, act=_check),
        page("result, not as promised, checked", "pages:result", broken.uuid, act=_check),
        Scene("result, number not drawn", "pages:result", f"{there}?number={loser.ticket_number}"),
        Scene("result, no number", "pages:result", f"{there}?number=many", status=400),
        page("certificate", "pages:certificate", beacon.uuid),
        page("certificate, witnessed", "pages:certificate", witnessed.uuid),
        page("stage of a witnessed draw", "pages:stage", witnessed.uuid, act=_begin),
        page("log", "pages:log"),
        Scene("log searched", "pages:log", f"{reverse('pages:log')}?name=Observatory"),
        Scene(
            "log without such a place", "pages:log", f"{reverse('pages:log')}?before=-1", status=400
        ),
        page("ticket taken before the seal", "pages:ticket", soon.uuid, act=_await_the_seal),
        page("certificate of a raffle called off", "pages:certificate", void.uuid),
        page("stage before the draw", "pages:stage", soon.uuid, act=_wait),
        page("stage at the draw", "pages:stage", drawn.uuid, act=_begin),
        page("stage at a winner", "pages:stage", drawn.uuid, act=_reveal),
        page("stage with all winners", "pages:stage", drawn.uuid, act=_reveal_all),
        Scene(
            "stage rehearsed",
            "pages:stage",
            f"{reverse('pages:stage', args=[soon.uuid])}?rehearsal",
            act=_rehearse,
        ),
        page("stage called off", "pages:stage", void.uuid),
        page("stage operated", "pages:operated_stage", drawn.uuid, act=_not_here, user=staff),
        page("winners", "event_pages:winners"),
        page("event", "event_pages:event", event.slug),
        page("event, ticket just taken", "event_pages:event", event.slug, act=_enter, status=201),
        page("result of an event", "event_pages:draw", event.slug, day),
        page("certificate of an event", "event_pages:certificate", event.slug, day),
        page("raffle in a frame", "pages:embed", soon.uuid),
        page("raffle in a frame, sealed", "pages:embed", sealed.uuid),
        page("raffle in a frame, checked", "pages:embed", witnessed.uuid, act=_check_in_frame),
        page("raffle in a frame, called off", "pages:embed", void.uuid),
        page("event in a frame", "event_pages:embed", event.slug),
        page("nothing there", "pages:result", uuid4(), status=404),
    ]


def _drawn() -> tuple[Raffle, Entry, Entry]:
    """Return a drawn raffle with a replacement, a forfeit, and winning and losing tickets."""
    raffle = RaffleFactory.create(name="School trip", total_tickets=20, prizes=PRIZES, alternates=3)
    entries = {(entry := enter_nth(raffle, n)).ticket_number: entry for n in range(20)}
    take_to(State.DRAWN, raffle)
    drawn = [winner.ticket_number() for winner in raffle.winners.order_by("rank")]
    replace_winner(
        raffle.uuid,
        ticket_number=drawn[1],
        reason="Not in the hall when called three times",
        now=timezone.now(),
        by=STAFF,
    )
    forfeit(raffle.uuid, ticket_number=drawn[2], reason="Away", now=timezone.now(), by=STAFF)
    winner = entries[drawn[0]]
    loser = next(entry for number, entry in entries.items() if number not in drawn)
    return raffle, winner, loser


def _ways_in(now: datetime) -> list[Raffle]:
    """Return raffles: several tickets, by mail, by invitation, with rules, later, by list."""
    rules = "One ticket each.\n\nWhoever lives in the village may take part, from 18 years on. " * 3
    apart: list[dict[str, Any]] = [
        {"name": "Bell tower", "tickets_per_holder": 3, "max_wins_per_holder": 1},
        {"name": "Library night", "entry": "email", "rules": rules},
        {"name": "Members' evening", "entry": "invitation"},
        {"name": "Swimming pool", "rules": rules},
        {"name": "Harvest festival", "opens_at": now + HOUR, "closes_at": now + 3 * HOUR},
        {"name": "Newsletter", "entry": "list"},
    ]
    return [
        RaffleFactory.create(total_tickets=60, prizes=PRIZES, now=now, **terms) for terms in apart
    ]


def _drawn_with_channels() -> Raffle:
    """Return a raffle drawn with a limit of wins, whose tickets came by every channel."""
    raffle: Raffle = RaffleFactory.create(
        name="Bell tower, last year",
        total_tickets=70,
        prizes=(*PRIZES, ("Voucher", 12)),
        tickets_per_holder=10,
        max_wins_per_holder=2,
        entry="list",
    )
    lines = [
        Line(n, holder=f"holder {n}", tickets=10, channel=channel)
        for n, channel in enumerate(Channel.values, start=1)
    ]
    enter_list(raffle.uuid, lines, now=NOW, by=STAFF)
    take_to(State.DRAWN, raffle)
    return raffle


def drawn_by_beacon(**terms: Any) -> Raffle:
    """Return a raffle that round 42 decided, as its relay was recorded."""
    return draw_by_beacon(sealed_for_beacon(**terms))


def sealed_for_beacon(*, of: int = 0, **terms: Any) -> Raffle:
    """Return a raffle that waits for round 42 and whose terms name `of` witnesses.

    No statement is earlier than the one before: who wants several seals them first.
    """
    terms = {"name": "Lighthouse", "total_tickets": 9, "prizes": (("Binoculars", 1),)} | terms
    raffle: Raffle = RaffleFactory.create(entropy="drand", now=ROUND_AT - HOUR, **terms)
    named = [{"name": each.name, "key": each.public_key} for each in _witnesses(of)]
    Raffle.objects.filter(pk=raffle.pk).update(witnesses={"cosigners": named, "authorities": []})
    for n in range(raffle.total_tickets):
        enter(raffle.uuid, identity=f"ip:{address(n)}", now=ROUND_AT - HOUR)
    raffle.refresh_from_db()
    sealed_at = ROUND_AT - timedelta(minutes=1)
    close(raffle.pk, now=sealed_at, by=STAFF)
    seal(raffle.pk, build_tree(raffle), clock=lambda: sealed_at, by=STAFF)
    return raffle


def draw_by_beacon(raffle: Raffle, *, seen: int = 0) -> Raffle:
    """Draws it; ``seen`` of its witnesses saw the seal, 44, 43, ... s before the round."""

    def log_with_answers(draw: Draw) -> dict[str, Any]:
        log = log_of_proof(draw)
        shown = log["checkpoints"][0]
        text = shown["checkpoint"].partition("\n\n")[0] + "\n"
        at = time_of_round(42) - 44
        lines = [each.cosign(text, at + n) for n, each in enumerate(_witnesses(seen))]
        shown["checkpoint"] += "".join(lines)
        return log

    relays = settings.DRAND_RELAYS
    # Nobody here has to be asked: the answers are in the log when the draw freezes it.
    with Relay() as relay, patch("raffles.domain.drawing.log_of_proof", log_with_answers):
        settings.DRAND_RELAYS = [relay.url]
        advance(raffle.pk, now=ROUND_AT + HOUR, clock=lambda: ROUND_AT + HOUR, by=STAFF)
    settings.DRAND_RELAYS = relays
    raffle.refresh_from_db()
    return raffle


def _witnesses(count: int) -> list[Cosigner]:
    return [Cosigner(f"witness-{n}.example.org", bytes([n + 1] * 32)) for n in range(count)]


def _event(now: datetime) -> tuple[Event, date]:
    """Return an event that was drawn yesterday, and that date."""
    before = now - timedelta(days=2)
    first = before + HOUR
    event = schedule_event(
        Event(
            name="Morning luck",
            slug=f"morning-luck-{uuid4().hex[:8]}",
            start_date=first.date(),
            draw_time=first.time().replace(second=0, microsecond=0),
            time_zone="UTC",
            max_participants=50,
            reward_name="Breakfast for two",
            reward_amount=3,
        ),
        now=before,
        by=STAFF,
    )
    for name in ("Alice Archer", "Bob", "Chloé de la Fontaine-Montgomery"):
        take_part(event, Participant(name, STAFF, STAFF), now=before)
    call_command("draw_winners", event=event.slug, verbosity=0)
    return event, first.date()


def look_up(visitor: Visitor, entry: Entry) -> None:
    """Type number and code of a ticket."""
    visitor.write("Number", str(entry.ticket_number))
    visitor.write("Code", entry.verification_code)
    visitor.press("Look it up")
    visitor.see(f"{entry.ticket_number}")


def _look_up_wrongly(visitor: Visitor) -> None:
    visitor.write("Number", "1")
    visitor.write("Code", "0000-0000-0000-0000-0000")
    visitor.press("Look it up")
    visitor.see("Number and code do not belong together.")


def _take_part(visitor: Visitor) -> None:
    visitor.press("Take part")
    visitor.see("This browser keeps your ticket.")


def _mistype(visitor: Visitor) -> None:
    visitor.write("Your e-mail address", "ada@example")
    visitor.run("() => { document.querySelector('#take-part').noValidate = true; }")
    visitor.press("Send me the link")
    visitor.see("Enter a valid email address.")


def _ask(visitor: Visitor) -> None:
    visitor.write("Your e-mail address", "ada@example.org")
    visitor.press("Send me the link")
    visitor.see("We have written to")


def _invite_wrongly(visitor: Visitor) -> None:
    visitor.write("The code of your invitation", "0000-0000-0000-0000-0000")
    visitor.press("Take part")
    visitor.see("There is no such invitation.")


def _keep(visitor: Visitor, raffle: Raffle, path: str = "") -> None:
    """Have the browser keep a ticket, and see its way home there."""
    home = f"/r/{raffle.uuid}/ticket/"
    ticket = {"raffle": str(raffle.uuid), "number": 7, "code": "CODE", "name": raffle.name}
    ticket |= {"home": home, "closes_at": (timezone.now() + HOUR).isoformat()}
    keep = "(ticket) => localStorage.setItem(`mine ${ticket.raffle} 7`, JSON.stringify(ticket))"
    visitor.run(keep, ticket)
    visitor.go(path or f"/r/{raffle.uuid}/")
    visitor.page.locator(f"main a[href='{home}#7.CODE']").wait_for()


def _keep_offline(visitor: Visitor, raffle: Raffle) -> None:
    """Have the browser keep a ticket, and see it where it is shown without a network."""
    _keep(visitor, raffle)
    visitor.go("/offline/")
    visitor.page.locator("[data-tickets] .code").wait_for()


def _take_part_twice(visitor: Visitor) -> None:
    path = visitor.page.url.removeprefix(visitor.url)
    _take_part(visitor)
    visitor.run("() => localStorage.clear()")
    visitor.go(path)
    visitor.press("Take part")
    visitor.see("This address has its ticket.")


def _enter(visitor: Visitor) -> None:
    visitor.write("Your name", f"Visitor {uuid4().hex[:6]}")
    _take_part(visitor)


def _check(visitor: Visitor) -> None:
    visitor.see("Checked by this device")
    visitor.page.locator(".self-check summary").click()


def _check_in_frame(visitor: Visitor) -> None:
    visitor.press("Check it")
    visitor.see("Checked by this device")


def _await_the_seal(visitor: Visitor) -> None:
    visitor.see("As soon as the tickets are sealed")


def _wait(visitor: Visitor) -> None:
    visitor.see("The draw begins in")


def _begin(visitor: Visitor) -> None:
    visitor.see("Press space")


def _reveal(visitor: Visitor) -> None:
    _begin(visitor)
    for _ in range(3):
        visitor.page.keyboard.press(" ")
        visitor.page.keyboard.press(" ")


def _rehearse(visitor: Visitor) -> None:
    visitor.see("The rehearsal begins.")
    for _ in range(3):
        visitor.page.keyboard.press(" ")


def _reveal_all(visitor: Visitor) -> None:
    _begin(visitor)
    visitor.page.keyboard.press("End")


def _not_here(visitor: Visitor) -> None:
    _reveal(visitor)
    visitor.page.keyboard.press("r")
    visitor.see("Give this prize to the next alternate")
