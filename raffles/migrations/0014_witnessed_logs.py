"""What a witness has seen: nothing that was signed is ever taken back."""

from typing import Any

import django.db.models.deletion
import raffles.models.witnessed
from django.db import migrations, models

from raffles.migrations._guards import Guard, changed, drop_guards, make_guards

GUARDS = (
    Guard(
        "witnessed_log_never_back",
        "raffles_witnessedlog",
        "UPDATE",
        when="NEW.size < OLD.size"
        f" OR (NEW.size = OLD.size AND ({changed('root')}))"
        f" OR {changed('origin')}"
        f" OR (OLD.refused_at IS NOT NULL AND ({changed('refused_at', 'flaw')}))",
    ),
    Guard("witnessed_log_kept", "raffles_witnessedlog", "DELETE"),
)


def make(_apps: Any, editor: Any) -> None:
    """Guard the memory of what was signed."""
    make_guards(editor, GUARDS)


def drop(_apps: Any, editor: Any) -> None:
    """Take the guards away."""
    drop_guards(editor, GUARDS)


class Migration(migrations.Migration):
    dependencies = [("raffles", "0013_witnesses")]
    operations = [
        migrations.CreateModel(
            name="WitnessedLog",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("origin", models.CharField(max_length=200)),
                ("size", models.BigIntegerField(default=0)),
                (
                    "root",
                    models.BinaryField(default=raffles.models.witnessed.EMPTY_ROOT, max_length=32),
                ),
                ("read", models.BigIntegerField(default=0)),
                ("frontier", models.BinaryField(default=b"")),
                ("flaw", models.CharField(blank=True, default="", max_length=200)),
                ("refused_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("origin",), name="witnessed_log_once"),
                    models.CheckConstraint(
                        condition=models.Q(refused_at=None) | ~models.Q(flaw=""),
                        name="witnessed_log_refused_for_a_flaw",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WitnessedSeal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("raffle_uuid", models.UUIDField()),
                ("n", models.BigIntegerField()),
                (
                    "log",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="seals",
                        to="raffles.witnessedlog",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("log", "raffle_uuid"), name="witnessed_seal_once"
                    ),
                ],
            },
        ),
        migrations.RunPython(make, drop),
    ]
