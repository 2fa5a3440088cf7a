"""Posters of raffles and events: the way to the page where people take part, on one sheet."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
import segno
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from events.models import Event
from events.tests.acting import NOW, at, scheduled
from raffles.models import State
from raffles.tests.factories import RaffleFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client, settings: Settings) -> Client:
    settings.PUBLIC_URL = "https://draws.example.org"
    with at(NOW):
        client.force_login(User.objects.create_superuser("sam"))
    return client


def poster(staff: Client, kind: str, pk: int, language: str = "en") -> str:
    with at(NOW):
        answer = staff.get(
            reverse(f"admin:{kind}_poster", args=[pk]), headers={"Accept-Language": language}
        )
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def drawing(address: str) -> str:
    """Return the path that a QR code of an address draws."""
    svg = segno.make(address, error="m").svg_inline(border=4, omitsize=True)
    return svg.split('class="qrline"')[1].split(' d="')[1].split('"')[0]


def test_poster_of_a_raffle(staff: Client) -> None:
    closes_at = NOW + timedelta(days=3)
    raffle = RaffleFactory.create(
        name="Summer <fair>", closes_at=closes_at, now=NOW, time_zone="Europe/Paris"
    )
    page = poster(staff, "raffles_raffle", raffle.pk)
    assert "<h1>Summer <fair></h1>" in page
    assert "Draw on 13 February 2026, 07:00 CET" in page
    address = f"draws.example.org/r/{raffle.uuid}/"
    assert f'<p class="address">{address}</p>' in page
    assert drawing(f"https://{address}") in page
    german = poster(staff, "raffles_raffle", raffle.pk, "de")
    assert "Scannen und mitmachen" in german
    assert "am 13. Februar 2026, 07:00 CET" in german


def test_poster_of_an_event_has_its_default_reward_and_no_date(staff: Client) -> None:
    scheduled()
    page = poster(staff, "events_event", Event.objects.get().pk)
    assert "<li>1 × Coffee</li>" in page
    assert "Draw on" not in page
    assert '<p class="address">draws.example.org/e/breakfast/</p>' in page


def test_raffle_that_is_drawn_has_no_poster_to_print(staff: Client) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN, now=NOW)
    with at(NOW):
        answer = staff.get(reverse("admin:raffles_raffle_change", args=[raffle.pk]))
    assert "../poster/" not in answer.content.decode()
