"""The counter: somebody shows a ticket and gets its prize; one screen, made for a phone.

Number and code come in a request body and return in hidden fields of an uncached answer; the
domain checks them again on every action.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from raffles.admin.actions import AdminPages, ViewPage
from raffles.domain.clock import acting_time
from raffles.domain.prizes import claim_prize, hand_over, presented_winner, undo_hand_over
from raffles.domain.refusals import Refusal, TooLateToUndo
from raffles.domain.search import recently_drawn
from raffles.models import Handover, LogEntry, Raffle, Winner, WinnerState
from raffles.models.raffle import MAX_TICKETS
from raffles.pages.notices import TooManyTries, notice_of
from raffles.pages.page import throttle
from raffles.pages.reasons import shown_reason
from raffles.web.callers import staff
from raffles.web.formats import grouped, shown
from raffles.web.middleware import uses_camera
from raffles.web.problems import STATUS
from raffles.web.throttles import VerifyThrottle

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer: headline, kind, the prize concerned, further lines, and the possible actions."""

    headline: str
    lines: tuple[str, ...] = ()
    kind: str = "no"  # yes, no or done
    prize: str = ""
    actions: tuple[str, ...] = ()


def verdict_on(winner: Winner | None, *, now: datetime) -> Verdict:
    """Return the verdict on a ticket whose code is right; None stands for one not drawn."""
    if winner is None:
        return Verdict(
            gettext("Not a winner"), (gettext("This ticket was in the draw and has not won."),)
        )
    prize = winner.current_prize() or winner.prize
    name, handover = prize.name if prize else "", getattr(winner, "handover", None) or Handover()
    zone = winner.raffle.zone()
    match winner.state():
        case WinnerState.ALTERNATE:
            which = _("An alternate, rank %(rank)s.") % {"rank": grouped(winner.rank)}
            return Verdict(gettext("No prize so far"), (which,))
        case WinnerState.REPLACED:
            line = winner.replacement
            when = _("It went to an alternate on %(at)s.") % {
                "at": shown(line.replaced_at, zone=zone)
            }
            return Verdict(gettext("Passed on"), (when, _reason(line.reason)), prize=name)
        case WinnerState.FORFEITED:
            entry = _entry(winner, "prize.forfeited")
            why = (_reason(entry.why),) if entry and entry.why else ()
            on = _("On %(at)s.") % {"at": shown(handover.forfeited_at, zone=zone)}
            return Verdict(gettext("Forfeited"), (on, *why), prize=name)
        case WinnerState.HANDED_OVER:
            entry = _entry(winner, "prize.handed_over")
            at = shown(handover.handed_over_at, zone=zone)
            when = _("On %(at)s.") % {"at": at}
            if entry:
                when = _("On %(at)s, by %(by)s.") % {"at": at, "by": entry.by}
            return Verdict(gettext("Handed over already"), (when,), "done", name)
    return _held(winner, handover, name, now)


def _reason(reason: str) -> str:
    return _("The reason given: %(reason)s") % {"reason": shown_reason(reason)}


def _held(winner: Winner, handover: Handover, prize: str, now: datetime) -> Verdict:
    """Return the verdict on a prize that waits for its winner."""
    rank, zone = _("Rank %(rank)s.") % {"rank": grouped(winner.rank)}, winner.raffle.zone()
    kept = _("Kept until %(at)s.") % {"at": shown(handover.claim_until, zone=zone)}
    if handover.claimed_at:
        claimed = _("Claimed on %(at)s.") % {"at": shown(handover.claimed_at, zone=zone)}
        return Verdict(gettext("Won"), (rank, claimed), "yes", prize, ("hand-over",))
    if handover.is_overdue(now):
        return Verdict(gettext("Too late"), (kept,), prize=prize)
    lines = (rank, kept) if handover.claim_until else (rank,)
    return Verdict(gettext("Won"), lines, "yes", prize, ("hand-over", "claim"))


