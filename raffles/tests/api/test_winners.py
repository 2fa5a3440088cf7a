"""Drawing, and reading who won."""

from datetime import datetime
from uuid import UUID

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from raffles.domain.entering import enter
from raffles.fairness.verify import time_of_round
from raffles.models import Announcement, Draw, Raffle, Winner
from raffles.tests.api.acting import (
    MANAGERS_ONLY,
    NOT_FOUND,
    NOWHERE,
    caller,
    created,
    draw,
    drawn,
    entered,
    faults,
    holder,
    links,
    manager,
    participate,
    refused,
    sold_out,
)
from raffles.tests.fairness.relay import ROUNDS, Relay, honest, late

pytestmark = pytest.mark.django_db

AVAILABLE = (403, "tickets_available", "Winners can't be drawn when tickets are still available")
ALREADY = (403, "already_drawn", "Winners for the raffle have already been drawn")
TOO_EARLY = (403, "before_draw_time", "Winners can't be drawn before the draw time")
VOIDED = (403, "voided", "The raffle has been voided")
PRIZES = [{"name": "Car", "amount": 1}, {"name": "Bicycle", "amount": 2}]

ROUND = 1_000  # recorded by the relay of the tests
SEALED_AT = datetime.fromisoformat("2023-08-23T15:58:24+00:00")  # 60 s before it


def test_draw_answers_all_winners_of_prizes_by_rank() -> None:
    raffle_id, codes = sold_out(total_tickets=8, prizes=PRIZES, alternates=3)
    response = draw(raffle_id)
    winners = response.json()
    numbers = [winner["ticket_number"] for winner in winners]
    assert response.status_code == 201
    assert winners == [
        {"rank": 1, "ticket_number": numbers[0], "prize": "Car"},
        {"rank": 2, "ticket_number": numbers[1], "prize": "Bicycle"},
        {"rank": 3, "ticket_number": numbers[2], "prize": "Bicycle"},
    ]
    assert len(set(numbers)) == 3
    assert set(numbers) < set(codes)
    assert caller().get(f"/raffles/{raffle_id}/").json()["winners_drawn"] is True


def test_draw_when_everybody_wins() -> None:
    prizes = [{"name": "Apple", "amount": 3}]
    _, codes, winners = drawn(prizes=prizes)
    assert sorted(winner["ticket_number"] for winner in winners) == sorted(codes)


def test_draw_refuses_while_tickets_are_available() -> None:
    raffle_id = created()["id"]
    assert refused(draw(raffle_id)) == AVAILABLE
    entered(raffle_id, 2)
    assert refused(draw(raffle_id)) == AVAILABLE
    assert participate(raffle_id, holder(2)).status_code == 201
    assert draw(raffle_id).status_code == 201


def test_draw_refuses_to_draw_again() -> None:
    raffle_id, _, winners = drawn()
    assert refused(draw(raffle_id)) == ALREADY
    assert caller().get(f"/raffles/{raffle_id}/winners/").json() == winners
    assert Draw.objects.count() == 1


def test_draw_refuses_everybody_but_managers() -> None:
    raffle_id, _ = sold_out()
    assert refused(caller().post(f"/raffles/{raffle_id}/winners/")) == MANAGERS_ONLY
    assert Raffle.objects.get().state == "open"


def test_draw_of_an_unknown_raffle() -> None:
    assert refused(draw(NOWHERE)) == NOT_FOUND
    assert refused(manager().post(f"/raffles/{NOWHERE}/winners/", {"a": 1})) == NOT_FOUND


def test_draw_takes_no_body() -> None:
    raffle_id, _ = sold_out()
    path = f"/raffles/{raffle_id}/winners/"
    assert faults(manager().post(path, {"winners": [1]})) == {"winners": ["Unknown field."]}
    assert manager().post(path, {}).status_code == 201


def test_draw_of_a_void_raffle() -> None:
    raffle_id, _ = sold_out()
    manager().post(f"/raffles/{raffle_id}/void/", {"reason": "Rain"})
    assert refused(draw(raffle_id)) == VOIDED


