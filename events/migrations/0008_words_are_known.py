"""Who may enter an event, and whom its list of winners shows, are words that the code knows."""

from django.db import migrations, models

from raffles.migrations._guards import lift_triggers, put_back_triggers


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0001_release_1_0"),
    ]

    operations = [
        migrations.RunPython(lift_triggers, put_back_triggers),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.CheckConstraint(
                condition=models.Q(entry__in=["open", "partner"]), name="event_entry_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.CheckConstraint(
                condition=models.Q(privacy__in=["full", "initials", "number"]),
                name="event_privacy_is_known",
            ),
        ),
        migrations.RunPython(put_back_triggers, lift_triggers),
    ]
