"""What the tests of events start from."""

import pytest

from events.domain.calendar import forget_events


@pytest.fixture(autouse=True)
def afresh() -> None:
    """Clocks of tests stand still, so a process would remember events of the test before."""
    forget_events()
