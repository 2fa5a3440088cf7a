"""Since which epoch nothing was lost: of a database that is here already, since its own."""

from typing import Any

from django.db import migrations, models
from django.db.models import F, Q


def begin(apps: Any, _editor: Any) -> None:
    apps.get_model("raffles", "Lineage").objects.update(unbroken_since=F("epoch"))


class Migration(migrations.Migration):
    dependencies = [("raffles", "0029_winners_are_found")]

    operations = [
        migrations.AddField("lineage", "unbroken_since", models.PositiveIntegerField(default=1)),
        migrations.RunPython(begin, migrations.RunPython.noop),
        migrations.AddConstraint(
            "lineage",
            models.CheckConstraint(
                condition=Q(unbroken_since__gte=1, unbroken_since__lte=F("epoch")),
                name="lineage_breaks_in_an_epoch",
            ),
        ),
    ]
