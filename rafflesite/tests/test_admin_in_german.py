"""The back office speaks German whole: what reads the same in both languages is no sentence."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client

from events.domain.calendar import forget_events
from raffles.models import Endpoint, LogEntry
from raffles.tests.factories import NOW, RaffleFactory
from raffles.tests.test_admin_access import address_of, requests, rows
from raffles.web.zones import zones

pytestmark = [pytest.mark.django_db, pytest.mark.once]
__all__ = ["rows"]

READ = ("title", "alt", "placeholder", "aria-label", "data-write", "data-over", "data-words")
# What reads the same in German, or is a name, a word for programs, or Django's own in English.
SAME = re.compile(
    r"""(›\ )?(
    \W* | .{1,2}
    | [\d:,. -]+(UTC|CET|Jan|×\ \w+)? | \d{4}-\d\d-\d\d.* | [0-9a-f-]{36} | [0-9a-f]{64} | \{.*\}
    | (raffle|event|manager|staff|user|endpoint)(\ [\w-]+)?(:\ [\w.]+)? | [a-z]+\.[a-z_.]+ | 1\ key
    | API | CSV | UTC | UUID | Export | Index | Name:? | Rate:? | Status:? | Slug | Partner | System
    | daily | weekly | monthly | yearly | draw_winners | https?://\S+
    | Search | True | False | None | Group-permission.* | (Can|[\w\ ]+\ \|).*
    | Code: | Filter | Manager | Operator | Auditor | ada | somebody | alice
    | ‹\ (\w+\ )?2026 | testserver/.*
    | Breakfast.* | breakfast | Coffee | Cup | Phone | (Export:\ )?Spring\ raffle
    | Shop.* | Rain | :?\ ?Ill | the\ (service|first\ ticket)
    )""",
    re.VERBOSE,
)


class Texts(HTMLParser):
    """What is read on a page, in its order: texts, buttons, and what is told of an element."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in ("script", "style", "code", "pre", "textarea")
        said = dict(attrs)
        names = [*READ, "value"] if tag == "input" and said.get("type") == "submit" else READ
        self.found += [said[name] or "" for name in names if name in said]

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("script", "style", "code", "pre", "textarea")

    def handle_data(self, data: str) -> None:
        if not self.silent and data.strip():
            self.found.append(" ".join(data.split()))


def texts_of(client: Client, address: str, language: str) -> set[str]:
    """Return what is read at an address."""
    forget_events()
    response = client.get(address, headers={"Accept-Language": language})
    if not response.get("Content-Type", "").startswith("text/html") or response.streaming:
        return set()
    page = Texts()
    page.feed(response.content.decode())
    return set(page.found)


def test_no_page_of_the_admin_has_an_english_sentence(rows: dict[str, Model]) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    same: dict[str, list[str]] = {}
    read = {name for name, method, _ in requests() if method == "GET"}
    alike = {name for name in read if name.endswith("_history")} - {"raffles_raffle_history"}
    for name in {"index", "password_change", *read} - alike:
        address = address_of(name, rows)
        english = texts_of(client, address, "en")
        for text in english & texts_of(client, address, "de"):
            same.setdefault(text, []).append(name)
    said = {text: where for text, where in same.items() if text not in zones()}
    assert sorted(text for text in said if not SAME.fullmatch(text)) == []


def test_record_and_api_stay_english() -> None:
    client = Client(headers={"Accept-Language": "de"})
    client.force_login(User.objects.create_superuser("ada"))
    endpoint = Endpoint.objects.create(channel="winners", created_at=NOW)
    full = RaffleFactory.create(total_tickets=1, tickets=1)

    client.post(f"/admin/raffles/endpoint/{endpoint.pk}/delete/", {"post": "yes"})
    refused = client.post(
        f"/raffles/{full.uuid}/participate/",
        content_type="application/json",
        REMOTE_ADDR="198.51.100.9",
    )
    page = client.post(f"/admin/raffles/raffle/{full.pk}/change/", follow=True).content.decode()

    deletion = LogEntry.objects.get(action="endpoint.deleted")
    assert deletion.subject == f"endpoint {endpoint.pk}"
    assert deletion.details["name"] == "e-mail to winners"
    assert refused.json()["detail"] == "Tickets to this raffle are no longer available"
    assert "Die Verlosung hat Lose; ihre Bedingungen lassen sich nicht mehr ändern" in page
