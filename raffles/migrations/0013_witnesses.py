"""Witnesses of the operator's log: how they are asked, and what they answered."""

from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from raffles.migrations._guards import Guard, drop_guards, make_guards

_GUARDS = (
    Guard("witness_answer_unchangeable", "raffles_witnessanswer", "UPDATE"),
    Guard("witness_answer_kept", "raffles_witnessanswer", "DELETE"),
)


def make(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Keep what was answered as it came."""
    make_guards(editor, _GUARDS)


def drop(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Let the table go."""
    drop_guards(editor, _GUARDS)


class Migration(migrations.Migration):
    dependencies = [
        ("raffles", "0012_draw_protocol_2"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuthorityKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("url", models.CharField(max_length=500)),
                ("key", models.CharField(max_length=64)),
                ("ends_at", models.DateTimeField()),
                ("learned_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("-ends_at", "key"),
                "constraints": [
                    models.UniqueConstraint(fields=("url", "key"), name="authority_key_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Witness",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("url", models.CharField(max_length=500, unique=True)),
                ("size", models.BigIntegerField(default=0)),
                ("fence", models.BigIntegerField(default=0)),
                ("leased_until", models.DateTimeField(null=True)),
                ("rests_until", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("size__gte", 0)), name="witness_has_size"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WitnessAnswer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("cosignature", "Cosignature"), ("token", "Token")], max_length=11
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("key", models.CharField(max_length=64)),
                ("size", models.BigIntegerField()),
                ("root", models.BinaryField(max_length=32)),
                ("at", models.BigIntegerField()),
                ("content", models.BinaryField(max_length=16384)),
            ],
            options={
                "ordering": ("size", "name", "key"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("size", "kind", "name", "key"), name="witness_answer_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["cosignature", "token"])),
                        name="witness_answer_kind_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("size__gte", 1)), name="witness_answer_has_checkpoint"
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="draw",
            index=models.Index(
                condition=models.Q(("drawn_at__isnull", True), ("voided_at__isnull", True)),
                fields=["round"],
                name="draw_waiting",
            ),
        ),
        migrations.RunPython(make, drop),
    ]