def test_draw_waits_for_the_closing_time() -> None:
    with time_machine.travel(SEALED_AT, tick=False) as clock:
        raffle_id, _ = sold_out(closes_at="2023-08-23T16:58:24Z")
        assert refused(draw(raffle_id)) == TOO_EARLY
        clock.shift(3_599)
        assert refused(draw(raffle_id)) == TOO_EARLY
        clock.shift(1)
        assert draw(raffle_id).status_code == 201


def test_draw_at_the_closing_time_draws_what_was_issued() -> None:
    with time_machine.travel(SEALED_AT, tick=False) as clock:
        raffle_id = created(total_tickets=50, closes_at="2023-08-23T16:58:24Z")["id"]
        codes = entered(raffle_id, 2)
        clock.shift(3_600)
        (winner,) = draw(raffle_id).json()
    assert winner["ticket_number"] in codes
    assert caller().get(f"/raffles/{raffle_id}/").json()["available_tickets"] == 0


def test_draw_at_the_closing_time_without_anybody_voids() -> None:
    with time_machine.travel(SEALED_AT, tick=False) as clock:
        raffle_id = created(closes_at="2023-08-23T16:58:24Z")["id"]
        clock.shift(3_600)
        assert refused(draw(raffle_id)) == VOIDED
    body = caller().get(f"/raffles/{raffle_id}/").json()
    assert (body["state"], body["void_reason"]) == ("void", "Nobody took part")


def test_draw_leaves_prizes_over_when_fewer_came() -> None:
    with time_machine.travel(SEALED_AT, tick=False) as clock:
        raffle_id = created(
            total_tickets=9,
            prizes=[{"name": "Apple", "amount": 9}],
            closes_at="2023-08-23T16:58:24Z",
        )["id"]
        codes = entered(raffle_id, 2)
        clock.shift(3_600)
        winners = draw(raffle_id).json()
    assert sorted(winner["ticket_number"] for winner in winners) == sorted(codes)


def test_draw_with_a_beacon_waits_for_its_round(settings: Settings) -> None:
    with Relay({ROUND: late}) as relay, time_machine.travel(SEALED_AT, tick=False) as clock:
        settings.DRAND_RELAYS = [relay.url]
        raffle_id, codes = sold_out(entropy="drand")
        waiting = draw(raffle_id)
        assert waiting.status_code == 202
        assert waiting.json() == {"round": ROUND, "draws_at": "2023-08-23T15:59:24Z"}
        assert time_of_round(ROUND) == int(SEALED_AT.timestamp()) + 60

        # The round is fixed: asking later, or while the relay is late, changes nothing.
        clock.shift(59)
        assert draw(raffle_id).json() == waiting.json()
        assert relay.requests == []
        clock.shift(1)
        assert (draw(raffle_id).status_code, len(relay.requests)) == (202, 1)
        assert caller().get(f"/raffles/{raffle_id}/winners/").json() == []

        relay.behave(ROUND, honest)
        response = draw(raffle_id)
        assert response.status_code == 201
        (winner,) = response.json()
        assert winner == {"rank": 1, "ticket_number": winner["ticket_number"], "prize": "Bicycle"}
        assert winner["ticket_number"] in codes
        assert refused(draw(raffle_id)) == ALREADY
    sealed = Draw.objects.get()
    assert (sealed.round, bytes(sealed.beacon_signature or b"").hex()) == (ROUND, ROUNDS[ROUND])


def test_draw_with_a_beacon_keeps_the_promised_round() -> None:
    with time_machine.travel(SEALED_AT, tick=False) as clock:
        closes_at = "2023-08-23T16:00:00Z"
        raffle = created(entropy="drand", closes_at=closes_at)
        entered(raffle["id"], 1)
        clock.move_to(datetime.fromisoformat(closes_at))
        # 60 s after closing: (1692806460 - 1692803367) / 3 + 1.
        assert raffle["planned_round"] == 1_032
        assert draw(raffle["id"]).json() == {"round": 1_032, "draws_at": "2023-08-23T16:01:00Z"}


