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
    entered,
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
    (announced,) = Announcement.objects.all()
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


def test_void_of_a_sealed_raffle_until_its_round() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        raffle_id, _ = sold_out(entropy="drand")
        assert draw(raffle_id).status_code == 202
        clock.shift(60)
        sentence = "The draw can't be voided: its beacon round is public"
        assert refused(void(raffle_id)) == (409, "round_has_come", sentence)
        clock.shift(-1)
        assert void(raffle_id).json()["state"] == "void"
    assert Draw.objects.get().void_reason == "Rain"


def test_void_and_draw_again_from_the_same_pool() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        raffle_id, _ = sold_out(entropy="drand")
        first = draw(raffle_id).json()
        clock.shift(30)
        response = void(raffle_id, reason="Typing mistake", redraw=True)
        assert response.status_code == 200
        assert (response.json()["state"], response.json()["void_reason"]) == ("sealed", "")
        assert draw(raffle_id).json() == {
            "round": first["round"] + 10,
            "draws_at": "2023-08-23T15:59:54Z",
        }
    reasons = Draw.objects.order_by("number").values_list("void_reason", flat=True)
    assert list(reasons) == ["Typing mistake", ""]


def test_void_and_draw_again_needs_a_seal() -> None:
    raffle_id = created()["id"]
    entered(raffle_id, 1)
    sentence = "The raffle has not been sealed yet"
    assert refused(void(raffle_id, redraw=True)) == (404, "not_sealed", sentence)
    assert Raffle.objects.get().state == "open"


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
    assert faults(void(raffle_id, reason="x" * 501)) == {
        "reason": ["Ensure this field has no more than 500 characters."]
    }
    assert Raffle.objects.get().state == "open"
    assert void(raffle_id, reason="x" * 500).status_code == 200


@pytest.mark.parametrize("word", ["true", 1, 0, "no", None, [], 1.0])
def test_void_takes_true_and_false_alone(word: object) -> None:
    raffle_id = created()["id"]
    assert list(faults(void(raffle_id, redraw=word))) == ["redraw"]
    assert Raffle.objects.get().state == "open"
