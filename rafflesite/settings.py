"""Settings of the site, all from the environment (see `.env.example`).

Importing them never fails for a missing secret, so that tests and a first look need nothing;
serving does, as for each error of `manage.py check --deploy` (`rafflesite.starting`). Malformed
values always fail here.
"""

import logging
import os
import secrets
import tempfile
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.conf.locale import LANG_INFO
from django.core.exceptions import ImproperlyConfigured

from raffles.fairness.verify import ORIGIN
from raffles.web.environment import (
    bearer,
    env_file,
    flag,
    hex_secrets,
    hosts,
    items,
    networks,
    origins,
    proxy_networks,
    public_url,
    rate,
    read,
    sender,
    service,
    whole,
)
from raffles.web.languages import LANGUAGES as SPOKEN
from raffles.web.witness_lists import authorities, cosigners, watched_logs, witness_seed
from raffles.web.zones import zones
from rafflesite.accounts import configured

BASE_DIR = Path(__file__).resolve().parent.parent

# As it is: django-environ would take a secret that begins with $ for the name of another variable.
env = os.environ
# The environment takes precedence. ENV_FILE names another file; if empty, none is read.
_named = os.environ.get("ENV_FILE")
if _named or (_named is None and os.path.lexists(BASE_DIR / ".env")):
    environ.Env.read_env(env_file(BASE_DIR / (_named or ".env")))

VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]

# --- Who serves, and where

DEBUG = read("DEBUG", env.get("DEBUG", "") or "off", flag)
PUBLIC_URL: str = (env.get("PUBLIC_URL", "") or "http://localhost:8000").rstrip("/")
_public = read("PUBLIC_URL", PUBLIC_URL, public_url)
_host = f"[{_public.hostname}]" if ":" in str(_public.hostname) else str(_public.hostname)
_is_https = _public.scheme == "https"
ALLOWED_HOSTS = read("ALLOWED_HOSTS", env.get("ALLOWED_HOSTS", ""), hosts) or [
    _host,
    "localhost",
    "127.0.0.1",
    "[::1]",
]
CSRF_TRUSTED_ORIGINS = items(env.get("CSRF_TRUSTED_ORIGINS", "")) or [PUBLIC_URL]
WSGI_APPLICATION = "rafflesite.wsgi.application"
ROOT_URLCONF = "rafflesite.urls"

# --- Secrets: unset ones are random and die with the process

EPHEMERAL_SECRETS = frozenset(
    name for name in ("SECRET_KEY", "TICKET_KEY", "RECEIPT_KEY") if not env.get(name)
)
SECRET_KEY: str = env.get("SECRET_KEY", "") or secrets.token_urlsafe(50)
TICKET_KEYS = hex_secrets("TICKET_KEY", env.get("TICKET_KEY", ""), least=32)
RECEIPT_SEEDS = hex_secrets("RECEIPT_KEY", env.get("RECEIPT_KEY", ""), least=32, most=32)

# --- Callers: managers, proxies, rates

MANAGER_IPS = items(env.get("MANAGER_IPS", ""))
TRUSTED_PROXIES = items(env.get("TRUSTED_PROXIES", ""))
read("MANAGER_IPS", MANAGER_IPS, networks)
read("TRUSTED_PROXIES", TRUSTED_PROXIES, proxy_networks)
ADMIN_FOR_MANAGERS = read("ADMIN_FOR_MANAGERS", env.get("ADMIN_FOR_MANAGERS", "") or "off", flag)
# IPv6 addresses with the same leading bits are one holder: 64 counts a household's privacy
# addresses as one, 128 counts each address separately.
IPV6_PREFIX = whole("IPV6_PREFIX", env.get("IPV6_PREFIX", "") or "64", least=1, most=128)
# Who may read /metrics beside the managers: whoever sends it as a bearer.
METRICS_TOKEN = bearer("METRICS_TOKEN", env.get("METRICS_TOKEN", ""))

