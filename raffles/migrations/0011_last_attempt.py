"""The last attempt stands on its delivery, rows of attempts are for failures alone.

An endpoint says why it rests. Neither table has a trigger that SQLite could lose.
"""

from django.db import migrations, models

_FILL = """
    UPDATE raffles_delivery SET
        last_attempt_at = made.at,
        last_status = made.status,
        last_milliseconds = made.milliseconds,
        last_detail = made.detail
    FROM raffles_attempt AS made
    WHERE made.id = (
        SELECT max(id) FROM raffles_attempt WHERE delivery_id = raffles_delivery.id
    )
"""
_SUCCEEDED = "DELETE FROM raffles_attempt WHERE status BETWEEN 200 AND 299"


class Migration(migrations.Migration):
    dependencies = [("raffles", "0010_one_word_for_a_thing")]
    operations = [
        migrations.AddField(
            "endpoint",
            "rests_because",
            models.CharField(blank=True, default="", editable=False, max_length=200),
        ),
        migrations.AlterField(
            "endpoint",
            "kinds",
            models.JSONField(
                blank=True,
                default=list,
                help_text="Which announcements; nothing chosen means all.",
            ),
        ),
        migrations.AddField("delivery", "last_attempt_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "delivery", "last_status", models.PositiveSmallIntegerField(null=True)
        ),
        migrations.AddField(
            "delivery", "last_milliseconds", models.PositiveIntegerField(null=True)
        ),
        migrations.AddField(
            "delivery", "last_detail", models.CharField(blank=True, default="", max_length=200)
        ),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
        migrations.RunSQL(_SUCCEEDED, migrations.RunSQL.noop),
    ]
