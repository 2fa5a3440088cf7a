"""Take away somebody's second factor: for the last administrator without their telephone."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from raffles.domain.clock import command_time
from rafflesite.accounts.second_factor import remove_factor


class Command(BaseCommand):
    """Remove second factors and recovery codes, of one user or of all."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("username", nargs="?")
        whose.add_argument("--all", action="store_true", help="everybody's, after a new SECRET_KEY")

    def handle(self, *, username: str | None, **options: Any) -> None:
        users = User.objects.all() if options["all"] else User.objects.filter(username=username)
        now, by = command_time(), "reset_second_factor"
        done = [user.username for user in users if remove_factor(user, now=now, by=by)]
        if username and not done:
            raise CommandError(f"There is no user {username!r} with a second factor.")
        self.stdout.write(f"Reset for {', '.join(done) or 'nobody'}: they may set up a new one.")