THROTTLE_ENTRY: str = env.get("THROTTLE_ENTRY", "120/min")
THROTTLE_VERIFY: str = env.get("THROTTLE_VERIFY", "120/min")
# Large reads (proofs, leaves), and live streams per holder; 0 means no limit.
THROTTLE_FILES: str = env.get("THROTTLE_FILES", "30/min")
STREAMS_PER_HOLDER = whole("STREAMS_PER_HOLDER", env.get("STREAMS_PER_HOLDER", "") or "20", least=0)
THROTTLE_API_KEY: str = env.get("THROTTLE_API_KEY", "6000/min")
THROTTLE_LOGIN: str = env.get("THROTTLE_LOGIN", "10/15min")
for _name in ("ENTRY", "VERIFY", "FILES", "API_KEY", "LOGIN"):
    read(f"THROTTLE_{_name}", vars()[f"THROTTLE_{_name}"], rate)

# --- Logging in: where a form without an address goes on to

LOGIN_REDIRECT_URL = "/admin/"

# --- Draws

DRAW_ENTROPY: str = env.get("DRAW_ENTROPY", "") or "system"
if DRAW_ENTROPY not in ("system", "drand"):
    raise ImproperlyConfigured(f"DRAW_ENTROPY is {DRAW_ENTROPY!r}: set system or drand.")
DRAND_RELAYS = items(env.get("DRAND_RELAYS", "https://api.drand.sh,https://drand.cloudflare.com"))

# Signed times are the database's; tests that travel in time take the process's.
CLOCK = "database"
# The log's origin, fixed by its first statement. Empty: the host of PUBLIC_URL, then /log.
LOG_ORIGIN: str = env.get("LOG_ORIGIN", "")
if LOG_ORIGIN and not ORIGIN.fits(LOG_ORIGIN):
    raise ImproperlyConfigured(f"LOG_ORIGIN is {LOG_ORIGIN!r}, which is not {ORIGIN.words}.")
# Who is asked to witness seals, named in the terms of raffles by the beacon.
COSIGNERS = cosigners(env.get("COSIGNERS", ""))
TIMESTAMP_AUTHORITIES = authorities(env.get("TIMESTAMP_AUTHORITIES", ""))
# Being a witness for others: with which key, and of which logs.
WITNESS_SEED = witness_seed(env.get("WITNESS_KEY", ""))
WITNESS_LOGS = watched_logs(env.get("WITNESS_LOGS", ""))

# --- Staff accounts: with django-allauth, an optional extra (requirements-accounts.txt)

HAS_ACCOUNTS = find_spec("allauth") is not None
SECOND_FACTOR = configured.factor(env.get("SECOND_FACTOR", ""))
OIDC_ISSUER = configured.issuer(env.get("OIDC_ISSUER", ""))
OIDC_CLIENT_ID: str = env.get("OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET: str = env.get("OIDC_CLIENT_SECRET", "")
# Which groups the values of a claim give, and nothing else does.
OIDC_GROUPS = configured.rights(env.get("OIDC_GROUPS", ""))
OIDC_CLAIM: str = env.get("OIDC_CLAIM", "groups")
OIDC_SCOPE = env.get("OIDC_SCOPE", "openid profile").split()
OIDC_NAME: str = env.get("OIDC_NAME", "") or urlsplit(OIDC_ISSUER).netloc

ACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_ADAPTER = "rafflesite.accounts.openid.SocialAdapter"
MFA_ADAPTER = "rafflesite.accounts.second_factor.Adapter"
MFA_TOTP_TOLERANCE = 1  # of thirty seconds, for clocks and for slow fingers

# --- What is installed

DEFAULT_EXCEPTION_REPORTER_FILTER = "raffles.web.logs.SecretsFilter"
_ACCOUNTS = ["allauth.account", "allauth.socialaccount", "allauth.mfa", "rafflesite.accounts"]

INSTALLED_APPS = [
    "rafflesite.apps.AccountsOfficeConfig" if HAS_ACCOUNTS else "rafflesite.apps.BackOfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "raffles",
    "events",
    "rafflesite",
    *(_ACCOUNTS if HAS_ACCOUNTS else ()),
]

MIDDLEWARE = [
    "raffles.web.logs.AccessLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "raffles.web.middleware.RefuseMalformedMiddleware",
    "raffles.web.middleware.RefuseForeignMiddleware",
    "raffles.web.middleware.reads",
    "raffles.web.middleware.staff",
    "rafflesite.languages.ChosenLanguageMiddleware",
    "raffles.web.middleware.AddressMiddleware",
    "raffles.web.middleware.StaffFormsMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "raffles.web.middleware.PagePolicyMiddleware",
    "raffles.web.problems.ProblemMiddleware",
    *(["allauth.account.middleware.AccountMiddleware"] if HAS_ACCOUNTS else ()),
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "rafflesite.frame.frame",
            ],
            "libraries": {"lists": "raffles.admin.lists"},
        },
    },
]

