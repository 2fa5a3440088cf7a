"""API keys belong to raffles now, with their table; raffles know how far to show their names."""

from typing import Any

from django.db import migrations


def rename_content_type(apps: Any, _editor: Any) -> None:
    """Keep the permissions on API keys that groups and users hold."""
    types = apps.get_model("contenttypes", "ContentType").objects
    if not types.filter(app_label="raffles", model="apikey").exists():
        types.filter(app_label="events", model="apikey").update(app_label="raffles")


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0004_back_office"),
        ("raffles", "0010_one_word_for_a_thing"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("ApiKey")]),
        migrations.RunPython(rename_content_type, migrations.RunPython.noop),
        migrations.RunSQL(
            """
            UPDATE raffles_raffle SET privacy = (
                SELECT event.privacy FROM events_event event
                JOIN events_occurrence occurrence ON occurrence.event_id = event.id
                WHERE occurrence.raffle_id = raffles_raffle.id
            ) WHERE id IN (SELECT raffle_id FROM events_occurrence)
            """,
            migrations.RunSQL.noop,
        ),
    ]