def _entry(winner: Winner, action: str) -> LogEntry | None:
    """Return the latest entry in the record on the winner's prize."""
    entries = LogEntry.objects.about(winner.raffle)
    return entries.filter(action=action, details__rank=winner.rank).last()


# The contents of a ticket's QR code; scanners that act as a keyboard type it into a field.
_CARD = re.compile(r"/r/([0-9a-f-]{36})/ticket/#(\d{1,8})\.([0-9A-Z-]{20,24})\s*$", re.IGNORECASE)
HANDED_OVER = _("Handed over")
ACTIONS: dict[str, tuple[Callable[..., Winner], StrOrPromise]] = {
    "hand-over": (hand_over, HANDED_OVER),
    "claim": (claim_prize, _("Claimed, to be sent")),
}


class CounterForm(forms.Form):
    """A ticket as presented: typed, or read by a scanner."""

    use_required_attribute = False  # a scanner fills one field and presses Enter

    raffle = forms.UUIDField(
        label=_("Raffle"),
        widget=forms.Select,
        error_messages={"required": _("Choose the raffle.")},
    )
    number = forms.CharField(
        label=_("Number"),
        required=False,
        max_length=300,
        widget=forms.TextInput(
            {
                "inputmode": "numeric",
                "autocomplete": "off",
                "enterkeyhint": "next",
            }
        ),
    )
    code = forms.CharField(
        label=_("Code"),
        required=False,
        max_length=300,
        widget=forms.TextInput(
            {
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "enterkeyhint": "go",
            }
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(raffle.uuid), raffle.name) for raffle in recently_drawn()]
        asked = str(self["raffle"].value() or "")
        if asked and asked not in dict(choices):
            choices += [(asked, name) for name in _names(asked)]
        self.fields["raffle"].widget.choices = choices

    def full_clean(self) -> None:
        """Split a scanned card into the fields before validation misses any."""
        for name in ("number", "code"):
            if card := _CARD.search(self.data.get(name, "")):
                read = zip(("raffle", "number", "code"), card.groups(), strict=True)
                self.data = {**self.data.dict(), **dict(read)}  # type: ignore[attr-defined]
                break
        super().full_clean()

    def clean_number(self) -> int:
        text = self.cleaned_data["number"].strip().replace(",", "")
        is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_TICKETS))
        if not is_number:
            raise forms.ValidationError(_("Type the number on the ticket."))
        return int(text)

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if not code:
            raise forms.ValidationError(_("Type the code on the ticket."))
        return code


def _names(uuid: str) -> list[str]:
    try:
        return list(Raffle.objects.filter(uuid=UUID(uuid)).values_list("name", flat=True))
    except ValueError:
        return []


@sensitive_post_parameters("number", "code")
@uses_camera
def counter(request: HttpRequest, admin: AdminPages) -> HttpResponse:
    """Show the form, the verdict on a ticket, and the possible actions, or perform one."""
    if request.method != "POST":
        form = CounterForm(initial={"raffle": request.GET.get("raffle", "")})
        return _page(request, admin, form, undo=_undoable(request.GET.get("done", "")))
    if request.POST.get("undo"):
        return _undo(request)
    form = CounterForm(request.POST)
    try:
        throttle(request, VerifyThrottle())
        if not form.is_valid():
            return _page(request, admin, form, status=400)
        return _answered(request, admin, form)
    except TooManyTries as refusal:
        notice = notice_of(refusal)
        verdict = Verdict(str(notice.title), (str(notice.text),))
        response = _page(request, admin, form, verdict, notice.status)
        response["Retry-After"] = str(notice.retry_after)
        return response


_DONE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _done(winner: Winner) -> str:
    """Return which hand-over it was, by winner and microsecond: another may follow an undo."""
    since_epoch = (winner.handover.handed_over_at or _EPOCH) - _EPOCH
    return f"{winner.pk}-{since_epoch // timedelta(microseconds=1)}"


