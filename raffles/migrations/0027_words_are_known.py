"""Words that say what something is are those that the code knows, also for whoever writes SQL."""

from django.db import migrations, models

from raffles.migrations._guards import lift_triggers, put_back_triggers


class Migration(migrations.Migration):
    dependencies = [
        ("raffles", "0001_release_1_0"),
    ]

    operations = [
        migrations.RunPython(lift_triggers, put_back_triggers),
        migrations.AddConstraint(
            model_name="announcement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    kind__in=[
                        "raffle.sold_out",
                        "draw.sealed",
                        "draw.drawn",
                        "draw.voided",
                        "winner.replaced",
                        "key",
                        "key_retired",
                    ]
                ),
                name="announcement_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="endpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(channel__in=["webhook", "mail", "winners"]),
                name="endpoint_channel_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="lineage",
            constraint=models.CheckConstraint(
                condition=models.Q(state__in=["serving", "moving", "mending"]),
                name="lineage_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="raffle",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    entry__in=["address", "username", "email", "invitation", "list", "partner"]
                ),
                name="raffle_entry_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="raffle",
            constraint=models.CheckConstraint(
                condition=models.Q(privacy__in=["full", "initials", "number"]),
                name="raffle_privacy_is_known",
            ),
        ),
        migrations.RunPython(put_back_triggers, lift_triggers),
    ]
