"""What tests of events do: schedule, take part, let time pass and run, all over the API."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import time_machine
from django.core.management import call_command

from events.domain.calendar import forget_events
from raffles.tests.api.acting import caller, refused

if TYPE_CHECKING:  # a name of the stubs alone
    from rest_framework.response import _MonkeyPatchedResponse as Answer

__all__ = ["NOW", "caller", "refused"]

MANAGER = "123.123.123.123"
NOW = datetime(2026, 2, 10, 6, tzinfo=UTC)  # seven in Paris; the first draw is an hour later
DRAW = NOW + timedelta(hours=1)
DAY = timedelta(days=1)

FULL = (410, "sold_out", "Tickets to this draw are no longer available")
NO_DRAW = (410, "no_draw", "Tickets to this draw are no longer available")
ENTERED = (403, "already_entered", "You have already participated in this draw")


def terms(**changes: Any) -> dict[str, Any]:
    """Return the body of a request that schedules a draw at eight every day in Paris."""
    return {
        "name": "Breakfast",
        "slug": "breakfast",
        "start_date": "2026-02-10",
        "draw_time": "08:00",
        "time_zone": "Europe/Paris",
        "frequency": "daily",
        "max_participants": 3,
        "default_reward": {"name": "Coffee"},
    } | changes


def at(moment: datetime) -> time_machine.travel:
    """Return a context in which time stands still at a moment."""
    return time_machine.travel(moment, tick=False)


def manage(method: str, path: str, body: Any = None, now: datetime = NOW) -> Answer:
    """Send a request as the manager, and return the answer."""
    with at(now):
        answer: Answer = getattr(caller(MANAGER), method)(path, body)
    forget_events()  # on a commit, which a test's own transaction has none of
    return answer


def scheduled(now: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """Schedule an event, and return the answer."""
    answer = manage("post", "/events/", terms(**changes), now)
    assert answer.status_code == 201, answer.json()
    body: dict[str, Any] = answer.json()
    return body


def participate(
    username: str,
    order_id: str | None = None,
    *,
    slug: str = "breakfast",
    now: datetime = NOW,
    address: str = "198.51.100.1",
    email: str | None = None,
    accepts: str | None = None,
    **headers: Any,
) -> Answer:
    """Ask for a ticket."""
    body = {"username": username} | ({"order_id": order_id} if order_id else {})
    body |= {"email": email} if email is not None else {}
    body |= {"accepts": accepts} if accepts is not None else {}
    with at(now):
        return caller(address).post(f"/events/{slug}/participate/", body, **headers)


def taken(username: str, order_id: str | None = None, **options: Any) -> dict[str, Any]:
    """Take part and return the new ticket."""
    answer = participate(username, order_id, **options)
    assert answer.status_code == 201, answer.json()
    body: dict[str, Any] = answer.json()
    return body


def read(path: str, now: datetime = NOW) -> Any:
    """Return what anybody reads at an address."""
    with at(now):
        answer = caller().get(path)
    assert answer.status_code == 200, answer.json()
    return json.loads(answer.getvalue())  # a proof is streamed


def run(now: datetime, *arguments: str) -> list[str]:
    """Run `draw_winners` at a moment and return its lines; every step must succeed."""
    written = StringIO()
    with at(now):
        call_command("draw_winners", *arguments, stdout=written)
    return written.getvalue().splitlines()
