"""When a worker last looked into the outbox. The table has no trigger that SQLite could lose."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("raffles", "0027_words_are_known")]

    operations = [
        migrations.AddField("outbox", "watched_at", models.DateTimeField(null=True)),
    ]
