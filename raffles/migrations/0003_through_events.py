"""Entries through an event: whose raffle it is, and what such a ticket says besides.

Every new column may be null: SQLite makes a table anew for one that may not, and its triggers go
with the old one. So it does for the announcements, whose guard is made again.
"""

from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from raffles.migrations._guards import Guard, changed, drop_guards, make_guards

_SET_ANEW = "(NEW.{0} IS NOT NULL AND NEW.{0} IS DISTINCT FROM OLD.{0})"

GUARDS = (
    Guard("raffle_series_fixed", "raffles_raffle", "UPDATE", when=changed("series")),
    Guard(
        "ticket_entrant_unchangeable",
        "raffles_ticket",
        "UPDATE",
        when=" OR ".join(
            [
                *map(_SET_ANEW.format, ("username", "address_tag")),
                changed("order_tag"),
            ]
        ),
    ),
)
_LOST_ON_SQLITE = (Guard("announcement_unchangeable", "raffles_announcement", "UPDATE"),)


def make(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the guards, and again the one that went with its table."""
    make_guards(editor, GUARDS)
    if editor.connection.vendor == "sqlite":
        make_guards(editor, _LOST_ON_SQLITE)


def drop(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Remove the guards; the announcements' is not this migration's."""
    drop_guards(editor, GUARDS)


class Migration(migrations.Migration):
    dependencies = [("raffles", "0002_guards")]
    operations = [
        migrations.AddField(
            "raffle",
            "series",
            models.CharField(editable=False, max_length=50, null=True),
        ),
        migrations.AddField("ticket", "username", models.CharField(max_length=150, null=True)),
        migrations.AddField("ticket", "order_tag", models.BinaryField(max_length=16, null=True)),
        migrations.AddField("ticket", "address_tag", models.BinaryField(max_length=16, null=True)),
        migrations.AddConstraint(
            "ticket",
            models.UniqueConstraint(
                condition=models.Q(("order_tag__isnull", False)),
                fields=("order_tag",),
                name="ticket_order_once",
            ),
        ),
        migrations.AddConstraint(
            "ticket",
            models.UniqueConstraint(
                condition=models.Q(("address_tag__isnull", False)),
                fields=("raffle", "address_tag"),
                name="ticket_address_once",
            ),
        ),
        migrations.AddIndex(
            "draw",
            models.Index(
                condition=models.Q(("drawn_at__isnull", False)),
                fields=["drawn_at"],
                name="draw_by_time",
            ),
        ),
        migrations.AlterField(
            "announcement",
            "raffle",
            models.ForeignKey(
                null=True,
                on_delete=models.PROTECT,
                related_name="announcements",
                to="raffles.raffle",
            ),
        ),
        migrations.RunPython(make, drop),
    ]
