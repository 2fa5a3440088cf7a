"""After a draw: what is still to be handed over, whom to call, and who was reached."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from raffles.admin.actions import AdminPages, ConfirmedAction, Performed, ViewPage
from raffles.domain.prizes import note_all_notified
from raffles.models import Raffle, State, Winner, WinnerState
from raffles.models.winner import WinnerQuerySet
from raffles.web.formats import SHORT, grouped, shown

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
        return _("More than %(count)s prizes to hand over.") % {"count": grouped(COUNTED)}
    deadlines = [until for until, claimed_at in found if until and not claimed_at]
    coming = [until for until in deadlines if until > now]
    over = len(deadlines) - len(coming)
    late = _(", %(over)s past the deadline") % {"over": grouped(over)} if over else ""
    first = shown(min(coming), SHORT, zone=raffle.zone()) if coming else ""
    which = _(", next deadline %(at)s") if over else _(", first deadline %(at)s")
    deadline = which % {"at": first} if first else ""
    many = ngettext("%(count)s prize to hand over", "%(count)s prizes to hand over", len(found))
    return f"{many % {'count': grouped(len(found))}}{late}{deadline}."


def call_sheet(request: HttpRequest, admin: AdminPages, raffle: Raffle) -> HttpResponseBase:
    """Show those who hold a prize and have not received it, with room to write; for paper."""
    winners = list(_winners(raffle).held()[: AT_ONCE + 1])
    rows = [
        {
            "number": winner.ticket_number(),
            "user": winner.ticket.username,
            "prize": getattr(winner.current_prize(), "name", ""),
            "state": winner.state().label,
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
    return admin.render(request, template, str(CALL_SHEET.label), raffle, context)


class ReachedForm(forms.Form):
    """Which of the winners that nobody has notified were reached."""

    winners = forms.TypedMultipleChoiceField(
        coerce=int,
        label=_("Whom you reached"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": _(
                "Somebody else has noted something about these winners meanwhile. "
                "Look at the list as it is now."
            ),
            "required": _("Tick at least one."),
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
    number = grouped(winner.ticket_number())
    return _("Ticket %(number)s%(holder)s: %(prize)s") % {
        "number": number,
        "holder": holder,
        "prize": prize.name if prize else "",
    }


def _preview(raffle: Raffle) -> list[str]:
    more = _untold(raffle)[AT_ONCE : AT_ONCE + COUNTED + 1].count()
    later = []
    if more > COUNTED:
        many = _("More than %(count)s others come once these are noted.")
        later = [many % {"count": grouped(COUNTED)}]
    elif more:
        many = _("%(count)s more come once these are noted.")
        later = [many % {"count": grouped(more)}]
    return [
        gettext(
            "It is noted that you notified those whom you tick, today; "
            "the record says who noted it."
        ),
        gettext(
            "Their deadlines stay as they are. "
            "To keep a prize for longer, open the winner's own page."
        ),
        *later,
    ]


def _perform(raffle: Raffle, *, now: datetime, by: str, winners: list[int]) -> Performed:
    count = note_all_notified(raffle.pk, winners, now=now, by=by)
    said = ngettext(
        "Noted: %(count)s winner notified.", "Noted: %(count)s winners notified.", count
    )
    return Performed(said % {"count": grouped(count)})


CALL_SHEET = ViewPage(
    name="call_sheet",
    label=_("Call sheet"),
    permissions=("raffles.view_winner", "raffles.view_ticket"),
    methods=("GET", "HEAD"),
    is_offered=lambda raffle: raffle.state == State.DRAWN,
    view=call_sheet,
)
NOTIFIED = ConfirmedAction(
    name="told",
    label=_("Note who was notified"),
    permissions=("raffles.hand_over_prize",),
    is_offered=lambda raffle: raffle.state == State.DRAWN and _untold(raffle).exists(),
    preview=_preview,
    perform=_perform,
    form=ReachedForm,
    initial=_choices,
)
