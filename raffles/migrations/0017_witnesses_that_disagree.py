"""Remember which witness has signed what our log does not have."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("raffles", "0016_lost_codes")]

    operations = [
        migrations.AddField(
            model_name="witness",
            name="disagrees_since",
            field=models.DateTimeField(null=True),
        ),
    ]
