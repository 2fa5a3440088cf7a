"""The certificate on paper: one framed page, whatever the winners are called, and an annex."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone

from events.domain.entering import Participant, take_part
from events.domain.scheduling import schedule_event
from events.models import Event
from raffles.domain.entering_lists import enter_list
from raffles.domain.reading_lists import Line
from raffles.models import Channel, Raffle, State
from raffles.tests.browser.scenes import draw_by_beacon, sealed_for_beacon
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import NOW, STAFF, RaffleFactory, take_to

pytestmark = BROWSER
SIZES = ("A4", "Letter")
LONG = "A weekend for two in the mountains, with breakfast and a guided walk at sunrise. " * 3
FRAME = "getComputedStyle(document.querySelector('.certificate')).borderTopWidth"


def pages(visitor: Visitor, path: str) -> list[int]:
    """Return how many pages it prints, on each size of paper."""
    visitor.go(path)
    papers = [visitor.page.pdf(format=size) for size in SIZES]
    return [len(re.findall(rb"/Type\s*/Page\b(?!s)", paper)) for paper in papers]


def with_names_of_150_characters(winners: int) -> str:
    """Return the path of the certificate of an event's date."""
    before = timezone.now() - timedelta(days=1)
    event = schedule_event(
        Event(
            name="Long names",
            slug=f"long-{uuid4().hex[:8]}",
            start_date=before.date(),
            draw_time=datetime.min.time(),
            time_zone="UTC",
            max_participants=winners,
            reward_name=LONG[:200],
            reward_amount=winners,
        ),
        now=before - timedelta(days=1),
        by=STAFF,
    )
    for n in range(winners):
        name = (f"Wolfeschlegelsteinhausenbergerdorff{n}-" * 5)[:150]
        take_part(event, Participant(name, STAFF, STAFF), now=before - timedelta(days=1))
    call_command("draw_winners", event=event.slug, verbosity=0)
    return f"/e/{event.slug}/{before.date()}/certificate/"


def with_every_channel() -> Raffle:
    """Return a raffle with twenty winners, a limit of wins, and tickets from everywhere."""
    terms = {"tickets_per_holder": 10, "max_wins_per_holder": 4, "entry": "list"}
    raffle: Raffle = RaffleFactory.create(
        name=LONG[:200], total_tickets=70, prizes=(("Telescope", 1), ("Book", 19)), **terms
    )
    lines = [
        Line(n, holder=f"holder {n}", tickets=10, channel=channel)
        for n, channel in enumerate(Channel.values, start=1)
    ]
    enter_list(raffle.uuid, lines, now=NOW, by=STAFF)
    take_to(State.DRAWN, raffle)
    return raffle


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_certificate_is_one_framed_page_up_to_twenty_winners(visit: Visit, locale: str) -> None:
    sealed = {
        prizes: sealed_for_beacon(of=5, total_tickets=20, prizes=prizes, name=name)
        for prizes, name in (
            ((("Telescope", 1),), "Lighthouse"),
            ((("Telescope", 1), ("Book", 19)), LONG[:200]),
            (tuple((f"Prize {n}", 1) for n in range(20)), "Lighthouse"),
        )
    }
    drawn = [draw_by_beacon(raffle, seen=4) for raffle in sealed.values()]
    visitor = visit(locale=locale)

    papers = [pages(visitor, f"/r/{raffle.uuid}/certificate/") for raffle in drawn]
    papers.append(pages(visitor, with_names_of_150_characters(20)))
    papers.append(pages(visitor, f"/r/{with_every_channel().uuid}/certificate/"))
    visitor.page.emulate_media(media="print")

    assert papers == [[1, 1]] * 5
    assert visitor.run(FRAME) == "1px"
    assert visitor.page.locator(".annex").count() == 0


def test_more_winners_are_in_the_annex(visit: Visit) -> None:
    long_ones = with_names_of_150_characters(21)
    short = [
        RaffleFactory.create(total_tickets=count, prizes=(("Book", count),), state=State.DRAWN)
        for count in (21, 300)
    ]
    visitor = visit()

    papers = [pages(visitor, f"/r/{raffle.uuid}/certificate/") for raffle in short]

    assert [*papers, pages(visitor, long_ones)] == [[2, 2], [3, 3], [2, 2]]
