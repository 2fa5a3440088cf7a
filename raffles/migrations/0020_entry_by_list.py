"""A raffle may take its entries from a list alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("raffles", "0019_names_hidden_after_the_draw")]

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
