"""What was announced stays as it is, but for the names of winners, which can be taken out of it."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from raffles.migrations._guards import Guard, changed, drop_guards, make_guards

_NAMED = 100  # winners at the most that an announcement names
_BEFORE = (Guard("announcement_unchangeable", "raffles_announcement", "UPDATE"),)
_FIXED = changed("id", "sequence", "kind", "raffle_id", "announced_at", "announced_by")


def _guards(vendor: str) -> tuple[Guard, ...]:
    if vendor == "postgresql":
        paths = (f"ARRAY['winners', '{n}', 'username']" for n in range(_NAMED))
        without = " #- ".join(["{}.payload", *paths])
        # Contained, so that a name can go and none can come.
        is_kept = "OLD.payload @> NEW.payload"
    else:
        paths = ", ".join(f"'$.winners[{n}].username'" for n in range(_NAMED))
        without = f"json_remove({{}}.payload, {paths})"
        is_kept = "length(NEW.payload) <= length(OLD.payload)"
    is_same = f"({without.format('NEW')}) = ({without.format('OLD')})"
    unchangeable = f"{_FIXED} OR NOT ({is_kept} AND {is_same})"
    return (
        Guard("announcement_unchangeable", "raffles_announcement", "UPDATE", when=unchangeable),
    )


def make(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Put the guard in the place of the one that lets nothing go."""
    drop_guards(editor, _BEFORE)
    make_guards(editor, _guards(editor.connection.vendor))


def drop(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Put back the one before."""
    drop_guards(editor, _guards(editor.connection.vendor))
    make_guards(editor, _BEFORE)


class Migration(migrations.Migration):
    dependencies = [("raffles", "0008_acts_by_deed")]
    operations = [migrations.RunPython(make, drop)]
