"""Version 2 of the draw protocol: one commitment a raffle, signed terms, the operator's log.

Version 1 was never released. A database that holds a raffle of it is left as it is.
"""

from typing import Any

import django.db.models.deletion
from django.core.management.base import CommandError
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from raffles.migrations._guards import Guard, changed, drop_guards, make_guards

_HAS_TICKETS = "EXISTS (SELECT 1 FROM raffles_stripe s WHERE s.raffle_id = NEW.id AND s.issued > 0)"
_NAMED = 100  # winners at the most that an announcement names


def _announcement(vendor: str) -> Guard:
    fixed = changed(
        *("id", "sequence", "kind", "statement", "raffle_id", "announced_at", "announced_by")
    )
    if vendor == "postgresql":
        paths = (f"ARRAY['winners', '{n}', 'username']" for n in range(_NAMED))
        without = " #- ".join(["{}.payload", *paths])
        # Contained, so that a name can go and none can come.
        is_kept = "OLD.payload @> NEW.payload"
    else:
        names = ", ".join(f"'$.winners[{n}].username'" for n in range(_NAMED))
        without = f"json_remove({{}}.payload, {names})"
        is_kept = "length(NEW.payload) <= length(OLD.payload)"
    is_same = f"({without.format('NEW')}) = ({without.format('OLD')})"
    return Guard(
        "announcement_unchangeable",
        "raffles_announcement",
        "UPDATE",
        when=f"{fixed} OR NOT ({is_kept} AND {is_same})",
    )


# Of tables that are made anew, or whose columns are others now.
_REPLACED = (
    Guard("draw_seal_unchangeable", "raffles_draw", "UPDATE"),
    Guard("draw_finished_unchangeable", "raffles_draw", "UPDATE"),
    Guard("draw_kept", "raffles_draw", "DELETE"),
    Guard("raffle_terms_frozen", "raffles_raffle", "UPDATE"),
    Guard("announcement_unchangeable", "raffles_announcement", "UPDATE"),
)


def _guards(vendor: str) -> tuple[Guard, ...]:
    return (
        Guard(
            "draw_seal_unchangeable",
            "raffles_draw",
            "UPDATE",
            when=changed(
                *("id", "raffle_id", "closed_at", "round", "commitment_hash"),
                *("public_key", "signature", "statement"),
            ),
        ),
        Guard(
            "draw_finished_unchangeable",
            "raffles_draw",
            "UPDATE",
            when="OLD.drawn_at IS NOT NULL OR OLD.voided_at IS NOT NULL",
        ),
        Guard("draw_kept", "raffles_draw", "DELETE"),
        Guard(
            "raffle_terms_frozen",
            "raffles_raffle",
            "UPDATE",
            when=changed(
                *("name", "alternates", "entropy", "closes_at", "operator", "entry", "witnesses")
            ),
            also=f"OLD.state <> 'open' OR {_HAS_TICKETS}",
        ),
        _announcement(vendor),
        Guard("log_node_unchangeable", "raffles_lognode", "UPDATE"),
        Guard("log_node_kept", "raffles_lognode", "DELETE"),
    )


def refuse_version_1(apps: Any, _editor: Any) -> None:
    """Stop before anything is changed."""
    for model in ("Raffle", "Announcement"):
        if apps.get_model("raffles", model).objects.exists():
            raise CommandError(
                "This database holds draws of version 1, which was never released: "
                "start with an empty one."
            )


