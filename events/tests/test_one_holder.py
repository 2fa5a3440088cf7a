"""Many clients ask at once for one holder; `python -m benchmarks.ways_in` does it for long."""

from __future__ import annotations

import pytest

from events.tests.one_holder import WAYS, faults_of_a_round
from raffles.domain import entering_lists
from raffles.tests.nothing_lost.harness import clients

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CLIENTS = 16


@pytest.mark.parametrize("way", WAYS)
def test_holder_gets_what_the_terms_allow(way: str) -> None:
    with clients(CLIENTS) as threads:
        assert [fault for _ in range(2) for fault in faults_of_a_round(way, threads, CLIENTS)] == []


def test_entering_more_than_the_terms_allow_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entering_lists, "_too_many", lambda *_: "")
    with clients(CLIENTS) as threads:
        assert faults_of_a_round("staff and partner", threads, CLIENTS) == [
            "staff and partner: 1 raffles, 8 tickets, 8 acknowledged",
            "staff and partner: a holder has tickets 0, 1, ... as far as the terms allow",
        ]
