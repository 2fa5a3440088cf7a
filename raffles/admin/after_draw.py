"""After a draw: what is still to be handed over, whom to call, and who was reached."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from raffles.admin.actions import AdminPages, ConfirmedAction, Performed, ViewPage
from raffles.domain.prizes import note_all_notified
from raffles.models import Raffle, State, Winner, WinnerState
from raffles.models.winner import WinnerQuerySet
from raffles.web.formats import SHORT, shown

COUNTED = 1_000  # prizes; beyond, the page says "more than"
AT_ONCE = 200  # winners on a call sheet, and noted at once


def to_hand_over(raffle: Raffle, now: datetime) -> str:
    """Return how many prizes wait, how many too long, and the next deadline; empty for none.

    One query of at most COUNTED + 1 rows. Of more prizes no deadline is told: the first of all
    would have to be looked for.
    """
    columns = ("handover__claim_until", "handover__claimed_at")
    held = Winner.objects.filter(raffle=raffle).held().order_by("rank")
    found = list(held.values_list(*columns)[: COUNTED + 1])
    if not found:
        return ""
    if len(found) > COUNTED:
        return f"More than {COUNTED:,} prizes to hand over."
    deadlines = [until for until, claimed_at in found if until and not claimed_at]
    coming = [until for until in deadlines if until > now]
    over = len(deadlines) - len(coming)
    late = f", {over:,} past the deadline" if over else ""
    first = shown(min(coming), SHORT, zone=raffle.zone()) if coming else ""
    deadline = f", {'next' if over else 'first'} deadline {first}" if first else ""
    many = "1 prize" if len(found) == 1 else f"{len(found):,} prizes"
    return f"{many} to hand over{late}{deadline}."


def call_sheet(request: HttpRequest, admin: AdminPages, raffle: Raffle) -> HttpResponseBase:
    """Show those who hold a prize and have not received it, with room to write; for paper."""
    winners = list(_winners(raffle).held()[: AT_ONCE + 1])
    rows = [
        {
            "number": winner.ticket_number(),
            "user": winner.ticket.username,
            "prize": getattr(winner.current_prize(), "name", ""),
            "state": winner.state(),
            "until": shown(winner.claim_until(), SHORT, zone=raffle.zone()),
        }
        for winner in winners[:AT_ONCE]
    ]
    context = {
        "rows": rows,
        "summary": to_hand_over(raffle, timezone.now()),
        "is_cut": len(winners) > AT_ONCE,
        "at_once": AT_ONCE,
    }
    template = "admin/raffles/call_sheet.html"
    return admin.render(request, template, CALL_SHEET.label, raffle, context)


class ReachedForm(forms.Form):
    """Which of the winners that nobody has notified were reached."""

    winners = forms.TypedMultipleChoiceField(
        coerce=int,
        label="Whom you reached",
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": "Somebody else has noted something about these winners meanwhile. "
            "Look at the list as it is now.",
            "required": "Tick at least one.",
        },
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["winners"].choices = self.initial["untold"]  # type: ignore[attr-defined]


def _winners(raffle: Raffle) -> WinnerQuerySet:
    winners: WinnerQuerySet = Winner.objects.with_state().filter(raffle=raffle)
    return winners.select_related("ticket").order_by("rank")


def _untold(raffle: Raffle) -> WinnerQuerySet:
    return _winners(raffle).state(WinnerState.DRAWN)


def _choices(raffle: Raffle) -> dict[str, Any]:
    return {"untold": [(winner.pk, _line(winner)) for winner in _untold(raffle)[:AT_ONCE]]}


def _line(winner: Winner) -> str:
    prize = winner.current_prize()
    holder = f" ({winner.ticket.username})" if winner.ticket.username else ""
    return f"Ticket {winner.ticket_number():,}{holder}: {prize.name if prize else ''}"


def _preview(raffle: Raffle) -> list[str]:
    more = _untold(raffle)[AT_ONCE : AT_ONCE + COUNTED + 1].count()
    many = f"More than {COUNTED:,} others" if more > COUNTED else f"{more:,} more"
    later = [f"{many} come once these are noted."] if more else []
    return [
        "It is noted that you notified those whom you tick, today; the record says who noted it.",
        "Their deadlines stay as they are. To keep a prize for longer, open the winner's own page.",
        *later,
    ]


def _perform(raffle: Raffle, *, now: datetime, by: str, winners: list[int]) -> Performed:
    count = note_all_notified(raffle.pk, winners, now=now, by=by)
    return Performed(f"Noted: {count:,} {'winner' if count == 1 else 'winners'} notified.")


CALL_SHEET = ViewPage(
    name="call_sheet",
    label="Call sheet",
    permissions=("raffles.view_winner", "raffles.view_ticket"),
    methods=("GET", "HEAD"),
    is_offered=lambda raffle: raffle.state == State.DRAWN,
    view=call_sheet,
)
NOTIFIED = ConfirmedAction(
    name="told",
    label="Note who was notified",
    permissions=("raffles.hand_over_prize",),
    is_offered=lambda raffle: raffle.state == State.DRAWN and _untold(raffle).exists(),
    preview=_preview,
    perform=_perform,
    form=ReachedForm,
    initial=_choices,
)
