"""The Atom feed of winners, as a reader sees it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from django.test import Client

from raffles.domain.prizes import replace_winner
from raffles.models import State
from raffles.tests.factories import NOW, STAFF, RaffleFactory

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"


def entries(client: Client, path: str = "/winners.atom") -> list[dict[str, str]]:
    """Return the entries of the feed, by the names of their elements."""
    response = client.get(path)
    assert (response.status_code, response["Content-Type"]) == (
        200,
        "application/atom+xml; charset=utf-8",
    )
    return [
        {each.tag.removeprefix(ATOM): each.text or each.attrib.get("href", "") for each in entry}
        for entry in ElementTree.fromstring(response.content).findall(f"{ATOM}entry")
    ]


def test_feed_without_winners_is_a_feed(client: Client) -> None:
    RaffleFactory.create(state=State.SEALED)
    assert entries(client) == []


def test_feed_tells_draws_and_replacements_latest_first(client: Client) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN, name="Spring <&> raffle")
    winner, alternate = (row.ticket_number() for row in raffle.winners.order_by("rank"))
    replace_winner(raffle.uuid, ticket_number=winner, reason="Away", now=NOW, by=STAFF)

    replaced, drawn = entries(client)

    assert drawn["title"] == "Drawn: Spring <&> raffle"
    assert drawn["summary"] == f"1. ticket {winner}: Phone"
    assert drawn["link"] == f"http://testserver/r/{raffle.uuid}/result/"
    assert drawn["updated"] == "2026-02-10T12:00:00+00:00"
    assert replaced["summary"] == (
        f"Phone: ticket {winner} is replaced by ticket {alternate}. Away"
    )
    assert replaced["id"].startswith("urn:uuid:")
    assert replaced["id"] != drawn["id"]
    assert entries(client) == [replaced, drawn]


def test_names_are_text_to_every_reader_and_break_no_feed(client: Client) -> None:
    for name in ("Buch <Band 2> & Tee", "A\uffffB", "<script>alert(1)</script>"):
        RaffleFactory.create(state=State.DRAWN, name=name, prizes=((name, 1),))

    root = ElementTree.fromstring(client.get("/winners.atom").content)

    told = [
        (
            entry.findtext(f"{ATOM}title"),
            entry.find(f"{ATOM}summary").attrib["type"],  # type: ignore[union-attr]
            str(entry.findtext(f"{ATOM}summary")).partition(": ")[2],
        )
        for entry in root.findall(f"{ATOM}entry")
    ]
    names = ["<script>alert(1)</script>", "A\ufffdB", "Buch <Band 2> & Tee"]
    assert told == [(f"Drawn: {name}", "text", name) for name in names]


def test_feed_is_not_sent_again_until_something_happens(client: Client) -> None:
    RaffleFactory.create(state=State.DRAWN)
    etag = client.get("/winners.atom")["ETag"]

    assert client.get("/winners.atom", headers={"if-none-match": etag}).status_code == 304
    RaffleFactory.create(state=State.DRAWN)
    assert client.get("/winners.atom", headers={"if-none-match": etag}).status_code == 200


def test_feed_says_how_many_winners_it_leaves_out(client: Client) -> None:
    RaffleFactory.create(state=State.DRAWN, total_tickets=102, prizes=(("Mug", 102),))

    (drawn,) = entries(client)

    assert drawn["summary"].splitlines()[-1] == "and 2 more"
    assert len(drawn["summary"].splitlines()) == 101
