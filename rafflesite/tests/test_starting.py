"""What a process that serves refuses to begin with."""

import re

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from pytest_django import Settings

from raffles.domain.log import announce_keys, announced_keys
from rafflesite.starting import start

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("MANAGER_IPS", ["0.0.0.0/0"], "MANAGER_IPS holds every address there is: 0.0.0.0/0."),
        ("ADMIN_FOR_MANAGERS", True, "nobody may enter the admin. List the managers' addresses."),
        ("DRAND_RELAYS", ["foo"], "DRAND_RELAYS holds an item that is not a relay"),
        ("CSRF_TRUSTED_ORIGINS", ["draws.example.org"], "must start with a scheme"),
        ("EPHEMERAL_SECRETS", ["TICKET_KEY"], "Set TICKET_KEY"),
    ],
)
def test_what_a_check_calls_an_error_is_not_served(
    settings: Settings, name: str, value: object, sentence: str
) -> None:
    settings.EPHEMERAL_SECRETS, settings.IS_STATE_DIR_SET, settings.MANAGER_IPS = [], True, []
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=re.escape(sentence)):
        start()


@pytest.mark.django_db(transaction=True)
def test_a_retired_key_in_front_is_refused(settings: Settings) -> None:
    settings.EPHEMERAL_SECRETS, settings.IS_STATE_DIR_SET = [], True
    for seed in (OLD, NEW):
        settings.RECEIPT_SEEDS = [seed]
        announce_keys(timezone.now())
    known = announced_keys()
    start()
    settings.RECEIPT_SEEDS = [OLD, NEW]
    with pytest.raises(ImproperlyConfigured, match="retired for good: put a new one in front"):
        start()
    assert announced_keys() == known
