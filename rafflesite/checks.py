"""System checks: settings that each parse, and yet do not do what they seem to do.

No server starts with an error (`rafflesite.starting`). E001 networks of everybody, E002 secrets,
E006 an admin for nobody, E007 a folder for state, E008 a witness with the key of a seal, E009 half
of what staff accounts need; W001 SQLite, W002 cache of a process, W003 managers on loopback, W004
managers that are proxies, W008 state that goes back with the database, W009 mail that goes nowhere;
I001 a proxy whose headers only a request from outside can try. W005 to W007:
`rafflesite.durability`.
"""

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Info

from raffles.web.environment import Network, networks, proxy_networks
from rafflesite.accounts.configured import half_configured

_MAKE_KEY = "`python -c 'import secrets; print(secrets.token_hex(32))'` makes one."
_SQLITE = "django.db.backends.sqlite3"
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1"))


def _overlapping(one: Sequence[Network], other: Sequence[Network]) -> list[str]:
    return [
        str(network)
        for network in one
        if any(network.version == o.version and network.overlaps(o) for o in other)
    ]


def check_networks(**_: Any) -> list[CheckMessage]:
    """Check E001, a list that names the whole internet, and W004."""
    managers, proxies = networks(settings.MANAGER_IPS), proxy_networks(settings.TRUSTED_PROXIES)
    found: list[CheckMessage] = []
    for name, listed in (("MANAGER_IPS", managers), ("TRUSTED_PROXIES", proxies)):
        if whole := [str(network) for network in listed if network.prefixlen == 0]:
            message = f"{name} holds every address there is: {', '.join(whole)}."
            found.append(Error(message, hint="Name yours.", id="rafflesite.E001"))
    if found or not (both := _overlapping(managers, proxies)):
        return found
    message = f"MANAGER_IPS and TRUSTED_PROXIES overlap in {', '.join(both)}."
    hint = "A proxy is never a manager; list the managers' own addresses."
    return [checks.Warning(message, hint=hint, id="rafflesite.W004")]


def check_admin(**_: Any) -> list[CheckMessage]:
    """Check E006: an admin that nobody may enter."""
    if not settings.ADMIN_FOR_MANAGERS or settings.MANAGER_IPS:
        return []
    message = "ADMIN_FOR_MANAGERS is on, and MANAGER_IPS is empty: nobody may enter the admin."
    return [Error(message, hint="List the managers' addresses.", id="rafflesite.E006")]


def check_secrets(**_: Any) -> list[CheckMessage]:
    """Check E002: secrets that die with the process. What is handed out then could never win."""
    if not settings.EPHEMERAL_SECRETS or settings.DEBUG:
        return []
    names = ", ".join(sorted(settings.EPHEMERAL_SECRETS))
    message = f"Set {names} (see .env.example), or DEBUG=on for a look around."
    return [Error(message, hint=_MAKE_KEY, id="rafflesite.E002")]


def check_state_dir(**_: Any) -> list[CheckMessage]:
    """Check E007: each checkout on a machine would have a folder of its own for state.

    With SQLite the default, beside the database file, is shared.
    """
    is_sqlite = settings.DATABASES["default"]["ENGINE"] == _SQLITE
    if settings.IS_STATE_DIR_SET or is_sqlite or settings.DEBUG:
        return []
    message = "Set STATE_DIR, a folder of this machine (see .env.example)."
    hint = "STATE_DIR=/var/lib/raffles, writable for the user that serves."
    return [Error(message, hint=hint, id="rafflesite.E007")]


def check_state_beside_database(**_: Any) -> list[CheckMessage]:
    """Check W008: what tells that SQLite's file was put back would go back with it."""
    database = settings.DATABASES["default"]
    if database["ENGINE"] != _SQLITE:
        return []
    folder = Path(database["NAME"]).resolve().parent
    if not Path(settings.STATE_DIR).resolve().is_relative_to(folder):
        return []
    message = f"STATE_DIR is in the folder of the database, {folder}."
    hint = "Set another folder: put back together, nothing tells that they were."
    return [checks.Warning(message, hint=hint, id="rafflesite.W008")]


def check_witness(**_: Any) -> list[CheckMessage]:
    """Check E008: a witness with a key that seals, whose word would be the operator's own."""
    if settings.WITNESS_SEED not in settings.RECEIPT_SEEDS:
        return []
    message = "WITNESS_KEY is one of RECEIPT_KEY; make it one of its own."
    return [Error(message, hint=_MAKE_KEY, id="rafflesite.E008")]


def check_accounts(**_: Any) -> list[CheckMessage]:
    """Check E009: half of what a second factor or a provider needs.

    Who set half of it would believe the admin better guarded.
    """
    names = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_GROUPS")
    message = half_configured({name: getattr(settings, name) for name in names})
    asked = [name for name in ("SECOND_FACTOR", "OIDC_ISSUER") if getattr(settings, name)]
    if not message and asked and not settings.HAS_ACCOUNTS:
        message = (
            f"{' and '.join(asked)} without django-allauth: install requirements-accounts.txt."
        )
    if not message:
        return []
    hint = "docs/staff-accounts.md has the steps."
    return [Error(message, hint=hint, id="rafflesite.E009")]


def check_local_managers(**_: Any) -> list[CheckMessage]:
    """Check W003: behind an unlisted proxy on the same machine, everybody comes from loopback."""
    proxies = proxy_networks(settings.TRUSTED_PROXIES)
    managers = [n for n in networks(settings.MANAGER_IPS) if not _overlapping([n], proxies)]
    local = _overlapping(managers, _LOOPBACK)
    if not local:
        return []
    message = f"MANAGER_IPS holds addresses of this machine: {', '.join(local)}."
    hint = "If a proxy runs here, list it in TRUSTED_PROXIES; otherwise everybody is a manager."
    return [checks.Warning(message, hint=hint, id="rafflesite.W003")]


def check_proxies(**_: Any) -> list[CheckMessage]:
    """Check I001: only a request from outside shows if proxy and server agree on headers."""
    if not settings.TRUSTED_PROXIES:
        return []
    message = "Proxies are believed when they say who is calling."
    hint = f"Try them from another machine: manage.py check_proxy {settings.PUBLIC_URL}"
    return [Info(message, hint=hint, id="rafflesite.I001")]


def check_database(**_: Any) -> list[CheckMessage]:
    """Check W001: SQLite allows one writer at a time, and one machine."""
    if settings.DATABASES["default"]["ENGINE"] != _SQLITE:
        return []
    hint = "Set DATABASE_URL=postgres://... where more than a few people take part at once."
    return [checks.Warning("The database is SQLite.", hint=hint, id="rafflesite.W001")]


def check_mail(**_: Any) -> list[CheckMessage]:
    """Check W009: what is printed reaches nobody, and links for entering by e-mail are refused."""
    if "console" not in settings.EMAIL_BACKEND:
        return []
    hint = "Set EMAIL_URL; raffles that are entered by e-mail answer 503 without it."
    return [checks.Warning("Mails are only printed.", hint=hint, id="rafflesite.W009")]


def check_cache(**_: Any) -> list[CheckMessage]:
    """Check W002: each process would count for itself."""
    if "locmem" not in settings.CACHES["default"]["BACKEND"]:
        return []
    hint = "Set REDIS_URL; otherwise N processes let N times the rate pass."
    return [checks.Warning("Throttles count by process.", hint=hint, id="rafflesite.W002")]
