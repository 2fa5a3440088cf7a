"""Take away somebody's second factor: for the last administrator without their telephone."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from rafflesite.accounts.second_factor import remove_factor


class Command(BaseCommand):
    """Remove a user's second factor and recovery codes."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *, username: str, **_: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username!r}.")
        if not remove_factor(user, now=timezone.now(), by="reset_second_factor"):
            raise CommandError(f"{username} has no second factor.")
        self.stdout.write(f"{username} signs in with the password alone and sets up a new factor.")
