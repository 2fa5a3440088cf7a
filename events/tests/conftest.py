"""What the tests of events start from."""

import pytest

from events.domain.calendar import forget_events


@pytest.fixture(autouse=True)
def afresh() -> None:
    """Drop cached events: the clocks of tests stand still, so they would outlive their test."""
    forget_events()
