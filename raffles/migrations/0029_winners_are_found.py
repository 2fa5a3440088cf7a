"""Indexes of what is on a winner's ticket and of news of winners: what is read is what is found."""

from django.db import migrations, models


def part_of_leaf(first: int, length: int) -> models.Func:
    cut = f"SUBSTR(%(expressions)s, {first}, {length})"
    return models.Func("leaf", template=cut, output_field=models.BinaryField())


class Migration(migrations.Migration):
    dependencies = [("raffles", "0028_outbox_watched")]

    operations = [
        migrations.AddIndex(
            "winner", models.Index("raffle", part_of_leaf(17, 8), name="winner_by_number")
        ),
        migrations.AddIndex("winner", models.Index(part_of_leaf(41, 16), name="winner_by_code")),
        migrations.AddIndex(
            "announcement",
            models.Index(
                fields=("sequence",),
                condition=models.Q(kind__in=["draw.drawn", "winner.replaced"]),
                name="announcement_winners",
            ),
        ),
    ]
