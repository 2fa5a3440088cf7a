"""Start a first look: demo data, a server, and commands to paste."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from argparse import ArgumentParser
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from events.management.demo_data import Demo, make_demo_data
from raffles.domain.clock import command_clock
from raffles.management.walkthrough import Client, PlayedStep, play, served

_ADMIN = "admin"
_TICK = 10  # seconds between two runs of draw_winners; cron would run it every minute

_ENV = """\
# Made by `manage.py demo` for a first look on this machine. .env.example explains every line.
DEBUG=on
MANAGER_IPS=127.0.0.1
SECRET_KEY={secret}
TICKET_KEY={ticket}
RECEIPT_KEY={receipt}
DEMO_PASSWORD={password}
"""

_LINES = """
  Site    {url}/
  Page    {url}/r/{open}/
  Stage   {url}/r/{drawn}/stage/
  Admin   {url}/admin/ (user {user}, password {password})
  API     {url}/api/docs/
  “{soon}” draws at {soon_at:%H:%M:%S} UTC: {url}/r/{soon_id}/
  “{event}” draws every day at {event_at:%H:%M} UTC: {url}/e/{slug}/

Paste these into another terminal. You are a manager at 127.0.0.1 and somebody else at 127.0.0.2.

# create
curl -s {url}/raffles/ -H 'Content-Type: application/json' \\
  -d '{{"name": "My raffle", "total_tickets": 3, "prizes": [{{"name": "Cake", "amount": 1}}]}}'
# take part (once from each address)
curl -s -X POST --interface 127.0.0.2 {url}/raffles/{open}/participate/
# draw what is sold out
curl -s -X POST {url}/raffles/{sold_out}/winners/
# verify a ticket
curl -s {url}/raffles/{drawn}/verify-ticket/ -H 'Content-Type: application/json' \\
  -d '{{"ticket_number": {number}, "verification_code": "{code}"}}'
# take part in the next draw of an event
curl -s {url}/events/{slug}/participate/ -H 'Content-Type: application/json' \\
  -d '{{"username": "you"}}'
# check a whole draw with one file
curl -s {url}/verify.py -o verify.py; curl -s {url}/raffles/{drawn}/proof/ -o proof.json
python3 verify.py proof.json
"""


class Command(BaseCommand):
    """Migrates, creates demo data, prints logins and curl commands, and serves."""

    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", nargs="?", default="127.0.0.1:8000", help="host:port")
        parser.add_argument(
            "--walkthrough", action="store_true", help="play a whole raffle over HTTP and stop"
        )
        parser.add_argument("--participants", type=int, default=100, help="in the walkthrough")
        parser.add_argument("--no-server", action="store_true", help="only make the demo data")

    def handle(self, *_: Any, **options: Any) -> None:
        host, port = _place(options["address"])
        is_to_serve = not (options["no_server"] or options["walkthrough"])
        if is_to_serve:
            _refuse_taken(host, port)
        self._have_secrets()
        if not settings.DEBUG:
            raise CommandError("The demo prints passwords, so it needs DEBUG=on.")
        if "PUBLIC_URL" not in os.environ:
            # Codes, certificates and feeds lead to where it is served.
            settings.PUBLIC_URL = _url(host, port)
        call_command("migrate", verbosity=0)
        if options["walkthrough"]:
            self._walk_through(options["participants"])
            return
        # It is kept with the secrets in .env; the settings do not read it.
        password = os.environ.get("DEMO_PASSWORD") or secrets.token_urlsafe(9)
        self._have_admin(password)
        demo = make_demo_data(command_clock())
        self._explain(demo, password, settings.PUBLIC_URL)
        if is_to_serve:
            Thread(target=_tick, daemon=True).start()
            call_command("runserver", f"{host}:{port}", use_reloader=False)

    def _have_secrets(self) -> None:
        """Write `.env` once and start again with it: the settings read secrets when imported."""
        file = Path(settings.BASE_DIR, ".env")
        is_read = os.environ.get("ENV_FILE", ".env") == ".env"
        is_refused = "DEBUG" in os.environ and not settings.DEBUG
        if file.exists() or not settings.EPHEMERAL_SECRETS or not is_read or is_refused:
            return
        file.touch(mode=0o600)
        file.write_text(
            _ENV.format(
                secret=secrets.token_urlsafe(50),
                ticket=secrets.token_hex(32),
                receipt=secrets.token_hex(32),
                password=secrets.token_urlsafe(9),
            )
        )
        self.stdout.write(f"Wrote {file.name}: secrets of this installation. Keep it.")
        self.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - ourselves

    def _have_admin(self, password: str) -> None:
        users = get_user_model().objects
        admin, _ = users.get_or_create(
            username=_ADMIN, defaults={"is_staff": True, "is_superuser": True}
        )
        if not admin.check_password(password):
            admin.set_password(password)
            admin.save()

    def _explain(self, demo: Demo, password: str, url: str) -> None:
        self.stdout.write(
            _LINES.format(
                url=url,
                user=_ADMIN,
                password=password,
                open=demo.open.uuid,
                sold_out=demo.sold_out.uuid,
                drawn=demo.drawn.uuid,
                soon=demo.soon.name,
                soon_at=demo.soon.closes_at,
                soon_id=demo.soon.uuid,
                event=demo.event.name,
                event_at=demo.event.draw_time,
                slug=demo.event.slug,
                number=demo.ticket.ticket_number,
                code=demo.ticket.verification_code,
            )
        )

    def _walk_through(self, participants: int) -> None:
        if participants < 4:
            raise CommandError("The walkthrough has four prizes: at least 4 participants.")
        steps: list[PlayedStep] = []
        with served() as port:
            steps.extend(play(Client(port), participants))
        widths = [max(len(step.act) for step in steps), max(len(step.caller) for step in steps)]
        for step in steps:
            self.stdout.write(f"{step.act:<{widths[0]}}  {step.caller:<{widths[1]}}  {step.answer}")


def _place(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`, or of a port alone. Raises CommandError."""
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65_536):
        raise CommandError(f"{address} is no host:port, such as 127.0.0.1:9000.")
    return host or "127.0.0.1", int(port)


def _url(host: str, port: int) -> str:
    """Return the URL under which this machine reaches it."""
    everywhere = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - if that is asked for
    return f"http://{everywhere.get(host, host)}:{port}"


def _refuse_taken(host: str, port: int) -> None:
    """Raise CommandError where nobody can be served, before anything is said of it."""
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        socket.create_server((host.strip("[]"), port), family=family).close()
    except OSError as fault:
        raise CommandError(
            f"Nobody can be served at {host}:{port}: {fault.strerror}. "
            f"Choose another port: make run PORT={port + 1000 if port < 64_000 else 9000}"
        ) from fault


def _tick() -> None:
    """Do what cron does, on a machine without a cron job."""
    while True:
        sleep(_TICK)
        call_command("draw_winners", verbosity=0)
        connection.close()