# --- Database: no ATOMIC_REQUESTS, because a claim is one statement that commits by itself


def _database(url: str) -> dict[str, Any]:
    """Return Django's settings for the database at `url`, tuned for many short claims."""
    database: dict[str, Any] = service(
        "DATABASE_URL",
        url,
        environ.Env.db_url_config,
        schemes=("sqlite", "postgres", "postgresql"),
        example="postgres://user:password@host/name or sqlite:////srv/raffles/db.sqlite3",
    )
    options = database.setdefault("OPTIONS", {})
    if url.startswith("sqlite:"):
        # IMMEDIATE: a transaction that reads before it writes would otherwise fail at once if
        # another has written in between, whatever the timeout.
        options.setdefault("timeout", 20)
        options.setdefault("transaction_mode", "IMMEDIATE")
        options.setdefault("init_command", "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON")
        # On disk in tests too, since threads would share one connection to an in-memory database;
        # named by process, so that two runs do not collide.
        name = f"rafflesite-{os.getpid()}.sqlite3"
        database["TEST"] = {"NAME": os.path.join(tempfile.gettempdir(), name)}
    else:
        database["ENGINE"] = "raffles.web.postgresql"
        # A new connection per request costs 2.8 times the CPU; a health check costs a round trip
        # per request. Without it, the first request after a lost connection gets a 503.
        database.setdefault("CONN_MAX_AGE", 600)
        options.setdefault("connect_timeout", 5)
    return database


