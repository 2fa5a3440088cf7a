"""What a raffle's frame shows, and who may frame it."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from raffles.models import State, Winner
from raffles.tests.factories import NOW, RaffleFactory
from raffles.tests.pages.visiting import text_of, visitor

pytestmark = pytest.mark.django_db
CLUBS = ["https://club.example.org", "http://127.0.0.1:8080"]


@pytest.fixture
def clubs(settings: Settings) -> None:
    """Let two pages frame raffles."""
    settings.EMBED_ORIGINS = CLUBS


def test_nothing_is_framed_unless_somebody_may(client: object) -> None:
    raffle = RaffleFactory.create()

    for path in ("", "state/"):
        response = visitor().get(f"/embed/r/{raffle.uuid}/{path}")
        assert (response.status_code, response["X-Frame-Options"]) == (404, "DENY")
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"]


@pytest.mark.usefixtures("clubs")
def test_frames_and_nothing_else_may_be_framed_by_those_who_are_named() -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)

    for path in (f"/embed/r/{raffle.uuid}/", f"/embed/r/{raffle.uuid}/state/"):
        response = visitor().get(path)
        policy = response["Content-Security-Policy"].split("; ")
        assert f"frame-ancestors {' '.join(CLUBS)}" in policy
        assert {"default-src 'none'", "script-src 'self'", "base-uri 'none'"} <= set(policy)
        assert "X-Frame-Options" not in response
        assert not response.cookies
        assert visitor().post(path).status_code == 405
    for path in (f"/r/{raffle.uuid}/", f"/r/{raffle.uuid}/result/", "/", "/admin/login/"):
        response = visitor().get(path)
        assert response["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"]


@pytest.mark.usefixtures("clubs")
def test_frame_of_nothing_says_so_inside() -> None:
    response = visitor().get(f"/embed/r/{uuid4()}/")

    assert response.status_code == 404
    assert "X-Frame-Options" not in response


@pytest.mark.usefixtures("clubs")
@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"tickets": 1}, "Phone 2 of 3 tickets left Take part"),
        ({"tickets": 3}, "Tickets are gone. The draw comes next."),
        ({"state": State.CLOSED}, "Entries are closed. We are sealing the tickets."),
        ({"state": State.SEALED}, "3 tickets are sealed. The winners follow in a moment."),
        ({"state": State.VOID}, "This raffle was called off. Called off"),
    ],
)
def test_frame_follows_the_raffle(terms: dict[str, object], said: str) -> None:
    raffle = RaffleFactory.create(**terms)

    for path in ("", "state/"):
        assert said in text_of(visitor().get(f"/embed/r/{raffle.uuid}/{path}"))


@pytest.mark.usefixtures("clubs")
def test_frame_counts_down_to_a_known_time() -> None:
    raffle = RaffleFactory.create(closes_at=NOW + timedelta(days=9999))

    body = visitor().get(f"/embed/r/{raffle.uuid}/").content.decode()

    assert 'data-countdown="' in body
    assert f'href="/r/{raffle.uuid}/"' in body


@pytest.mark.usefixtures("clubs")
def test_frame_shows_the_first_winners_at_a_constant_cost(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    raffle = RaffleFactory.create(
        total_tickets=6, prizes=(("Phone", 1), ("Book", 4)), state=State.DRAWN
    )
    first, second, third = (w.ticket_number() for w in Winner.objects.order_by("rank")[:3])

    with django_assert_num_queries(9):
        text = text_of(visitor().get(f"/embed/r/{raffle.uuid}/"))

    assert f"Phone Ticket {first} Book Ticket {second} Book Ticket {third}" in text
    assert "The random number is vouched for by the operator only." in text
    assert "Check it See the whole result ! The random number" in text
