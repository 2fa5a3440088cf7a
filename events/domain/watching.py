"""What somebody should look at: sentences for `/readyz` and `manage.py check_draws`."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from events.models import Heartbeat
from raffles.fairness.verify import first_round_at
from raffles.models import Draw, Raffle, State
from raffles.models.draw import LATE_AFTER

_BEACON_TAKES = timedelta(seconds=30)  # to publish and spread a round; relays lag by a few


def warnings() -> list[str]:
    """A sentence for each thing that is not as it should be now."""
    now = timezone.now()
    return [*missed_runs(now), *_overdue_draws(now), *_late_beacon(now)]


def missed_runs(now: datetime) -> list[str]:
    """A sentence when no run has come to its end for a while."""
    last = Heartbeat.objects.first()
    if last is None:
        return ["draw_winners has never run."]
    if now - last.ran_at <= LATE_AFTER:
        return []
    return [f"draw_winners has not run since {_shown(last.ran_at)}."]


def _overdue_draws(now: datetime) -> list[str]:
    """Counts what waits for a run; what waits for the beacon is not overdue."""
    waiting = Draw.objects.live().filter(drawn_at=None, round__isnull=False)
    overdue = Raffle.objects.due(now - LATE_AFTER).exclude(state=State.SEALED, draws__in=waiting)
    timed = overdue.filter(closes_at__isnull=False)
    if not (oldest := timed.first()):
        return []
    return [f"{_draws(timed.count())} overdue, the oldest since {_shown(oldest.closes_at)}."]


def _late_beacon(now: datetime) -> list[str]:
    """A round that should be public, and draws that still wait for it."""
    public = first_round_at(int((now - _BEACON_TAKES).timestamp()))
    late = Draw.objects.live().filter(drawn_at=None, round__lt=public).order_by("round")
    if not (oldest := late.first()):
        return []
    return [f"{_draws(late.count())} waiting for the beacon, the oldest for round {oldest.round}."]


def _draws(count: int) -> str:
    return "1 draw is" if count == 1 else f"{count} draws are"


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
