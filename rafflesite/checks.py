"""System checks: settings that each parse, and yet do not do what they seem to do.

E001 networks, E002 secrets, E003 entropy, E004 public address, E005 IPv6 prefix, E006 an admin for
nobody, E007 a folder for state, E008 a witness with the key of a seal, E009 half of what staff
accounts need; W001 SQLite, W002 cache of a process, W003 managers on loopback, W004 managers that
are proxies, W008 state that goes back with the database, W009 mail that goes nowhere; I001 a proxy
whose headers only a request from outside can try. W005 to W007: `rafflesite.durability`.
"""

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Info
from django.core.exceptions import ImproperlyConfigured

from raffles.web.environment import Network, networks, proxy_networks
from rafflesite.accounts.configured import half_configured

ENTROPY_SOURCES = ("system", "drand")
_SQLITE = "django.db.backends.sqlite3"
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1"))


def require_secrets() -> None:
    """Refuse to serve the public with secrets that die with the process.

    Raises ImproperlyConfigured: tickets handed out under a lost TICKET_KEY could never win.
    """
    if settings.EPHEMERAL_SECRETS and not settings.DEBUG:
        names = ", ".join(sorted(settings.EPHEMERAL_SECRETS))
        raise ImproperlyConfigured(
            f"Set {names} (see .env.example), or DEBUG=on for a look around."
        )


def require_state_dir() -> None:
    """Refuse to serve the public where each checkout on a machine would have its own state folder.

    Raises ImproperlyConfigured. With SQLite the default, beside the database file, is shared.
    """
    is_sqlite = settings.DATABASES["default"]["ENGINE"] == _SQLITE
    if not (settings.IS_STATE_DIR_SET or is_sqlite or settings.DEBUG):
        raise ImproperlyConfigured("Set STATE_DIR, a folder of this machine (see .env.example).")


def require_witness_key() -> None:
    """Refuse to vouch for others with a key that seals: its word would be the operator's own.

    Raises ImproperlyConfigured.
    """
    if settings.WITNESS_SEED in settings.RECEIPT_SEEDS:
        raise ImproperlyConfigured("WITNESS_KEY is one of RECEIPT_KEY; make it one of its own.")


def require_accounts() -> None:
    """Refuse to serve without the second factor or the provider that the settings ask for.

    Raises ImproperlyConfigured: who set half of it would believe the admin better guarded.
    """
    names = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_GROUPS")
    if sentence := half_configured({name: getattr(settings, name) for name in names}):
        raise ImproperlyConfigured(sentence)
    asked = [name for name in ("SECOND_FACTOR", "OIDC_ISSUER") if getattr(settings, name)]
    if asked and not settings.HAS_ACCOUNTS:
        raise ImproperlyConfigured(
            f"{' and '.join(asked)} without django-allauth: install requirements-accounts.txt."
        )


def _overlapping(one: Sequence[Network], other: Sequence[Network]) -> list[str]:
    return [
        str(network)
        for network in one
        if any(network.version == o.version and network.overlaps(o) for o in other)
    ]


def check_networks(**_: Any) -> list[CheckMessage]:
    """Check E001 (a list that is malformed, or names the whole internet), E005 and W004."""
    found: list[CheckMessage] = []
    for name, read in (("MANAGER_IPS", networks), ("TRUSTED_PROXIES", proxy_networks)):
        try:
            listed = read(getattr(settings, name))
        except ImproperlyConfigured as error:
            hint = "List addresses and CIDR networks with commas between them."
            found.append(Error(f"{name}: {error}", hint=hint, id="rafflesite.E001"))
            continue
        if whole := [str(network) for network in listed if network.prefixlen == 0]:
            message = f"{name} holds every address there is: {', '.join(whole)}."
            found.append(Error(message, hint="Name yours.", id="rafflesite.E001"))
    if not 1 <= settings.IPV6_PREFIX <= ipaddress.IPV6LENGTH:
        message = f"IPV6_PREFIX is {settings.IPV6_PREFIX}, which is not a prefix length."
        found.append(Error(message, hint="Set 64, or 128 for none.", id="rafflesite.E005"))
    return found or _check_overlap()


def check_admin(**_: Any) -> list[CheckMessage]:
    """Check E006: an admin that nobody may enter."""
    if not settings.ADMIN_FOR_MANAGERS or settings.MANAGER_IPS:
        return []
    message = "ADMIN_FOR_MANAGERS is on, and MANAGER_IPS is empty: nobody may enter the admin."
    return [Error(message, hint="List the managers' addresses.", id="rafflesite.E006")]


def _check_overlap() -> list[CheckMessage]:
    both = _overlapping(networks(settings.MANAGER_IPS), proxy_networks(settings.TRUSTED_PROXIES))
    if not both:
        return []
    message = f"MANAGER_IPS and TRUSTED_PROXIES overlap in {', '.join(both)}."
    hint = "A proxy is never a manager; list the managers' own addresses."
    return [checks.Warning(message, hint=hint, id="rafflesite.W004")]


def check_draws(**_: Any) -> list[CheckMessage]:
    """Check E003: an unknown source of randomness."""
    if settings.DRAW_ENTROPY in ENTROPY_SOURCES:
        return []
    message = f"DRAW_ENTROPY is {settings.DRAW_ENTROPY!r}."
    hint = f"Set one of: {', '.join(ENTROPY_SOURCES)}."
    return [Error(message, hint=hint, id="rafflesite.E003")]


def check_public_url(**_: Any) -> list[CheckMessage]:
    """Check E004: a public URL that links, redirects and cookies cannot use."""
    try:
        url = urlsplit(settings.PUBLIC_URL)
        is_origin = bool(url.hostname) and f"{url.scheme}://{url.netloc}" == settings.PUBLIC_URL
    except ValueError:
        is_origin = False
    if is_origin and settings.PUBLIC_URL.startswith(("http://", "https://")):
        return []
    message = f"PUBLIC_URL is {settings.PUBLIC_URL!r}."
    hint = "Set the scheme and host people see, without a path: https://draws.example.org"
    return [Error(message, hint=hint, id="rafflesite.E004")]


def check_secrets(**_: Any) -> list[CheckMessage]:
    """Check E002: secrets that die with the process."""
    try:
        require_secrets()
    except ImproperlyConfigured as error:
        hint = "`python -c 'import secrets; print(secrets.token_hex(32))'` makes one."
        return [Error(str(error), hint=hint, id="rafflesite.E002")]
    return []


def check_state_dir(**_: Any) -> list[CheckMessage]:
    """Check E007: no folder for this machine's state."""
    try:
        require_state_dir()
    except ImproperlyConfigured as error:
        hint = "STATE_DIR=/var/lib/raffles, writable for the user that serves."
        return [Error(str(error), hint=hint, id="rafflesite.E007")]
    return []


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
    """E008: a witness that signs with the key of a seal."""
    try:
        require_witness_key()
    except ImproperlyConfigured as error:
        hint = "`python -c 'import secrets; print(secrets.token_hex(32))'` makes one."
        return [Error(str(error), hint=hint, id="rafflesite.E008")]
    return []


def check_accounts(**_: Any) -> list[CheckMessage]:
    """E009: half of what a second factor or a provider needs."""
    try:
        require_accounts()
    except ImproperlyConfigured as error:
        hint = "docs/staff-accounts.md has the steps."
        return [Error(str(error), hint=hint, id="rafflesite.E009")]
    return []


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
