"""Deliveries with fewer indexes: each costs every message at its making and at its end."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("raffles", "0006_back_office"),)

    operations = (
        migrations.RemoveConstraint(model_name="delivery", name="delivery_once_a_winner"),
        migrations.AlterField(
            model_name="delivery",
            name="announcement",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="raffles.announcement",
            ),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="winner",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="raffles.winner",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("state", "dead")), fields=["id"], name="delivery_dead"
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(
                condition=models.Q(("winner__isnull", False)),
                fields=("endpoint", "announcement", "winner"),
                name="delivery_once_a_winner",
            ),
        ),
    )
