"""Each "never" of the calendar, broken on purpose behind the domain's back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from events.models import Event, Heartbeat, Occurrence, Reward, Setback
from events.tests.acting import NOW, manage, scheduled, taken
from raffles.domain.locking import violated

pytestmark = pytest.mark.django_db
ON_POSTGRESQL = connection.vendor == "postgresql"
Break = Callable[[], object]


def again(model: type[models.Model], **changes: Any) -> Break:
    """Return a bare INSERT of the first row once more, with other values here and there."""

    def copy() -> None:
        row = model._default_manager.order_by("pk")[0]
        row.pk, row._state.adding = None, True
        for name, value in changes.items():
            setattr(row, name, value)
        row.save(force_insert=True)

    return copy


def update(model: type[models.Model], **values: Any) -> Break:
    """Return a bare UPDATE."""
    return lambda: model._default_manager.update(**values)


def delete(model: type[models.Model]) -> Break:
    """Return a bare DELETE, without Django's own protection."""
    return lambda: model._default_manager.all()._raw_delete(using="default")


OPENED, TAKEN, FREE = date(2026, 2, 10), date(2026, 2, 12), date(2026, 2, 13)


def free_rewards() -> models.QuerySet[Reward]:
    """Return the reward of the date without a ticket."""
    return Reward.objects.filter(date=TAKEN)


SETBACK = {"error": "x", "failed_at": NOW, "next_try_at": NOW}

BREAKS: list[tuple[str, Break]] = [
    ("event_has_tickets", again(Event, slug="x", max_participants=10_000_001)),
    ("event_reward_amount_positive", again(Event, slug="x", reward_amount=0)),
    ("event_reward_within_tickets", update(Event, reward_amount=4)),
    ("event_rest_within_limit", update(Event, rest_days=367)),
    ("event_tickets_per_holder_within_limit", update(Event, tickets_per_holder=0)),
    ("event_max_wins_per_holder_within_limit", update(Event, max_wins_per_holder=1_000_001)),
    ("event_entry_is_known", update(Event, entry="queue")),
    ("event_privacy_is_known", update(Event, privacy="most")),
    ("event_slug_is_free", again(Event, slug="upcoming")),
    ("event_slug_fixed", update(Event, slug="lunch")),
    ("event_tickets_within_rewards", update(Event, max_participants=1)),
    ("reward_once_a_date", again(Reward, date=TAKEN)),
    ("reward_amount_positive", again(Reward, date=FREE, reward_amount=0)),
    ("reward_within_tickets", again(Reward, date=FREE, reward_amount=4)),
    ("reward_still_within_tickets", lambda: free_rewards().update(reward_amount=4)),
    ("reward_frozen_insert", again(Reward, date=OPENED)),
    ("reward_frozen", lambda: Reward.objects.filter(date=OPENED).update(reward_name="Tea")),
    ("reward_frozen", lambda: free_rewards().update(date=OPENED)),
    ("reward_frozen_delete", delete(Reward)),
    ("occurrence_once_a_date", again(Occurrence, raffle=None)),
    ("occurrence_unchangeable", update(Occurrence, reward_name="Tea")),
    ("occurrence_kept", delete(Occurrence)),
    ("heartbeat_one", lambda: Heartbeat.objects.create(pk=2, ran_at=NOW)),
    ("setback_of_one", lambda: Setback.objects.create(**SETBACK)),
]
DELETIONS = {"reward_frozen_delete", "occurrence_kept"}
UNIQUE_BY_COLUMNS = {
    ", ".join(f"{model._meta.db_table}.{column}" for column in ("event_id", "date")): name
    for model, name in ((Reward, "reward_once_a_date"), (Occurrence, "occurrence_once_a_date"))
}


@pytest.fixture
def calendar() -> None:
    """Create an event with rewards on the 10th and the 12th; the 10th has a ticket."""
    scheduled()
    for day in ("2026-02-10", "2026-02-12"):
        manage("put", f"/events/breakfast/rewards/{day}/", {"name": "Phone", "amount": 2})
    taken("alice")


@pytest.mark.parametrize(("name", "unlawful"), BREAKS, ids=[name for name, _ in BREAKS])
@pytest.mark.usefixtures("calendar")
def test_database_refuses(name: str, unlawful: Break) -> None:
    if name in DELETIONS and not ON_POSTGRESQL:
        pytest.skip("SQLite guards no deletion: it would break the flush of the tests")
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        unlawful()
    error = refused.value
    columns = str(error).partition("UNIQUE constraint failed: ")[2]
    assert UNIQUE_BY_COLUMNS.get(columns, violated(error)) == name


def test_every_constraint_and_guard_is_broken_above() -> None:
    constraints = {
        constraint.name
        for model in apps.get_app_config("events").get_models()
        for constraint in model._meta.constraints
    }
    broken = {name for name, _ in BREAKS if ON_POSTGRESQL or name not in DELETIONS}
    assert broken == constraints | triggers()


def triggers() -> set[str]:
    """Return the triggers on our tables, as the database knows them."""
    statement = (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal "
        "AND tgrelid::regclass::text LIKE 'events%'"
        if ON_POSTGRESQL
        else "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'events%'"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return {name for (name,) in cursor.fetchall()}