DATABASES = {
    "default": _database(env.get("DATABASE_URL", "") or f"sqlite:///{BASE_DIR}/db.sqlite3")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- State: belongs to this machine, not to the database, and is shared by its processes

_is_sqlite = "sqlite" in DATABASES["default"]["ENGINE"]
_beside = Path(DATABASES["default"]["NAME"]).parent if _is_sqlite else BASE_DIR
IS_STATE_DIR_SET: bool = bool(env.get("STATE_DIR", ""))
STATE_DIR = Path(env.get("STATE_DIR", "") or _beside / "state").resolve()

# --- Cache: request counts of throttles, nothing that would be missed


def _redis(url: str) -> str:
    _ = urlsplit(url).port  # reading it refuses what is none
    return url


REDIS_URL: str = env.get("REDIS_URL", "")
if REDIS_URL:
    REDIS_URL = service(
        "REDIS_URL",
        REDIS_URL,
        _redis,
        schemes=("redis", "rediss", "unix"),
        example="redis://HOST:PORT/NUMBER, rediss:// or unix://",
    )
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    }
    if REDIS_URL
    else {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# --- Faces

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["raffles.web.parsing.StrictJSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "raffles.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "raffles.web.parsing.LenientNegotiation",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Raffles and lucky draws",
    "DESCRIPTION": "Raffles and lucky draws that anyone can verify.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "PATH_CONVERTER_OVERRIDES": {"UUID": {"type": "string", "format": "uuid"}},
    "ENUM_NAME_OVERRIDES": {
        "EntryEnum": "events.models.Event.Entry",
        "RaffleEntryEnum": ["address", "email", "invitation", "list"],
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    # Its links to a call stand within a button, which no screen reader can tell apart.
    "SWAGGER_UI_SETTINGS": {"deepLinking": False},
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Served from the packages' own folders: no deployment collects static files.
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 300

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
RAFFLE_ZONE: str = env.get("TIME_ZONE", "") or "UTC"  # of raffles that name none
if RAFFLE_ZONE not in zones():
    raise ImproperlyConfigured(f"TIME_ZONE is not a zone such as Europe/Paris: {RAFFLE_ZONE!r}")
FORMAT_MODULE_PATH = ["rafflesite.formats"]
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "locale"]
# Of the admin too: Django speaks more, but none of them about what is ours.
LANGUAGES = [(language, LANG_INFO[language]["name"]) for language in SPOKEN]
USE_TZ = True

CSRF_FAILURE_VIEW = "raffles.web.problems.csrf_failure"

# Of a form without its files: a table of 2 MB, sent again as text, may take four times that.
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024

FORM_RENDERER = "raffles.web.forms.Renderer"

# --- Browsers: everything from our origin, nothing inline; HTTPS if PUBLIC_URL has it

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "worker-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
# Whose pages may show a raffle in a frame (/embed/...); empty: nobody's, and there is none.
EMBED_ORIGINS = origins("EMBED_ORIGINS", env.get("EMBED_ORIGINS", ""))
# Whether browsers that keep tickets show them without a network, by a service worker.
OFFLINE = read("OFFLINE", env.get("OFFLINE", "") or "on", flag)
SECURE_SSL_REDIRECT = _is_https
# Safe because raffles.web.logs drops the header from everybody but TRUSTED_PROXIES.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REDIRECT_EXEMPT = [r"^((live|ready)z|metrics)$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _is_https else 0
SILENCED_SYSTEM_CHECKS = [
    # Subdomains and preload lists would bind hosts that are not ours.
    *("security.W005", "security.W021"),
    # raffles.web.middleware contains what the admin needs: `staff`, and the token of its forms.
    *("admin.E408", "admin.E409", "admin.E410", "security.W003"),
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _is_https
# A day's work of the staff, or until the browser is closed; no page outside needs their identity,
# and no script has to read the token.
SESSION_COOKIE_AGE = 12 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = "/admin/"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
X_FRAME_OPTIONS = "DENY"

# --- Mail and logs

vars().update(
    service(
        "EMAIL_URL",
        env.get("EMAIL_URL", "") or "consolemail://",
        environ.Env.email_url_config,
        schemes=environ.Env.EMAIL_SCHEMES,
        example="smtp+tls://user:password@mail.example.org:587",
    )
)
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = read("MAIL_FROM", env.get("MAIL_FROM", "") or f"draws@{_host}", sender)
# Webhooks may go only to the public internet and to these networks of our own.
WEBHOOK_NETWORKS = items(env.get("WEBHOOK_NETWORKS", ""))
read("WEBHOOK_NETWORKS", WEBHOOK_NETWORKS, networks)
LOG_LEVEL: str = (env.get("LOG_LEVEL", "") or "INFO").upper()
if LOG_LEVEL not in logging.getLevelNamesMapping():
    raise ImproperlyConfigured(f"LOG_LEVEL is {LOG_LEVEL!r}: set DEBUG, INFO, WARNING or ERROR.")
# Of the older ticket service's paths the one that holds a name.
_NAME_IN_PATH = r"(?is)(?<=(?<![^\s/])/ticket/)(?!(?:upcoming|winners|update_events)/?$).+"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "raffles.web.logs.JSONFormatter", "hides": _NAME_IN_PATH}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # To the root logger only, in its format; the access log already has 4xx.
        "django": {"handlers": [], "level": LOG_LEVEL},
        "django.request": {"level": "ERROR"},
        # Scanners would fill the log with tracebacks.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django.server": {"handlers": [], "level": "WARNING"},
    },
}
