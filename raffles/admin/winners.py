"""Winners, and who took whose place."""

from __future__ import annotations

from django.contrib import admin

from raffles.models import Replacement, Winner
from rafflesite.records import ReadOnly


@admin.register(Winner)
class WinnerAdmin(ReadOnly):
    """Winners and alternates in order of rank."""

    list_display = ("raffle", "rank", "ticket_number", "prize")
    list_select_related = ("raffle", "prize")
    search_fields = ("raffle__name", "raffle__uuid")
    show_full_result_count = False
    fields = ("raffle", "rank", "ticket_number", "prize", "index")
    readonly_fields = fields
    ordering = ("-raffle", "rank")


@admin.register(Replacement)
class ReplacementAdmin(ReadOnly):
    """Who took whose place."""

    list_display = ("raffle", "prize", "reason", "replaced_at", "actor")
    list_select_related = ("raffle", "prize")
    fields = ("raffle", "prize", "winner", "alternate", "reason", "replaced_at", "actor")
    readonly_fields = fields
