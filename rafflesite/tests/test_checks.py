"""System checks, each broken by one setting."""

from collections.abc import Callable

import pytest
from django.core.checks import CheckMessage, Error, Info, Warning  # noqa: A004
from django.core.checks.registry import registry
from pytest_django import Settings

from rafflesite import checks

pytestmark = pytest.mark.bare

SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
POSTGRESQL = {"default": {"ENGINE": "django.db.backends.postgresql"}}
LOCAL = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
REDIS = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}
PROVIDER = {
    "OIDC_ISSUER": "https://id.example.org",
    "OIDC_CLIENT_ID": "raffles",
    "OIDC_CLIENT_SECRET": "a secret",
    "OIDC_GROUPS": {"desk": frozenset({"Operator"})},
}

CASES: list[tuple[Callable[..., list[CheckMessage]], dict[str, object], str | None]] = [
    (checks.check_networks, {}, None),
    (checks.check_networks, {"MANAGER_IPS": ["10.0.0.0/8"], "TRUSTED_PROXIES": ["::1"]}, None),
    (checks.check_networks, {"TRUSTED_PROXIES": ["unix", "10.0.0.0/8"]}, None),
    (checks.check_networks, {"MANAGER_IPS": ["0.0.0.0/0"]}, "rafflesite.E001"),
    (checks.check_networks, {"TRUSTED_PROXIES": ["::/0"]}, "rafflesite.E001"),
    (
        checks.check_networks,
        {"MANAGER_IPS": ["10.0.0.9"], "TRUSTED_PROXIES": ["10.0.0.0/8"]},
        "rafflesite.W004",
    ),
    (checks.check_admin, {"ADMIN_FOR_MANAGERS": True, "MANAGER_IPS": ["192.0.2.1"]}, None),
    (checks.check_admin, {"ADMIN_FOR_MANAGERS": False, "MANAGER_IPS": []}, None),
    (checks.check_admin, {"ADMIN_FOR_MANAGERS": True, "MANAGER_IPS": []}, "rafflesite.E006"),
    (checks.check_secrets, {"EPHEMERAL_SECRETS": frozenset(), "DEBUG": False}, None),
    (checks.check_secrets, {"EPHEMERAL_SECRETS": frozenset({"TICKET_KEY"}), "DEBUG": True}, None),
    (
        checks.check_secrets,
        {"EPHEMERAL_SECRETS": frozenset({"TICKET_KEY"}), "DEBUG": False},
        "rafflesite.E002",
    ),
    (checks.check_state_dir, {"DATABASES": SQLITE, "IS_STATE_DIR_SET": False}, None),
    (checks.check_state_dir, {"DATABASES": POSTGRESQL, "IS_STATE_DIR_SET": True}, None),
    (
        checks.check_state_dir,
        {"DATABASES": POSTGRESQL, "IS_STATE_DIR_SET": False, "DEBUG": True},
        None,
    ),
    (
        checks.check_state_dir,
        {"DATABASES": POSTGRESQL, "IS_STATE_DIR_SET": False, "DEBUG": False},
        "rafflesite.E007",
    ),
    (checks.check_state_beside_database, {"DATABASES": POSTGRESQL, "STATE_DIR": "/srv/a"}, None),
    (
        checks.check_state_beside_database,
        {"DATABASES": {"default": SQLITE["default"] | {"NAME": "/srv/a/db"}}, "STATE_DIR": "/b"},
        None,
    ),
    (
        checks.check_state_beside_database,
        {
            "DATABASES": {"default": SQLITE["default"] | {"NAME": "/srv/a/db"}},
            "STATE_DIR": "/srv/a/state",
        },
        "rafflesite.W008",
    ),
    (checks.check_witness, {"WITNESS_SEED": None}, None),
    (checks.check_witness, {"WITNESS_SEED": b"w" * 32, "RECEIPT_SEEDS": [b"r" * 32]}, None),
    (
        checks.check_witness,
        {"WITNESS_SEED": b"o" * 32, "RECEIPT_SEEDS": [b"r" * 32, b"o" * 32]},
        "rafflesite.E008",
    ),
    (checks.check_accounts, {"HAS_ACCOUNTS": False}, None),
    (checks.check_accounts, {"HAS_ACCOUNTS": True, "SECOND_FACTOR": "required"}, None),
    (checks.check_accounts, {"HAS_ACCOUNTS": True, **PROVIDER}, None),
    (checks.check_accounts, {"HAS_ACCOUNTS": False, **PROVIDER}, "rafflesite.E009"),
    (
        checks.check_accounts,
        {"HAS_ACCOUNTS": False, "SECOND_FACTOR": "optional"},
        "rafflesite.E009",
    ),
    *(
        (checks.check_accounts, {"HAS_ACCOUNTS": True, **PROVIDER, name: ""}, "rafflesite.E009")
        for name in PROVIDER
    ),
    (checks.check_local_managers, {"MANAGER_IPS": ["192.0.2.1"]}, None),
    (
        checks.check_local_managers,
        {"MANAGER_IPS": ["127.0.0.1"], "TRUSTED_PROXIES": ["127.0.0.1"]},
        None,
    ),
    (checks.check_local_managers, {"MANAGER_IPS": ["127.0.0.1"]}, "rafflesite.W003"),
    (checks.check_local_managers, {"MANAGER_IPS": ["::1"]}, "rafflesite.W003"),
    (
        checks.check_local_managers,
        {"MANAGER_IPS": ["::1"], "TRUSTED_PROXIES": ["unix", "::1"]},
        None,
    ),
    (checks.check_proxies, {"TRUSTED_PROXIES": []}, None),
    (checks.check_proxies, {"TRUSTED_PROXIES": ["unix"]}, "rafflesite.I001"),
    (checks.check_database, {"DATABASES": POSTGRESQL}, None),
    (checks.check_database, {"DATABASES": SQLITE}, "rafflesite.W001"),
    (checks.check_cache, {"CACHES": REDIS}, None),
    (checks.check_cache, {"CACHES": LOCAL}, "rafflesite.W002"),
    (checks.check_mail, {"EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend"}, None),
    (
        checks.check_mail,
        {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"},
        "rafflesite.W009",
    ),
]


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.parametrize(("check", "values", "identity"), CASES)
def test_check(
    settings: Settings,
    check: Callable[..., list[CheckMessage]],
    values: dict[str, object],
    identity: str | None,
) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    found = check(app_configs=None)
    assert [message.id for message in found] == ([identity] if identity else [])
    for message in found:
        assert message.hint
        assert type(message) is {"E": Error, "W": Warning, "I": Info}[str(message.id)[-4]]


def test_every_check_is_registered_and_tried() -> None:
    defined = {f for name, f in vars(checks).items() if name.startswith("check_")}
    assert {check for check, _, _ in CASES} == defined
    assert defined <= set(registry.get_checks(include_deployment_checks=True))
