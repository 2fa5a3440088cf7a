"""What staff do about one winner: each on a page that says first how it stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from raffles.admin.actions import ConfirmedAction, Performed, ReasonForm
from raffles.admin.raffle_actions import PUBLIC, passed_on, preview_successor
from raffles.admin.widgets import MomentField
from raffles.domain.prizes import (
    claim_without_code,
    extend_deadline,
    forfeit,
    note_notified,
    replace_winner,
)
from raffles.models import Handover, Winner, WinnerState
from raffles.models.raffle import MAX_TICKETS
from raffles.web.fields import text_fault
from raffles.web.formats import grouped, shown

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

HELD = frozenset({WinnerState.DRAWN, WinnerState.NOTIFIED, WinnerState.CLAIMED})
_FINAL = _("It can't be undone.")


def _standing(winner: Winner) -> Iterator[str]:
    """Yield who holds what, and what they have heard and said of it."""
    prize, handover = winner.current_prize(), getattr(winner, "handover", None) or Handover()
    holder = f" ({winner.ticket.username})" if winner.ticket.username else ""
    yield _("Ticket %(number)s%(holder)s, rank %(rank)s, holds %(prize)s.") % {
        "number": grouped(winner.ticket_number()),
        "holder": holder,
        "rank": grouped(winner.rank),
        "prize": prize.name if prize else _("no prize"),
    }
    zone = winner.raffle.zone()
    if handover.notified_at:
        yield _("Notified on %(at)s.") % {"at": shown(handover.notified_at, zone=zone)}
    else:
        yield gettext("Nobody has noted that they were notified.")
    if handover.claimed_at:
        yield _("Claimed on %(at)s.") % {"at": shown(handover.claimed_at, zone=zone)}
    elif handover.claim_until:
        until = {"at": shown(handover.claim_until, zone=zone)}
        yield _("Not claimed; kept until %(at)s.") % until
    else:
        yield gettext("Not claimed.")


class TypedNumberForm(ReasonForm):
    """The ticket's number again, so that it is this winner, and a word more if they claimed."""

    ticket_number = forms.IntegerField(
        min_value=1,
        max_value=MAX_TICKETS,
        localize=False,
        label=_("Ticket number"),
        help_text=_("As above, typed by you."),
    )
    despite_claim = forms.BooleanField(label=_("They have claimed it, and lose it nevertheless"))
    field_order = ("ticket_number", "despite_claim", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.initial["is_claimed"]:
            del self.fields["despite_claim"]

    def clean_ticket_number(self) -> int:
        number: int = self.cleaned_data["ticket_number"]
        if number != self.initial["number"]:
            raise ValidationError(_("This is the number of another ticket."))
        return number


def _of_winner(winner: Winner) -> dict[str, Any]:
    is_claimed = winner.state() == WinnerState.CLAIMED
    return {"number": winner.ticket_number(), "is_claimed": is_claimed}


class NotifiedForm(forms.Form):
    """Until when the prize is kept, if for longer."""

    claim_until = MomentField(
        required=False,
        label=_("Keep it until"),
        help_text=_("Empty: as it was. It can only become later."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.initial["has_deadline"]:
            del self.fields["claim_until"]


class WithoutCodeForm(ReasonForm):
    """Why there is no code, and how it was made sure that it is the winner."""

    checked = forms.CharField(
        max_length=300,
        label=_("Whom you checked, and how"),
        widget=forms.Textarea({"rows": 2}),
        help_text=_(
            "Such as: the buyer of the order, by passport. It is kept for ever: no names, "
            "no numbers of papers."
        ),
    )
    is_handed_over = forms.BooleanField(
        required=False,
        label=_("The prize is in their hands"),
        help_text=_("Otherwise it is to be sent."),
    )
    field_order = ("reason", "checked", "is_handed_over")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = _("Why without the code")
        self.fields["reason"].help_text = _("For the record, which forgets nothing: no names.")

    def clean_checked(self) -> str:
        checked: str = self.cleaned_data["checked"]
        if fault := text_fault(checked):
            raise ValidationError(fault)
        return checked


def _preview_notified(winner: Winner) -> list[StrOrPromise]:
    return [*_standing(winner), _("It is noted that you notified them, today.")]


def _perform_notified(
    winner: Winner, *, now: datetime, by: str, claim_until: datetime | None = None
) -> Performed:
    if claim_until:
        extend_deadline(winner, claim_until, now=now, by=by)
    note_notified([winner], now=now, by=by)
    said = gettext("Noted that the winner was notified.")
    if claim_until:
        longer = {"at": shown(claim_until, zone=winner.raffle.zone())}
        said += f" {_('The prize is kept until %(at)s.') % longer}"
    return Performed(said)


def _preview_without_code(winner: Winner) -> list[StrOrPromise]:
    return [
        *_standing(winner),
        _("Their claim is noted without the code, with your reason, and with how you made sure."),
        _("Whoever shows the code later is told that the prize is gone."),
        _FINAL,
    ]


def _perform_without_code(winner: Winner, *, now: datetime, by: str, **said: Any) -> Performed:
    number = winner.ticket_number()
    claim_without_code(winner.raffle.uuid, ticket_number=number, now=now, by=by, **said)
    done = _("Noted: claimed without the code, ticket %(number)s.")
    return Performed(done % {"number": grouped(number)})


def _preview_forfeit(winner: Winner) -> list[StrOrPromise]:
    successor = preview_successor(winner.raffle) if winner.raffle.promotes_alternates else ""
    nobody = _("It goes to nobody; you may pass it on afterwards.")
    loses = _("The winner loses it, for the reason you give.")
    return [*_standing(winner), loses, successor or nobody, _FINAL]


def _perform_forfeit(winner: Winner, *, now: datetime, by: str, **said: Any) -> Performed:
    done = forfeit(winner.raffle.uuid, now=now, by=by, **said)
    if done.replacement:
        return passed_on(done.replacement)
    return Performed(gettext("The prize is forfeited."))


def _preview_replacement(winner: Winner) -> list[StrOrPromise]:
    stays = _("The first result stays and your reason stands beside it.")
    return [*_standing(winner), preview_successor(winner.raffle), stays, PUBLIC]


def _perform_replacement(winner: Winner, *, now: datetime, by: str, **said: Any) -> Performed:
    said = {"despite_claim": False} | said
    return passed_on(replace_winner(winner.raffle.uuid, now=now, by=by, **said))


def _can_be_notified(winner: Winner) -> bool:
    """Return whether there is something to note: the first time, or a deadline to extend."""
    state = winner.state()
    return state == WinnerState.DRAWN or (state == WinnerState.NOTIFIED and _has_deadline(winner))


def _has_deadline(winner: Winner) -> bool:
    handover = getattr(winner, "handover", None)
    return handover is not None and handover.claim_until is not None


WINNER_ACTIONS = (
    ConfirmedAction(
        name="told",
        label=_("Notified by phone"),
        permissions=("raffles.hand_over_prize",),
        is_offered=_can_be_notified,
        preview=_preview_notified,
        perform=_perform_notified,
        form=NotifiedForm,
        initial=lambda winner: {"has_deadline": _has_deadline(winner)},
    ),
    ConfirmedAction(
        name="without_code",
        label=_("Claimed without code"),
        permissions=("raffles.claim_without_code",),
        is_offered=lambda winner: winner.state() in HELD,
        preview=_preview_without_code,
        perform=_perform_without_code,
        form=WithoutCodeForm,
    ),
    ConfirmedAction(
        name="replace",
        label=_("Replace by the next alternate"),
        permissions=("raffles.add_replacement",),
        is_offered=lambda winner: winner.state() in HELD | {WinnerState.FORFEITED},
        preview=_preview_replacement,
        perform=_perform_replacement,
        form=TypedNumberForm,
        initial=_of_winner,
        is_harmful=True,
    ),
    ConfirmedAction(
        name="forfeit",
        label=_("Forfeit"),
        permissions=("raffles.add_replacement",),
        is_offered=lambda winner: winner.state() in HELD,
        preview=_preview_forfeit,
        perform=_perform_forfeit,
        form=TypedNumberForm,
        initial=_of_winner,
        is_harmful=True,
    ),
)
