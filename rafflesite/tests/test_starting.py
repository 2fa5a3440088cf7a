"""What a process that serves refuses to begin with."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from pytest_django import Settings

from raffles.domain.log import announce_keys, announced_keys
from rafflesite.starting import start

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


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
