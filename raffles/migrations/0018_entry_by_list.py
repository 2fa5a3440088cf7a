"""A raffle may take its entries from a list alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("raffles", "0017_witnesses_that_disagree")]

    operations = [
        migrations.AlterField(
            model_name="raffle",
            name="entry",
            field=models.CharField(
                choices=[
                    ("address", "Address"),
                    ("username", "Username"),
                    ("list", "List"),
                    ("partner", "Partner"),
                ],
                default="address",
                editable=False,
                max_length=10,
            ),
        ),
    ]
