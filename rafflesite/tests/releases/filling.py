"""What a release leaves behind: draws of every state, and an event between two dates."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from django.conf import settings
from django.core.management import call_command

from events.tests.acting import DRAW, NOW, at, run, scheduled, taken
from raffles.domain.drawing import Waiting, void_raffle
from raffles.domain.due import draw_now
from raffles.domain.entering import enter
from raffles.domain.entering_lists import create_from_list, enter_list, request_for
from raffles.domain.prizes import replace_winner
from raffles.domain.reading_lists import Line
from raffles.models import Entropy, Raffle, Winner
from raffles.models.lineage import Lineage
from raffles.tests.factories import RaffleFactory, address

BY = "staff"


def _now() -> datetime:
    return DRAW


def _lines(many: int) -> list[Line]:
    return [Line(n, f"customer {n}") for n in range(1, many + 1)]


def _from_list(name: str, many: int, entropy: Entropy = Entropy.SYSTEM) -> Raffle:
    terms = {"name": name, "prizes": [["Bicycle", 1], ["Mug", 99]], "entropy": entropy}
    request = request_for(name, columns={}, terms=terms)
    return create_from_list(_lines(many), request=request, terms=terms, now=DRAW, by=BY)


def fill() -> None:
    """Make tables, 100,020 tickets and draws in an empty database, at a moment long gone."""
    settings.CLOCK = "process"  # the database's stays where it is
    settings.ALLOWED_HOSTS = ["testserver"]
    with at(NOW):
        call_command("migrate", verbosity=0)

    scheduled(until="2026-02-11", max_participants=20)
    for n in range(10):
        taken(f"user {n}")
    run(DRAW)
    for n in range(10):
        taken(f"user {n}", now=DRAW)

    with at(DRAW):
        drawn = _from_list("Drawn", 60_000)
        draw_now(drawn.uuid, now=DRAW, clock=_now, by=BY)
        number = Winner.objects.get(raffle=drawn, rank=2).ticket_number()
        replace_winner(drawn.uuid, ticket_number=number, reason="Did not come", now=DRAW, by=BY)

        sealed = _from_list("Sealed", 9_000, Entropy.DRAND)
        with suppress(Waiting):
            draw_now(sealed.uuid, now=DRAW, clock=_now, by=BY)

        void = _from_list("Void", 1_000)
        void_raffle(void.uuid, reason="Wrong prize listed", now=DRAW, by=BY)

        opened = RaffleFactory.create(name="Open", total_tickets=30_010, now=DRAW)
        for n in range(10):
            enter(opened.uuid, identity=f"ip:{address(n)}", now=DRAW)
        enter_list(opened.uuid, _lines(29_990), now=DRAW, by=BY)

    Lineage.objects.all().delete()  # otherwise this would be a database that was put back
