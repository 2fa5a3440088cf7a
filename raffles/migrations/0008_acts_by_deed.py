"""The record can be looked through by what was done."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("raffles", "0007_lean_deliveries")]

    operations = [
        migrations.AddIndex(
            model_name="act",
            index=models.Index(fields=["deed", "id"], name="act_by_deed"),
        ),
    ]
