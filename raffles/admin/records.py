"""Draws and announcements, read-only."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from raffles.admin.base import Beginning, ReadOnly
from raffles.models import Announcement, Draw
from raffles.pages.reasons import shown_reason


@admin.register(Draw)
class DrawAdmin(ReadOnly):
    """Draws: what was committed to, and what decided."""

    purpose = _(
        "Every pool that was sealed, and what decided its draw. A raffle’s page seals and draws it."
    )
    beginning = Beginning(
        _("Look at the raffles"), "admin:raffles_raffle_changelist", "raffles.view_raffle"
    )
    list_display = ("raffle", "closed_at", "round", "drawn_at", "voided_at")
    list_select_related = ("raffle",)
    search_fields = ("raffle__name", "raffle__uuid")
    fields = (
        *("raffle", "closed_at", "commitment", "round", "beacon_randomness"),
        *("drawn_at", "voided_at", "why_void"),
    )
    readonly_fields = fields

    @admin.display(description=_("commitment hash"))
    def commitment(self, draw: Draw) -> str:
        return bytes(draw.commitment_hash).hex()

    @admin.display(description=_("void reason"))
    def why_void(self, draw: Draw) -> str:
        return shown_reason(draw.void_reason) if draw.void_reason else "—"

    @admin.display(description=_("randomness"))
    def beacon_randomness(self, draw: Draw) -> str:
        return bytes(draw.randomness).hex() if draw.randomness else "—"


@admin.register(Announcement)
class AnnouncementAdmin(ReadOnly):
    """Announcements, in their order."""

    purpose = _(
        "What was said in public, numbered: seals, draws, call-offs. Every such act adds a line."
    )
    list_display = ("sequence", "kind", "raffle", "announced_at", "announced_by")
    list_filter = ("kind",)
    list_select_related = ("raffle",)
    fields = ("sequence", "kind", "raffle", "payload", "announced_at", "announced_by")
    readonly_fields = fields
    ordering = ("-sequence",)
    sortable_by = ()
