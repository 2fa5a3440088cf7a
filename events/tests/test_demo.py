"""The first look: demo data made once, a walkthrough over real HTTP."""

from __future__ import annotations

import socket
from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from events.management.demo_data import make_demo_data
from events.models import Event
from raffles.domain.prizes import check_ticket
from raffles.management.walkthrough import Client, play, served
from raffles.models import Raffle, State
from raffles.tests.factories import NOW


@pytest.mark.django_db
def test_demo_data_is_made_once() -> None:
    first, second = make_demo_data(lambda: NOW), make_demo_data(lambda: NOW)
    assert Raffle.objects.count() == 5  # with the first date of the event
    assert Event.objects.get() == first.event == second.event
    assert (first.open, first.sold_out, first.drawn) == (
        second.open,
        second.sold_out,
        second.drawn,
    )
    states = [Raffle.objects.get(pk=raffle.pk).state for raffle in (first.open, first.drawn)]
    assert states == [State.OPEN, State.DRAWN]
    ticket = second.ticket
    check_ticket(
        ticket.raffle_id, ticket_number=ticket.ticket_number, code=ticket.verification_code
    )


def test_demo_refuses_without_debug(settings: LazySettings) -> None:
    settings.DEBUG, settings.EPHEMERAL_SECRETS = False, frozenset()
    with pytest.raises(CommandError, match="DEBUG=on"):
        call_command("demo", "--no-server", stdout=StringIO())


@pytest.mark.parametrize(("name", "value"), [("DEBUG", "off"), ("ENV_FILE", "elsewhere")])
def test_demo_writes_no_settings_that_would_not_be_read(
    name: str, value: str, settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENV_FILE", raising=False)
    monkeypatch.setenv(name, value)
    settings.BASE_DIR = tmp_path
    settings.DEBUG, settings.EPHEMERAL_SECRETS = False, frozenset({"SECRET_KEY"})
    with pytest.raises(CommandError, match="DEBUG=on"):
        call_command("demo", "--no-server", stdout=StringIO())
    assert not (tmp_path / ".env").exists()


@pytest.mark.django_db
def test_welcome_tells_the_pages_where_they_are_served(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG, settings.EPHEMERAL_SECRETS, settings.PUBLIC_URL = True, frozenset(), "http://a"
    monkeypatch.delenv("PUBLIC_URL", raising=False)
    said = StringIO()

    call_command("demo", "0.0.0.0:9123", "--no-server", stdout=said)

    url = "http://127.0.0.1:9123"
    assert url == settings.PUBLIC_URL
    open_, drawn = Raffle.objects.get(name="Summer fair"), Raffle.objects.get(name="School trip")
    for path in ("/", f"/r/{open_.uuid}/", f"/r/{drawn.uuid}/stage/", "/e/morning-luck/"):
        assert f" {url}{path}\n" in said.getvalue()


def test_port_that_is_taken_is_said_before_anything_else() -> None:
    said = StringIO()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"127.0.0.1:{port}: Address already in use"):
            call_command("demo", f"127.0.0.1:{port}", stdout=said)
    for wrong in ("here", "127.0.0.1:", "127.0.0.1:0", "70000"):
        with pytest.raises(CommandError, match="host:port"):
            call_command("demo", wrong, stdout=said)
    assert said.getvalue() == ""


@pytest.mark.django_db(transaction=True)
def test_walkthrough_plays_a_whole_raffle(settings: LazySettings) -> None:
    settings.MANAGER_IPS = ["127.0.0.1"]
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    with served() as port:
        steps = {step.act: step.answer for step in play(Client(port), 12)}
    assert steps["take part"] == "12 tickets, numbers 1 to 12 each once"
    assert steps["take part twice"].startswith("403 Your ip address")
    assert steps["take part when sold out"].startswith("410 ")
    assert steps["draw"] == "201, 4 winners"
    assert steps["verify every ticket"] == "12 of 12 agree"
    assert steps["verify the proof"] == "VALID, randomness vouched for by the operator only"
