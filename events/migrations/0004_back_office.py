"""Until when a winner of an event may claim a prize, where, and what happens then."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0003_guards"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
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
            model_name="event",
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
            model_name="event",
            name="promotes_alternates",
            field=models.BooleanField(
                blank=True,
                help_text="A forfeited prize goes to the next alternate by itself.",
                null=True,
                verbose_name="promote alternates",
            ),
        ),
    ]
