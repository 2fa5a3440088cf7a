"""A finished raffle stays as it is, but for how much of its winners' names is shown."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from raffles.migrations._guards import Guard, changed, drop_guards, make_guards

_NAME, _TABLE = "raffle_finished_unchangeable", "raffles_raffle"
_FINISHED = "OLD.state IN ('drawn', 'void')"
_BEFORE = (Guard(_NAME, _TABLE, "UPDATE", when=_FINISHED),)
_ALL_BUT_PRIVACY = changed(
    *("id", "uuid", "name", "total_tickets", "alternates", "entropy", "closes_at", "time_zone"),
    *("claim_days", "claim_place", "promotes_alternates", "event_slug", "operator", "entry"),
    "witnesses",
    *("state", "numbering_key", "ticket_key_id", "created_at", "created_by"),
    *("request_tag", "request_digest", "voided_at", "void_reason"),
)


_GUARDS = (Guard(_NAME, _TABLE, "UPDATE", when=f"{_FINISHED} AND ({_ALL_BUT_PRIVACY})"),)


def make(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Put the guard in the place of the one that keeps names shown for good."""
    drop_guards(editor, _BEFORE)
    make_guards(editor, _GUARDS)


def drop(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Put back the one before."""
    drop_guards(editor, _GUARDS)
    make_guards(editor, _BEFORE)


class Migration(migrations.Migration):
    dependencies = [("raffles", "0018_turns_of_runs")]
    operations = [migrations.RunPython(make, drop)]
