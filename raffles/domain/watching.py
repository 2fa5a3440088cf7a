"""What somebody should look at: sentences for `/readyz` and `manage.py check_draws`."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from raffles.models import Delivery, Endpoint

from .spreading import unspread

_UNDELIVERED_AFTER = timedelta(minutes=15)


def warnings() -> list[str]:
    """A sentence for each thing about delivery that is not as it should be now."""
    then = timezone.now() - _UNDELIVERED_AFTER
    old = Delivery.objects.pending().filter(created_at__lte=then)
    dead = Delivery.objects.filter(state=Delivery.State.DEAD)
    found = []
    waiting = unspread().filter(announced_at__lte=then)
    if waiting.exists() and Endpoint.objects.enabled().exists():
        found.append("Announcements wait: deliver_announcements does not run.")
    if count := old.filter(endpoint__is_enabled=True).count():
        found.append(f"Announcements undelivered for 15 minutes: {count}.")
    if count := dead.count():
        found.append(f"Announcements given up, to be sent again or deleted: {count}.")
    return found
