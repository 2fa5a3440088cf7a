"""Rules of an event: accepted for the next draw, and kept by a date from its first ticket on."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from events.domain.rewards import duplicate_event
from events.tests.acting import DRAW, NOW, caller, manage, participate, read, refused, scheduled
from raffles.models import Raffle, Rules, Ticket
from raffles.tests.api.acting import faults
from raffles.tests.pages.visiting import press

pytestmark = pytest.mark.django_db
OLD, NEW = "Be fair.\n", "Be fair, and 18.\n"
OLD_HASH, NEW_HASH = (sha256(text.encode()).hexdigest() for text in (OLD, NEW))
ACCEPT = (400, "accept_rules", "Accept the rules to take part")


def enter(name: str, accepts: str | None, **options: Any) -> Any:
    return participate(name, accepts=accepts, **options)


def test_event_tells_which_rules_its_next_draw_has() -> None:
    event = scheduled(rules="Be fair.\r\n")
    assert (event["rules_hash"], event["next_draw"]["rules_hash"]) == (OLD_HASH, OLD_HASH)
    assert "rules" not in event
    assert read("/events/upcoming/")[0]["rules_hash"] == OLD_HASH
    assert caller().get(f"/rules/{OLD_HASH}.txt").content.decode() == OLD


def test_without_the_hash_nothing_is_opened() -> None:
    scheduled(rules=OLD)
    for accepts in (None, "", NEW_HASH):
        assert refused(enter("alice", accepts)) == ACCEPT
    assert not Raffle.objects.exists()
    assert enter("alice", OLD_HASH).status_code == 201
    assert refused(enter("bob", NEW_HASH)) == ACCEPT
    assert Raffle.objects.get().terms()["rules_hash"] == OLD_HASH


def test_date_keeps_the_rules_of_its_first_ticket() -> None:
    scheduled(rules=OLD)
    assert enter("alice", OLD_HASH).status_code == 201
    changed = manage("patch", "/events/breakfast/", {"rules": NEW}).json()
    assert (changed["rules_hash"], changed["next_draw"]["rules_hash"]) == (NEW_HASH, OLD_HASH)
    assert refused(enter("bob", NEW_HASH)) == ACCEPT
    assert enter("bob", OLD_HASH).status_code == 201
    assert refused(enter("bob", OLD_HASH, now=DRAW)) == ACCEPT  # that is the next date
    assert enter("bob", NEW_HASH, now=DRAW).status_code == 201
    draws = [draw["rules_hash"] for draw in read("/events/breakfast/draws/", DRAW)]
    assert draws[-2:] == [NEW_HASH, OLD_HASH]
    assert {rules.text for rules in Rules.objects.all()} == {OLD, NEW}  # both stay readable


@pytest.mark.parametrize("once", [{"order_id": "A-1"}, {"HTTP_IDEMPOTENCY_KEY": "once"}])
def test_repeat_brings_its_ticket_also_where_the_next_draw_has_other_rules(
    once: dict[str, str],
) -> None:
    scheduled(rules=OLD)
    first = enter("alice", OLD_HASH, **once).json()
    manage("patch", "/events/breakfast/", {"rules": NEW})
    for accepts, now in ((OLD_HASH, NOW), (None, NOW), (OLD_HASH, DRAW), (NEW_HASH, DRAW)):
        again = enter("alice", accepts, now=now, **once)
        assert again.status_code == (200 if "order_id" in once else 201)
        assert again.json() == first
    assert refused(enter("bob", OLD_HASH, now=DRAW)) == ACCEPT
    assert Ticket.objects.count() == 1


def test_rules_can_be_taken_away_and_other_changes_leave_them() -> None:
    scheduled(rules=OLD)
    assert manage("patch", "/events/breakfast/", {"name": "B"}).json()["rules_hash"] == OLD_HASH
    assert manage("patch", "/events/breakfast/", {"rules": ""}).json()["rules_hash"] == ""
    assert enter("alice", None).status_code == 201


@pytest.mark.parametrize("rules", ["a\u202eb", "x" * 50_001, None, 7, ["a"]])
def test_bad_rules_change_nothing(rules: Any) -> None:
    scheduled(rules=OLD)
    assert list(faults(manage("patch", "/events/breakfast/", {"rules": rules}))) == ["rules"]
    assert read("/events/breakfast/")["rules_hash"] == OLD_HASH


def test_older_ticket_path_cannot_accept() -> None:
    event = scheduled(rules=OLD)
    path = f"/ticket/alice?eventID={event['id']}"
    assert refused(caller().get(path)) == ACCEPT
    assert not Ticket.objects.exists()


def test_page_keeps_what_was_typed_beside_the_missing_tick() -> None:
    scheduled(rules=OLD)
    path = "/e/breakfast/"
    page = caller().get(path).content.decode()
    assert f'value="{OLD_HASH}" required>' in page
    assert f'href="/rules/{OLD_HASH}/"' in page
    answer = press(path, username="Zoë", email="zoe@example.org")
    said = answer.content.decode()
    assert answer.status_code == 400
    assert 'id="accepts_error">Accept the rules to take part.' in said
    assert 'value="Zoë"' in said
    assert 'value="zoe@example.org"' in said
    both = press(path, username="", email="zoe@example.org").content.decode()
    assert both.count('class="fault"') == 2
    ticked = press(path, username="", accepts=OLD_HASH).content.decode()
    assert f'value="{OLD_HASH}" required checked>' in ticked
    done = press(path, username="Zoë", accepts=OLD_HASH)
    assert done.status_code == 201


def test_copy_of_an_event_has_its_rules() -> None:
    event = scheduled(rules=OLD)
    how: dict[str, Any] = {"has_rewards": False, "is_paused": False, "now": NOW, "by": "staff"}
    duplicate_event(event["id"], name="Copy", slug="copy", **how)
    assert read("/events/copy/")["rules_hash"] == OLD_HASH
