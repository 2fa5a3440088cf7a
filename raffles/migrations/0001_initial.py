"""The tables."""

import secrets
import uuid

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Raffle",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=200)),
                (
                    "total_tickets",
                    models.PositiveIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10000000),
                        ]
                    ),
                ),
                (
                    "alternates",
                    models.PositiveSmallIntegerField(
                        default=10,
                        help_text="Entries drawn beyond the prizes, to replace winners who do not come.",
                        validators=[django.core.validators.MaxValueValidator(1000)],
                    ),
                ),
                (
                    "entropy",
                    models.CharField(
                        choices=[("system", "System"), ("drand", "Drand")],
                        default="system",
                        max_length=8,
                    ),
                ),
                (
                    "closes_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="Empty: drawn when sold out. Whole seconds.",
                        null=True,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("closed", "Closed"),
                            ("sealed", "Sealed"),
                            ("drawn", "Drawn"),
                            ("void", "Void"),
                        ],
                        default="open",
                        editable=False,
                        max_length=8,
                    ),
                ),
                ("numbering_key", models.BinaryField(default=secrets.token_bytes, max_length=32)),
                ("ticket_key_id", models.CharField(editable=False, max_length=16)),
                ("created_at", models.DateTimeField(editable=False)),
                ("created_by", models.CharField(editable=False, max_length=200)),
                ("request_tag", models.BinaryField(max_length=16, null=True)),
                ("request_digest", models.BinaryField(max_length=32, null=True)),
                ("voided_at", models.DateTimeField(editable=False, null=True)),
                (
                    "void_reason",
                    models.CharField(blank=True, default="", editable=False, max_length=500),
                ),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["drawn", "void"]), _negated=True),
                        fields=["closes_at"],
                        name="raffle_unfinished",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("total_tickets__range", (1, 10000000))),
                        name="raffle_has_tickets",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("alternates__lte", 1000)),
                        name="raffle_alternates_within_limit",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["open", "closed", "sealed", "drawn", "void"])
                        ),
                        name="raffle_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("entropy__in", ["system", "drand"])),
                        name="raffle_entropy_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("state", "void"),
                                ("voided_at__isnull", False),
                                models.Q(("void_reason", ""), _negated=True),
                            ),
                            models.Q(
                                models.Q(("state", "void"), _negated=True),
                                ("void_reason", ""),
                                ("voided_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="raffle_void_has_reason",
                    ),
                    models.UniqueConstraint(fields=("request_tag",), name="raffle_created_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("request_digest__isnull", True), ("request_tag__isnull", True)
                            ),
                            models.Q(
                                ("request_digest__isnull", False), ("request_tag__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="raffle_request_is_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Prize",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "raffle",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="prizes",
                        to="raffles.raffle",
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(editable=False)),
                ("name", models.CharField(max_length=200)),
                (
                    "amount",
                    models.PositiveIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100000),
                        ]
                    ),
                ),
            ],
            options={
                "ordering": ("position",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("raffle", "position"), name="prize_position_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__range", (1, 100000))),
                        name="prize_amount_positive",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Stripe",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "raffle",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stripes",
                        to="raffles.raffle",
                    ),
                ),
                ("stripe", models.PositiveSmallIntegerField()),
                ("lo", models.PositiveIntegerField()),
                ("cap", models.PositiveIntegerField()),
                ("issued", models.PositiveIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("raffle", "stripe"), name="stripe_once"),
                    models.CheckConstraint(
                        condition=models.Q(("issued__lte", models.F("cap"))),
                        name="stripe_issued_within_capacity",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StreamCounter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("last", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("pk", 1)), name="stream_counter_one")
                ],
            },
        ),
        migrations.CreateModel(
            name="Announcement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sequence", models.BigIntegerField(unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("draw.sealed", "Sealed"),
                            ("draw.drawn", "Drawn"),
                            ("draw.voided", "Voided"),
                            ("winner.replaced", "Replaced"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "raffle",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="announcements",
                        to="raffles.raffle",
                    ),
                ),
                ("payload", models.JSONField()),
                ("announced_at", models.DateTimeField()),
                ("announced_by", models.CharField(max_length=200)),
            ],
            options={
                "ordering": ("sequence",),
            },
        ),
        migrations.CreateModel(
            name="Ticket",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "raffle",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tickets",
                        to="raffles.raffle",
                    ),
                ),
                ("slot", models.PositiveIntegerField()),
                ("holder_tag", models.BinaryField(max_length=16, null=True)),
                ("code_tag", models.BinaryField(max_length=16, null=True)),
                ("leaf_hash", models.BinaryField(max_length=32, null=True)),
                ("request_tag", models.BinaryField(max_length=16, null=True)),
                ("issued_at", models.DateTimeField()),
                ("erased_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(
                            ("erased_at__isnull", False), ("holder_tag__isnull", False)
                        ),
                        fields=["raffle"],
                        name="ticket_to_be_erased",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("raffle", "slot"), name="ticket_slot_once"),
                    models.UniqueConstraint(
                        fields=("raffle", "holder_tag"), name="ticket_holder_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("code_tag__isnull", False), ("holder_tag__isnull", False)),
                            models.Q(
                                ("code_tag__isnull", True),
                                ("holder_tag__isnull", True),
                                ("leaf_hash__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="ticket_keeps_tags_or_leaf",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Pool",
            fields=[
                (
                    "raffle",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="pool",
                        serialize=False,
                        to="raffles.raffle",
                    ),
                ),
                ("tickets", models.PositiveIntegerField()),
                ("root", models.BinaryField(max_length=32)),
                ("levels", models.BinaryField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("tickets__gte", 1)), name="pool_is_not_empty"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Draw",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "raffle",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="draws",
                        to="raffles.raffle",
                    ),
                ),
                ("number", models.PositiveSmallIntegerField(default=1)),
                ("prev", models.BinaryField(max_length=32)),
                ("closed_at", models.DateTimeField()),
                ("round", models.BigIntegerField(null=True)),
                ("commitment_hash", models.BinaryField(max_length=32, unique=True)),
                ("signed_at", models.DateTimeField()),
                ("key_id", models.CharField(max_length=16)),
                ("signature", models.BinaryField(max_length=64)),
                ("randomness", models.BinaryField(max_length=32, null=True)),
                ("beacon_signature", models.BinaryField(max_length=48, null=True)),
                ("drawn_at", models.DateTimeField(null=True)),
                ("voided_at", models.DateTimeField(null=True)),
                ("void_reason", models.CharField(blank=True, default="", max_length=500)),
                ("void_key_id", models.CharField(blank=True, default="", max_length=16)),
                ("void_signature", models.BinaryField(max_length=64, null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("raffle", "number"), name="draw_number_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("voided_at__isnull", True)),
                        fields=("raffle",),
                        name="draw_one_live",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("drawn_at__isnull", True), ("randomness__isnull", True)),
                            models.Q(
                                ("drawn_at__isnull", False),
                                ("randomness__isnull", False),
                                ("voided_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="draw_drawn_is_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("beacon_signature__isnull", True), ("randomness__isnull", True)
                            ),
                            models.Q(
                                ("beacon_signature__isnull", True),
                                ("randomness__isnull", False),
                                ("round__isnull", True),
                            ),
                            models.Q(
                                ("beacon_signature__isnull", False),
                                ("randomness__isnull", False),
                                ("round__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="draw_beacon_is_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("void_reason", ""),
                                ("void_signature__isnull", True),
                                ("voided_at__isnull", True),
                            ),
                            models.Q(
                                ("void_signature__isnull", False),
                                ("voided_at__isnull", False),
                                models.Q(("void_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="draw_void_has_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Winner",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "raffle",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="winners",
                        to="raffles.raffle",
                    ),
                ),
                ("rank", models.PositiveIntegerField()),
                ("slot", models.PositiveIntegerField()),
                ("index", models.PositiveIntegerField()),
                (
                    "prize",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="winners",
                        to="raffles.prize",
                    ),
                ),
                ("leaf", models.BinaryField(max_length=56)),
                (
                    "ticket",
                    models.ForeignObject(
                        from_fields=("raffle", "slot"),
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="raffles.ticket",
                        to_fields=("raffle", "slot"),
                    ),
                ),
            ],
            options={
                "ordering": ("rank",),
                "constraints": [
                    models.UniqueConstraint(fields=("raffle", "rank"), name="winner_rank_once"),
                    models.UniqueConstraint(fields=("raffle", "slot"), name="winner_ticket_once"),
                    models.CheckConstraint(
                        condition=models.Q(("rank__gte", 1)), name="winner_rank_positive"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Replacement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "raffle",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replacements",
                        to="raffles.raffle",
                    ),
                ),
                (
                    "winner",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replacement",
                        to="raffles.winner",
                    ),
                ),
                (
                    "alternate",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replaces",
                        to="raffles.winner",
                    ),
                ),
                (
                    "prize",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="raffles.prize",
                    ),
                ),
                ("reason", models.CharField(max_length=500)),
                ("replaced_at", models.DateTimeField()),
                ("actor", models.CharField(max_length=200)),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True),
                        name="replacement_has_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("winner", models.F("alternate")), _negated=True),
                        name="replacement_is_another",
                    ),
                ],
            },
        ),
    ]
