"""A number is found on the page of a result, or it is said what became of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from raffles.domain.prizes import replace_winner
from raffles.models import Raffle, State, Winner
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth, take_to
from raffles.tests.pages.visiting import text_of, visitor

pytestmark = pytest.mark.django_db
FIELD = 'name="number" value="{}"'


def asked(raffle: Raffle, number: object, **more: Any) -> Any:
    return visitor().get(f"/r/{raffle.uuid}/result/", {"number": number, **more})


def drawn(tickets: int, prizes: int, **terms: Any) -> tuple[Raffle, list[int]]:
    """Return a drawn raffle, and the numbers drawn, by rank."""
    raffle = RaffleFactory.create(
        total_tickets=tickets, prizes=(("Book", prizes),), state=State.DRAWN, **terms
    )
    return raffle, [winner.ticket_number() for winner in Winner.objects.order_by("rank")]


def test_number_in_the_list_leads_to_its_row_on_its_page() -> None:
    raffle, numbers = drawn(401, 401, alternates=0)
    path = f"/r/{raffle.uuid}/result/"

    for rank, after in ((1, 0), (200, 0), (201, 200), (401, 400)):
        number = numbers[rank - 1]
        response = asked(raffle, f"#{number}")
        there = f"{path}?number={number}&after={after}#rank-{rank}"
        assert (response.status_code, response["Location"]) == (302, there)

    page = asked(raffle, numbers[200], after=200)
    assert f"Ticket {numbers[200]} wins Book, rank 201." in text_of(page)
    assert "Ranks 201 to 400 of 401" in text_of(page)
    body = page.content.decode()
    assert body.count("data-rank=") == 200
    assert 'id="rank-201" tabindex="-1" data-rank="201"' in body
    links = ('href="?after=0" rel="prev"', 'href="?after=400" rel="next"')
    assert all(link in body for link in links)


def test_number_that_was_not_drawn_is_told_its_place() -> None:
    raffle, numbers = drawn(6, 1, alternates=2)
    number = next(each for each in range(1, 7) if each not in numbers)

    response = asked(raffle, number)

    said = f"Ticket {number} was not drawn. It was in the draw: entry "
    assert response.status_code == 200
    assert said in text_of(response)
    assert "of 6 sealed tickets." in text_of(response)
    assert f'href="/raffles/{raffle.uuid}/tickets/{number}/inclusion/"' in response.content.decode()
    assert f"Ticket {numbers[2]} was drawn as alternate 2: " in text_of(asked(raffle, numbers[2]))


def test_who_lost_a_prize_and_who_took_over_stand_in_one_row() -> None:
    raffle, (first, second, third) = drawn(3, 1, alternates=2)
    for number in (first, second):
        replace_winner(raffle.uuid, ticket_number=number, reason="Ill", now=NOW, by=STAFF)

    for number, said in (
        (first, "was drawn for Book, rank 1, and no longer holds it."),
        (second, "was drawn for Book, rank 1, and no longer holds it."),
        (third, "wins Book, rank 1."),
    ):
        assert asked(raffle, number)["Location"].endswith("&after=0#rank-1")
        assert f"Ticket {number} {said}" in text_of(asked(raffle, number, after=0))


def test_number_that_nobody_held_was_not_in_the_draw() -> None:
    raffle = RaffleFactory.create(total_tickets=9, closes_at=NOW + timedelta(hours=1))
    held = enter_nth(raffle, 0).ticket_number
    take_to(State.DRAWN, raffle)
    number = 1 if held != 1 else 2

    assert f"Nobody held ticket {number}, so it" in text_of(asked(raffle, number))


@pytest.mark.parametrize("number", ["", "0", "4", "-1", "1e3", "abc", "²", "9" * 21, "\u202e1"])
def test_what_is_no_number_of_the_draw_is_answered_beside_the_field(number: str) -> None:
    raffle, _ = drawn(3, 1)

    response = asked(raffle, number)

    assert response.status_code == 400
    assert "Find your number Find Write a number from 1 to 3." in text_of(response)
    assert 'aria-invalid="true"' in response.content.decode()
    if number.isalnum() and number:
        assert FIELD.format(number) in response.content.decode()


def test_number_as_people_write_it_is_read() -> None:
    raffle, numbers = drawn(1001, 1001, alternates=0)

    for written in ("1,001", "1.001", " 1 001 ", "1’001", "#1001", "１００１"):
        assert asked(raffle, written)["Location"].endswith(f"#rank-{numbers.index(1001) + 1}")


def test_three_hundred_of_one_prize_are_one_group() -> None:
    raffle, numbers = drawn(200, 200, alternates=0)

    body = visitor().get(f"/r/{raffle.uuid}/result/").content.decode()

    assert body.count('class="group"') == 1
    shown = [int(part.partition('"')[0]) for part in body.split('data-tickets="')[1:]]
    assert shown == numbers
