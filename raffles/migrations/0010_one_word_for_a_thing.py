"""API keys are of use to raffles too; a raffle names its event, and says how names are shown.

The columns change by hand: Django would make the table anew on SQLite, and its triggers would go
with the old one. Privacy is filled by the migration of events that follows.
"""

from typing import Any

from django.db import migrations, models


def rename_permissions(apps: Any, _editor: Any) -> None:
    """Keep what groups and users may do with the record."""
    apps.get_model("contenttypes", "ContentType").objects.filter(
        app_label="raffles", model="act"
    ).update(model="logentry")
    permissions = apps.get_model("auth", "Permission").objects
    for permission in permissions.filter(
        content_type__app_label="raffles", codename__endswith="_act"
    ):
        verb = permission.codename.removesuffix("_act")
        permission.codename, permission.name = f"{verb}_logentry", f"Can {verb} log entry"
        permission.save()


class Migration(migrations.Migration):
    dependencies = [
        ("raffles", "0009_names_can_be_forgotten"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE raffles_raffle RENAME COLUMN series TO event_slug",
            "ALTER TABLE raffles_raffle RENAME COLUMN event_slug TO series",
            state_operations=[migrations.RenameField("raffle", "series", "event_slug")],
        ),
        migrations.RunSQL(
            "ALTER TABLE raffles_raffle ADD COLUMN privacy varchar(8) NOT NULL DEFAULT 'number'",
            "ALTER TABLE raffles_raffle DROP COLUMN privacy",
            state_operations=[
                migrations.AddField(
                    "raffle",
                    "privacy",
                    models.CharField(
                        choices=[
                            ("full", "Full names"),
                            ("initials", "Initials"),
                            ("number", "Ticket numbers only"),
                        ],
                        default="number",
                        editable=False,
                        max_length=8,
                    ),
                )
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE raffles_act RENAME COLUMN deed TO action",
            "ALTER TABLE raffles_act RENAME COLUMN action TO deed",
            state_operations=[
                migrations.RemoveIndex("act", "act_by_deed"),
                migrations.RenameField("act", "deed", "action"),
                migrations.AddIndex(
                    "act", models.Index(fields=["action", "id"], name="act_by_deed")
                ),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("Act", "LogEntry"),
                migrations.AlterModelTable("logentry", "raffles_act"),
                migrations.AlterModelOptions(
                    "logentry",
                    {"ordering": ("-id",), "verbose_name_plural": "log entries"},
                ),
            ],
        ),
        migrations.RunPython(rename_permissions, migrations.RunPython.noop),
        # The table was made by events, which let go of it in the migration that follows.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="ApiKey",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("name", models.CharField(help_text="Whose it is.", max_length=200)),
                        (
                            "key_hash",
                            models.BinaryField(editable=False, max_length=32, unique=True),
                        ),
                        ("hint", models.CharField(editable=False, max_length=12)),
                        (
                            "rate",
                            models.CharField(
                                blank=True,
                                default="",
                                help_text="Such as 600/min; empty: the usual rate of keys.",
                                max_length=20,
                            ),
                        ),
                        (
                            "expires_at",
                            models.DateTimeField(blank=True, help_text="Empty: never.", null=True),
                        ),
                        ("last_used_at", models.DateTimeField(editable=False, null=True)),
                        ("created_at", models.DateTimeField(editable=False)),
                        ("created_by", models.CharField(editable=False, max_length=200)),
                    ],
                    options={
                        "db_table": "events_apikey",
                        "verbose_name": "API key",
                        "ordering": ("-id",),
                    },
                )
            ],
        ),
    ]
