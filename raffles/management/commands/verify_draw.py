"""Check the database against the published proof: tickets, root, seal, winners, replacements."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from raffles.domain.audit import audit
from raffles.fairness.verify import Invalid, Unreadable, read_json
from raffles.management.progress import Bar
from raffles.models import Pool, Raffle


class Command(BaseCommand):
    """Prints each check as it passes; exits 1 at the first that fails."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("raffle", help="a raffle's id, or a file with a published proof")

    def handle(self, *_: Any, **options: Any) -> None:
        named: str = options["raffle"]
        try:
            published = _read(Path(named))
            raffle_id = UUID(published["commitment"]["terms"]["raffle_id"] if published else named)
            raffle = Raffle.objects.get(uuid=raffle_id)
            for step in audit(raffle, published=published, progress=Bar("hashing tickets")):
                self.stdout.write(f"{step.name:<12} {step.computed}")
        except (Invalid, Unreadable, KeyError, TypeError) as reason:
            raise CommandError(f"INVALID: {reason}") from reason
        except (ValueError, Raffle.DoesNotExist):
            unknown = f"{named} is neither a file nor a raffle here."
            raise CommandError(unknown, returncode=2) from None
        except Pool.DoesNotExist:
            raise CommandError("The raffle has not been sealed yet.", returncode=2) from None
        self.stdout.write("The database and the proof agree.")


def _read(file: Path) -> Any:
    """Return the proof in a file; None if there is no such file, so it is a raffle's id."""
    if not file.is_file():
        return None
    with file.open("rb") as proof:
        return read_json(proof, "proof")
