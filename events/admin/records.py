"""Past dates and failures, read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from events.models import Occurrence, Setback
from raffles.admin.base import Beginning, ReadOnly
from raffles.web.formats import clock
from raffles.web.zones import zone_of


@admin.register(Occurrence)
class OccurrenceAdmin(ReadOnly):
    """Dates that have tickets, or that nobody entered."""

    purpose = _(
        "Dates of events that are fixed: each comes here with its first ticket, or when it has "
        "passed without one. What is still to come is in the event’s calendar."
    )
    beginning = Beginning(
        _("Look at the events"), "admin:events_event_changelist", "events.view_event"
    )
    list_display = ("event", "date", "draws", "reward_name", "raffle")
    # Not a filter by event: all of them would stand beside the list.
    search_fields = ("event__name", "event__slug", "reward_name")
    search_help_text = _("By event or reward.")
    list_select_related = ("event", "raffle")
    date_hierarchy = "date"

    @admin.display(description=_("draw at"), ordering="draw_at")
    def draws(self, row: Occurrence) -> SafeString | str:
        """Show when, on the clocks that its event had."""
        return clock(row.draw_at, zone_of(row.time_zone))

    def about(self, row: Any) -> Model:
        """Return the raffle, or the event if nobody entered."""
        subject: Model = row.raffle or row.event
        return subject


@admin.register(Setback)
class SetbackAdmin(ReadOnly):
    """Failures that are retried."""

    purpose = _("Draws that failed and are tried again by themselves. None is good news.")
    list_display = ("__str__", "raffle", "event", "attempts", "failed_at", "next_try_at")
    list_select_related = ("event", "raffle")