def test_winners_are_empty_before_the_draw() -> None:
    raffle_id, _ = sold_out()
    response = caller().get(f"/raffles/{raffle_id}/winners/")
    assert (response.status_code, response.json()) == (200, [])
    assert caller().get(f"/raffles/{raffle_id}/winners/?alternates=true").json() == []


def test_winners_are_for_everybody() -> None:
    raffle_id, _, winners = drawn(total_tickets=8, prizes=PRIZES)
    response = caller().get(f"/raffles/{raffle_id}/winners/")
    assert response.json() == winners
    assert response["Access-Control-Allow-Origin"] == "*"


def test_winners_with_alternates() -> None:
    raffle_id, codes, winners = drawn(total_tickets=8, prizes=PRIZES, alternates=3)
    path = f"/raffles/{raffle_id}/winners/"
    everybody = caller().get(f"{path}?alternates=true").json()
    alternates = [winner["ticket_number"] for winner in everybody[3:]]
    assert everybody == [
        *winners,
        {"rank": 4, "ticket_number": alternates[0], "prize": None},
        {"rank": 5, "ticket_number": alternates[1], "prize": None},
        {"rank": 6, "ticket_number": alternates[2], "prize": None},
    ]
    assert len({winner["ticket_number"] for winner in everybody}) == 6
    assert {winner["ticket_number"] for winner in everybody} < set(codes)
    assert caller().get(f"{path}?alternates=false").json() == winners
    assert faults(caller().get(f"{path}?alternates=1")) == {"alternates": ["Write true or false."]}


def test_winners_of_an_unknown_raffle() -> None:
    assert refused(caller().get(f"/raffles/{NOWHERE}/winners/")) == NOT_FOUND
    assert refused(caller().get(f"/raffles/{NOWHERE}/winners/?limit=0")) == NOT_FOUND


def test_winners_come_in_pages() -> None:
    raffle_id, _, winners = drawn(total_tickets=8, prizes=[{"name": "Apple", "amount": 7}])
    pages, url = [], f"/raffles/{raffle_id}/winners/?limit=3"
    while url:
        response = caller().get(url)
        pages.append(response.json())
        url = links(response).get("next", "")
    assert pages == [winners[:3], winners[3:6], winners[6:]]


def test_draw_answers_the_whole_array_and_reading_it_comes_in_pages() -> None:
    amount = 1_001
    prizes = [{"name": "Apple", "amount": amount}]
    raffle_id = created(total_tickets=amount, prizes=prizes, alternates=0)["id"]
    for number in range(amount):
        enter(UUID(raffle_id), identity=f"ip:{holder(number)}", now=timezone.now())
    winners = draw(raffle_id).json()
    assert [winner["rank"] for winner in winners] == list(range(1, amount + 1))
    response = caller().get(f"/raffles/{raffle_id}/winners/")
    assert response.json() == winners[:1_000]
    url = f"http://testserver/raffles/{raffle_id}/winners/?cursor=after-1000"
    assert response["Link"] == f'<{url}>; rel="next"'
    assert caller().get(url).json() == winners[1_000:]


@pytest.mark.parametrize("amount", [1, 3, 30])
def test_winners_queries(amount: int) -> None:
    raffle_id, _, _ = drawn(total_tickets=30, prizes=[{"name": "Apple", "amount": amount}])
    with CaptureQueriesContext(connection) as queries:
        caller().get(f"/raffles/{raffle_id}/winners/?alternates=true")
    assert len(queries) == 2


def test_draw_announces_once() -> None:
    raffle_id, _, winners = drawn()
    draw(raffle_id)
    kinds = Announcement.objects.streamed().values_list("kind", flat=True)
    assert list(kinds) == ["raffle.sold_out", "draw.sealed", "draw.drawn"]
    assert Announcement.objects.get(kind="draw.drawn").payload["winners"] == winners
    assert Winner.objects.of_prizes().count() == 1
