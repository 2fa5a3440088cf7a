"""A raffle has a zone, on whose clocks its times are shown and typed; null is the site's."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("raffles", "0014_witnessed_logs")]
    operations = [
        migrations.AddField(
            "raffle",
            "time_zone",
            models.CharField(
                blank=True,
                help_text="Its times are shown and typed on these clocks.",
                max_length=64,
                null=True,
            ),
        ),
    ]
