"""Show what differs from Django's settings, as Django does, without passwords, keys and seeds."""

from __future__ import annotations

from typing import Any

from django.conf import Settings, global_settings, settings
from django.core.management.commands import diffsettings

from raffles.web.logs import SecretsFilter


def _sides(default: str | None) -> list[dict[str, str]]:
    """Return the text of our settings and of those they are compared with, secrets hidden."""
    hide = SecretsFilter().cleanse_setting
    return [
        {name: repr(hide(name, getattr(side, name))) for name in dir(side) if name.isupper()}
        for side in (settings, Settings(default) if default else global_settings)
    ]


class Command(diffsettings.Command):
    """Django's command, which shows every secret as it is."""

    help = __doc__

    def output_hash(self, *_: dict[str, str], **options: Any) -> list[str]:
        """Return a line for each setting that differs; ### marks what Django does not have."""
        lines: list[str] = super().output_hash(*_sides(options["default"]), **options)
        return lines

    def output_unified(self, *_: dict[str, str], **options: Any) -> list[str]:
        """Return a line for each side of a setting that differs."""
        lines: list[str] = super().output_unified(*_sides(options["default"]), **options)
        return lines