def drop_old_guards(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Take away what the tables below could not be changed under."""
    drop_guards(editor, _REPLACED)


def make_new_guards(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Hold what version 2 promises."""
    make_guards(editor, _guards(editor.connection.vendor))


def shorten_reasons(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Hold reasons to what the protocol calls a text; SQLite looks at no length."""
    if editor.connection.vendor == "postgresql":
        for table, column in (("raffle", "void_reason"), ("replacement", "reason")):
            editor.execute(f"ALTER TABLE raffles_{table} ALTER COLUMN {column} TYPE varchar(200)")


def add_terms(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Add columns by hand: Django would make the table anew on SQLite, without its triggers."""
    is_json = {"postgresql": "jsonb"}.get(editor.connection.vendor, "text")
    for column in (
        "operator varchar(200) NOT NULL DEFAULT ''",
        "entry varchar(10) NOT NULL DEFAULT 'address'",
        f"witnesses {is_json} NOT NULL DEFAULT '{{}}'",
    ):
        editor.execute(f"ALTER TABLE raffles_raffle ADD COLUMN {column}")


_TRY = """
    UPDATE raffles_stripe AS moved SET issued = moved.issued + 1
    WHERE moved.raffle_id = pool AND moved.stripe = (
        SELECT free.stripe FROM raffles_stripe AS free
        WHERE free.raffle_id = pool AND free.issued < free.cap AND free.stripe >= {start}
        ORDER BY free.raffle_id, free.stripe LIMIT 1 FOR UPDATE {wait})
    RETURNING moved.lo + moved.issued - 1 INTO claimed;
"""
_CLAIM = f"""
    DROP FUNCTION raffles_claim;
    CREATE FUNCTION raffles_claim(
        pool bigint, start integer, holder bytea, code bytea, request bytea,
        at timestamp with time zone, name varchar, ordered bytea, address bytea,
        OUT claimed integer, OUT issued timestamp with time zone
    ) LANGUAGE plpgsql AS $$
    BEGIN
        {_TRY.format(start="start", wait="SKIP LOCKED")}
        IF NOT FOUND THEN
            {_TRY.format(start="0", wait="SKIP LOCKED")}
        END IF;
        IF NOT FOUND THEN
            {_TRY.format(start="0", wait="")}
        END IF;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        issued := COALESCE(at, clock_timestamp());
        INSERT INTO raffles_ticket (raffle_id, slot, holder_tag, code_tag, request_tag, issued_at,
            username, order_tag, address_tag)
        VALUES (pool, claimed, holder, code, request, issued, name, ordered, address);
    END $$;
"""  # noqa: S608 - no value in the text


def replace_claim(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Let a claim take its time from the database, once its stripe has moved."""
    if editor.connection.vendor == "postgresql":
        editor.execute(_CLAIM)


class Migration(migrations.Migration):
    dependencies = [("raffles", "0011_last_attempt")]
    operations = [
        migrations.RunPython(refuse_version_1, migrations.RunPython.noop),
        migrations.RunPython(drop_old_guards, migrations.RunPython.noop),
        migrations.DeleteModel("Draw"),
        migrations.CreateModel(
            name="Draw",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("closed_at", models.DateTimeField()),
                ("round", models.BigIntegerField(null=True)),
                ("commitment_hash", models.BinaryField(max_length=32, unique=True)),
                ("public_key", models.CharField(max_length=64)),
                ("signature", models.BinaryField(max_length=64)),
                ("statement", models.BigIntegerField()),
                ("log", models.JSONField(null=True)),
                ("randomness", models.BinaryField(max_length=32, null=True)),
                ("beacon_signature", models.BinaryField(max_length=48, null=True)),
                ("drawn_at", models.DateTimeField(null=True)),
                ("voided_at", models.DateTimeField(null=True)),
                ("void_reason", models.CharField(blank=True, default="", max_length=200)),
                ("void_public_key", models.CharField(blank=True, default="", max_length=64)),
                ("void_signature", models.BinaryField(max_length=64, null=True)),
                (
                    "raffle",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="draw",
                        to="raffles.raffle",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("drawn_at__isnull", False)),
                        fields=["drawn_at"],
                        name="draw_by_time",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(drawn_at__isnull=True, randomness__isnull=True)
                        | models.Q(
                            drawn_at__isnull=False,
                            randomness__isnull=False,
                            voided_at__isnull=True,
                        ),
                        name="draw_drawn_is_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(randomness__isnull=True, beacon_signature__isnull=True)
                        | models.Q(
                            randomness__isnull=False,
                            round__isnull=True,
                            beacon_signature__isnull=True,
                        )
                        | models.Q(
                            randomness__isnull=False,
                            round__isnull=False,
                            beacon_signature__isnull=False,
                        ),
                        name="draw_beacon_is_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            voided_at__isnull=True, void_reason="", void_signature__isnull=True
                        )
                        | models.Q(voided_at__isnull=False, void_signature__isnull=False)
                        & ~models.Q(void_reason=""),
                        name="draw_void_has_reason",
                    ),
                ],
            },
        ),
        migrations.AddField("streamcounter", "at", models.BigIntegerField(default=0)),
        migrations.AddField(
            "announcement",
            "statement",
            models.BinaryField(default=b"", max_length=65_535, unique=True),
            preserve_default=False,
        ),
        migrations.AlterField(
            "announcement",
            "kind",
            models.CharField(
                choices=[
                    ("raffle.sold_out", "Sold Out"),
                    ("draw.sealed", "Sealed"),
                    ("draw.drawn", "Drawn"),
                    ("draw.voided", "Voided"),
                    ("winner.replaced", "Replaced"),
                    ("key", "Key"),
                    ("key_retired", "Key Retired"),
                ],
                max_length=20,
            ),
        ),
        migrations.RemoveConstraint("announcement", "sold_out_announced_once"),
        migrations.AddConstraint(
            "announcement",
            models.UniqueConstraint(
                condition=~models.Q(kind="winner.replaced"),
                fields=("raffle", "kind"),
                name="announced_once",
            ),
        ),
        migrations.AddIndex(
            "announcement",
            models.Index(
                condition=models.Q(("kind__in", ["key", "key_retired"])),
                fields=["sequence"],
                name="announcement_keys",
            ),
        ),
        migrations.CreateModel(
            name="LogNode",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("level", models.PositiveSmallIntegerField()),
                ("index", models.BigIntegerField()),
                ("hash", models.BinaryField(max_length=32)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("level", "index"), name="log_node_once")
                ],
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(add_terms, migrations.RunPython.noop)],
            state_operations=[
                migrations.AddField(
                    "raffle", "operator", models.CharField(editable=False, max_length=200)
                ),
                migrations.AddField(
                    "raffle",
                    "entry",
                    models.CharField(
                        choices=[
                            ("address", "Address"),
                            ("username", "Username"),
                            ("partner", "Partner"),
                        ],
                        default="address",
                        editable=False,
                        max_length=10,
                    ),
                ),
                migrations.AddField(
                    "raffle", "witnesses", models.JSONField(default=dict, editable=False)
                ),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(shorten_reasons, migrations.RunPython.noop)],
            state_operations=[
                migrations.AlterField(
                    "raffle",
                    "void_reason",
                    models.CharField(blank=True, default="", editable=False, max_length=200),
                ),
                migrations.AlterField("replacement", "reason", models.CharField(max_length=200)),
            ],
        ),
        migrations.RunPython(replace_claim, migrations.RunPython.noop),
        migrations.RunPython(make_new_guards, migrations.RunPython.noop),
    ]
