"""Guards: a date stands as it was opened, and so does its reward."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from raffles.migrations._guards import Guard, changed, drop_guards, make_guards

_OPENED = (
    "EXISTS (SELECT 1 FROM events_occurrence o "
    "WHERE o.event_id = {0}.event_id AND o.date = {0}.date)"
)
_TOO_MANY = "NEW.reward_amount > (SELECT e.max_participants FROM events_event e WHERE e.id = {})"

GUARDS = (
    Guard("event_slug_fixed", "events_event", "UPDATE", when=changed("id", "slug")),
    Guard(
        "event_tickets_within_rewards",
        "events_event",
        "UPDATE",
        when="NEW.max_participants < OLD.max_participants",
        also="EXISTS (SELECT 1 FROM events_reward r "
        "WHERE r.event_id = NEW.id AND r.reward_amount > NEW.max_participants)",
    ),
    Guard(
        "reward_within_tickets",
        "events_reward",
        "INSERT",
        also=_TOO_MANY.format("NEW.event_id"),
    ),
    Guard(
        "reward_still_within_tickets",
        "events_reward",
        "UPDATE",
        also=_TOO_MANY.format("NEW.event_id"),
    ),
    Guard("reward_frozen_insert", "events_reward", "INSERT", also=_OPENED.format("NEW")),
    Guard(
        "reward_frozen",
        "events_reward",
        "UPDATE",
        also=f"{_OPENED.format('OLD')} OR {_OPENED.format('NEW')}",
    ),
    Guard("reward_frozen_delete", "events_reward", "DELETE", also=_OPENED.format("OLD")),
    Guard("occurrence_unchangeable", "events_occurrence", "UPDATE"),
    Guard("occurrence_kept", "events_occurrence", "DELETE"),
)


def make(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the guards."""
    make_guards(editor, GUARDS)


def drop(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Remove what `make` created."""
    drop_guards(editor, GUARDS)


class Migration(migrations.Migration):
    dependencies = [("events", "0002_calendar"), ("raffles", "0003_through_events")]
    operations = [migrations.RunPython(make, drop)]
