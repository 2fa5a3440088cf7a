"""Calling off, in public."""

from datetime import datetime

import pytest
import time_machine

from raffles.models import Announcement, Draw, Raffle
from raffles.tests.api.acting import (
    MANAGERS_ONLY,
    NOT_FOUND,
    NOWHERE,
    Answer,
    caller,
    created,
    draw,
    drawn,
    faults,
    manager,
    refused,
    sold_out,
)

pytestmark = pytest.mark.django_db

NOW = datetime.fromisoformat("2023-08-23T15:58:24+00:00")
ALREADY = (403, "already_drawn", "Winners for the raffle have already been drawn")
VOIDED = (403, "voided", "The raffle has been voided")


def void(raffle_id: str, **body: object) -> Answer:
    """Call off as the manager."""
    return manager().post(f"/raffles/{raffle_id}/void/", {"reason": "Rain"} | body)


@time_machine.travel(NOW, tick=False)
def test_void_shows_the_reason_to_everybody() -> None:
    raffle = created()
    response = void(raffle["id"], reason="  The fair is cancelled ")
    assert response.status_code == 200
    assert response.json() == raffle | {
        "available_tickets": 0,
        "state": "void",
        "void_reason": "The fair is cancelled",
        "voided_at": "2023-08-23T15:58:24Z",
    }
    assert caller().get(f"/raffles/{raffle['id']}/").json() == response.json()
    assert caller().get("/raffles/").json() == [response.json()]
    (announced,) = Announcement.objects.streamed()
    assert announced.kind == "draw.voided"
    assert announced.payload["reason"] == "The fair is cancelled"


def test_void_of_a_raffle_with_tickets() -> None:
    raffle_id, _ = sold_out()
    assert void(raffle_id).json()["state"] == "void"
    assert refused(draw(raffle_id)) == VOIDED
    assert Draw.objects.count() == 0


def test_void_only_once() -> None:
    raffle_id = created()["id"]
    void(raffle_id)
    assert refused(void(raffle_id, reason="Snow")) == VOIDED
    assert Raffle.objects.get().void_reason == "Rain"


def test_void_not_after_the_draw() -> None:
    raffle_id, _, winners = drawn()
    assert refused(void(raffle_id)) == ALREADY
    assert caller().get(f"/raffles/{raffle_id}/winners/").json() == winners


def test_void_of_a_sealed_raffle_at_any_time_before_its_winners() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        raffle_id, _ = sold_out(entropy="drand")
        assert draw(raffle_id).status_code == 202
        clock.shift(90)
        assert void(raffle_id).json()["state"] == "void"
    assert Draw.objects.get().void_reason == "Rain"
    for what in ("commitment/", "leaves/", "tickets/1/inclusion/"):
        assert caller().get(f"/raffles/{raffle_id}/{what}").status_code == 200


def test_void_knows_no_redraw() -> None:
    raffle_id = created()["id"]
    assert list(faults(void(raffle_id, redraw=True))) == ["redraw"]
    assert Raffle.objects.get().state == "open"
    assert refused(caller().get(f"/raffles/{raffle_id}/draws/")) == NOT_FOUND


def test_void_refuses_everybody_but_managers() -> None:
    raffle_id = created()["id"]
    response = caller().post(f"/raffles/{raffle_id}/void/", {"reason": "Rain"})
    assert refused(response) == MANAGERS_ONLY
    assert Raffle.objects.get().state == "open"


def test_void_of_an_unknown_raffle() -> None:
    assert refused(void(NOWHERE)) == NOT_FOUND
    assert refused(void(NOWHERE, reason="")) == NOT_FOUND


def test_void_needs_a_reason() -> None:
    raffle_id = created()["id"]
    path = f"/raffles/{raffle_id}/void/"
    assert faults(manager().post(path, {})) == {"reason": ["This field is required."]}
    assert faults(void(raffle_id, reason=" ")) == {
        "reason": ["At least one visible character is needed."]
    }
    assert faults(void(raffle_id, reason="x" * 201)) == {
        "reason": ["Ensure this field has no more than 200 characters."]
    }
    assert Raffle.objects.get().state == "open"
    assert void(raffle_id, reason="x" * 200).status_code == 200
