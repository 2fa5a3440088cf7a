"""The record of who did what, what became of each prize, and until when it may be claimed."""

from typing import Any

import django.core.serializers.json
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from raffles.migrations._guards import Guard, changed, drop_guards, make_guards

_MOVED = "(OLD.{0} IS NOT NULL AND NEW.{0} IS DISTINCT FROM OLD.{0})"
_MOMENTS = ("notified_at", "claimed_at", "handed_over_at", "forfeited_at")

GUARDS = (
    Guard(
        "raffle_claim_terms_frozen",
        "raffles_raffle",
        "UPDATE",
        when=changed("claim_days", "claim_place", "promotes_alternates"),
        also="OLD.state <> 'open' OR EXISTS (SELECT 1 FROM raffles_stripe s "
        "WHERE s.raffle_id = NEW.id AND s.issued > 0)",
    ),
    Guard(
        "handover_unchangeable",
        "raffles_handover",
        "UPDATE",
        when=" OR ".join(
            [changed("id", "winner_id", "claim_until"), *map(_MOVED.format, _MOMENTS)]
        ),
    ),
    Guard("handover_kept", "raffles_handover", "DELETE"),
    Guard("act_unchangeable", "raffles_act", "UPDATE"),
    Guard("act_kept", "raffles_act", "DELETE"),
)


def make(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the guards."""
    make_guards(editor, GUARDS)


def drop(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Remove what `make` created."""
    drop_guards(editor, GUARDS)


class Migration(migrations.Migration):
    dependencies = [
        ("raffles", "0005_claim_function"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="raffle",
            options={
                "ordering": ("-id",),
                "permissions": (
                    ("run_raffle", "Can seal and draw raffles"),
                    ("void_raffle", "Can void raffles"),
                    ("export_raffle", "Can export entries, winners and evidence"),
                ),
            },
        ),
        migrations.AlterModelOptions(
            name="winner",
            options={
                "ordering": ("rank",),
                "permissions": (("hand_over_prize", "Can check codes and hand over prizes"),),
            },
        ),
        migrations.AddField(
            model_name="raffle",
            name="claim_days",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Days after the draw; a prize not claimed by then is forfeited. Empty: no limit.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(366),
                ],
                verbose_name="claim within",
            ),
        ),
        migrations.AddField(
            model_name="raffle",
            name="claim_place",
            field=models.CharField(
                blank=True,
                help_text="Where winners come, in public.",
                max_length=200,
                null=True,
                verbose_name="claim at",
            ),
        ),
        migrations.AddField(
            model_name="raffle",
            name="promotes_alternates",
            field=models.BooleanField(
                blank=True,
                help_text="A forfeited prize goes to the next alternate by itself.",
                null=True,
                verbose_name="promote alternates",
            ),
        ),
        migrations.CreateModel(
            name="Act",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("subject", models.CharField(max_length=120)),
                ("deed", models.CharField(max_length=40)),
                ("at", models.DateTimeField()),
                ("by", models.CharField(max_length=200)),
                ("why", models.CharField(blank=True, default="", max_length=500)),
                ("details", models.JSONField(
                        default=dict,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                    )),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [models.Index(fields=["subject", "id"], name="act_by_subject")],
            },
        ),
        migrations.CreateModel(
            name="Handover",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("claim_until", models.DateTimeField(null=True)),
                ("notified_at", models.DateTimeField(null=True)),
                ("claimed_at", models.DateTimeField(null=True)),
                ("handed_over_at", models.DateTimeField(null=True)),
                ("forfeited_at", models.DateTimeField(null=True)),
                (
                    "winner",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="handover",
                        to="raffles.winner",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(
                            ("claim_until__isnull", False),
                            ("claimed_at__isnull", True),
                            ("forfeited_at__isnull", True),
                        ),
                        fields=["claim_until"],
                        name="handover_pending",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("handed_over_at__isnull", True),
                            ("claimed_at__isnull", False),
                            _connector="OR",
                        ),
                        name="handover_after_claim",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("handed_over_at__isnull", True),
                            ("forfeited_at__isnull", True),
                            _connector="OR",
                        ),
                        name="handover_or_forfeit",
                    ),
                ],
            },
        ),
        migrations.RunPython(make, drop),
    ]
