"""What goes on with a database after an upgrade: tickets, draws, a call-off, each by its API."""

from __future__ import annotations

import json
from typing import Any

from django.core.management import call_command

from raffles.models import Raffle, State
from raffles.tests.api.acting import caller
from raffles.tests.factories import address

MANAGER = "123.123.123.123"


def _post(path: str, who: str, body: Any = None) -> int | str:
    """Return the status, or what a refusal says in one word."""
    answer = caller(who).post(path, body, format="json")
    return answer.status_code if answer.status_code < 400 else str(answer.json()["code"])


def go_on() -> None:
    """Print what each act answered, as JSON."""
    named = {raffle.name: f"/raffles/{raffle.uuid}/" for raffle in Raffle.objects.all()}
    opened = f"{named['Open']}participate/"
    said: dict[str, Any] = {
        "who has a ticket": _post(opened, address(3)),
        "who has none": [_post(opened, f"198.51.100.{n}") for n in range(10)],
        "one too many": _post(opened, "198.51.100.99"),
        "drawn again": _post(f"{named['Drawn']}winners/", MANAGER),
        "drawn": _post(f"{named['Open']}winners/", MANAGER),
        "called off": _post(f"{named['Sealed']}void/", MANAGER, {"reason": "Upgraded"}),
    }
    call_command("draw_winners", verbosity=0)
    for raffle in Raffle.objects.filter(state=State.DRAWN):
        call_command("verify_draw", str(raffle.uuid), verbosity=0)  # raises if it does not agree
    said["states"] = dict(Raffle.objects.order_by("pk").values_list("name", "state"))
    print("\n" + json.dumps(said))