def _undoable(key: str) -> Winner | None:
    """Return whose prize was handed over just now, by this very hand-over."""
    match = _DONE.fullmatch(key)
    winners = Winner.objects.select_related("raffle", "ticket", "prize", "handover")
    winner = winners.filter(pk=match[1]).first() if match else None
    handover = getattr(winner, "handover", None)
    if winner is None or handover is None or not handover.can_be_undone(timezone.now()):
        return None
    return winner if _done(winner) == key else None


def _undo(request: HttpRequest) -> HttpResponse:
    winner = _undoable(request.POST["undo"])
    try:
        if winner is None:
            raise TooLateToUndo
        which = winner.handover.handed_over_at
        undo_hand_over(winner.pk, handed_over_at=which, now=acting_time(), by=staff(request))
        said = gettext("Undone: ticket %(number)s has claimed, and waits for its prize.")
        messages.success(request, said % {"number": grouped(winner.ticket_number())})
    except Refusal as refusal:
        messages.error(request, str(refusal))
    raffle = f"?raffle={winner.raffle.uuid}" if winner else ""
    return HttpResponseRedirect(reverse("admin:raffles_winner_counter") + raffle)


def _answered(request: HttpRequest, admin: AdminPages, form: CounterForm) -> HttpResponse:
    asked, now = form.cleaned_data, acting_time()
    raffle = Raffle.objects.filter(uuid=asked["raffle"]).first()
    if raffle is None:
        form.add_error("raffle", gettext("There is no such raffle."))
        return _page(request, admin, form, status=400)
    ticket = {"ticket_number": asked["number"], "code": asked["code"]}
    status = 200
    try:
        if action := ACTIONS.get(request.POST.get("act", "")):
            perform, done = action
            winner = perform(raffle.uuid, **ticket, now=now, by=staff(request))
            return _next(request, raffle, done, winner)
    except Refusal as refusal:  # the current state is shown below
        status = STATUS[refusal.kind]
    try:
        found = presented_winner(raffle, **ticket)
        verdict = verdict_on(found, now=now)
    except Refusal as refusal:
        status, verdict = STATUS[refusal.kind], Verdict(str(refusal), (gettext(_ADVICE),))
        return _page(request, admin, form, verdict, status, raffle, asked)
    fresh = CounterForm(initial={"raffle": raffle.uuid})
    return _page(request, admin, fresh, verdict, status, raffle, asked)


_ADVICE = gettext_noop(
    "Compare number and code with the ticket. Capital letters and hyphens do not matter."
)


def _next(request: HttpRequest, raffle: Raffle, done: StrOrPromise, winner: Winner) -> HttpResponse:
    prize = winner.current_prize()
    name = prize.name if prize else ""
    said = gettext("%(done)s: %(prize)s, ticket %(number)s.")
    number = grouped(winner.ticket_number())
    messages.success(request, said % {"done": done, "prize": name, "number": number})
    address = reverse("admin:raffles_winner_counter")
    undo = f"&done={_done(winner)}" if done == HANDED_OVER else ""
    return HttpResponseRedirect(f"{address}?raffle={raffle.uuid}{undo}")


def _page(
    request: HttpRequest,
    admin: AdminPages,
    form: CounterForm,
    verdict: Verdict | None = None,
    status: int = 200,
    raffle: Raffle | None = None,
    asked: dict[str, Any] | None = None,
    undo: Winner | None = None,
) -> HttpResponse:
    if verdict is None or not verdict.actions:  # with actions, a phone's keyboard would cover them
        form.fields["number"].widget.attrs["autofocus"] = True
    context = {
        "is_nav_sidebar_enabled": False,
        "form": form,
        "verdict": verdict,
        "raffle": raffle,
        "asked": asked,
        "undo": undo,
        "done": _done(undo) if undo else "",
    }
    template = "admin/raffles/counter.html"
    return admin.render(request, template, gettext("Counter"), None, context, status)


COUNTER = ViewPage(
    name="counter",
    is_of_object=False,
    permissions=("raffles.hand_over_prize",),
    view=counter,
)
