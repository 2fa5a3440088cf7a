"""A deadline may be extended until somebody claims, a slip at the counter taken back at once;
managers note a claim without the code."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from raffles.migrations._guards import Guard, changed, drop_guards, make_guards

_MOVED = "(OLD.{0} IS NOT NULL AND NEW.{0} IS DISTINCT FROM OLD.{0})"
_FIXED = [_MOVED.format(name) for name in ("notified_at", "claimed_at", "forfeited_at")]
_MOMENTS = [*_FIXED, _MOVED.format("handed_over_at")]
_HANDED = (
    "(OLD.handed_over_at IS NOT NULL AND NEW.handed_over_at IS NOT NULL "
    "AND NEW.handed_over_at <> OLD.handed_over_at)"
)
_SHORTENED = (
    "(NEW.claim_until IS DISTINCT FROM OLD.claim_until AND NOT COALESCE("
    "NEW.claim_until > OLD.claim_until AND OLD.claimed_at IS NULL AND OLD.forfeited_at IS NULL, "
    "FALSE))"
)
_NAME, _TABLE = "handover_unchangeable", "raffles_handover"
BEFORE = Guard(
    _NAME,
    _TABLE,
    "UPDATE",
    when=" OR ".join([changed("id", "winner_id", "claim_until"), *_MOMENTS]),
)
AFTER = Guard(
    _NAME, _TABLE, "UPDATE", when=" OR ".join([changed("id", "winner_id"), _SHORTENED, _HANDED, *_FIXED])
)


def extend(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Let deadlines move, forward."""
    drop_guards(editor, [BEFORE])
    make_guards(editor, [AFTER])


def keep(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Keep deadlines as they were set."""
    drop_guards(editor, [AFTER])
    make_guards(editor, [BEFORE])


class Migration(migrations.Migration):
    dependencies = [("raffles", "0015_raffle_zone")]
    operations = [
        migrations.RunPython(extend, keep),
        migrations.AlterModelOptions(
            name="handover",
            options={"permissions": (("claim_without_code", "Can note a claim without the code"),)},
        ),
    ]
