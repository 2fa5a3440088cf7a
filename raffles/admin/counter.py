"""The counter: somebody shows a ticket, and gets what it won. One screen, made for a telephone.

Number and code come in a body and go back in hidden fields of an answer that nothing keeps; the
domain checks them again with every act.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from raffles.domain.prizes import claim_prize, hand_over, presented_winner
from raffles.domain.refusals import Refusal
from raffles.domain.search import recently_drawn
from raffles.models import Handover, LogEntry, Raffle, Winner, WinnerState
from raffles.models.raffle import MAX_TICKETS
from raffles.pages.notices import TooManyTries, notice_of
from raffles.pages.page import throttle
from raffles.web.callers import staff
from raffles.web.middleware import uses_camera
from raffles.web.problems import STATUS
from raffles.web.throttles import VerifyThrottle


@dataclass(frozen=True, slots=True)
class Answer:
    """A headline, the prize that it is about, what more there is to say, and what may be done."""

    headline: str
    lines: tuple[str, ...] = ()
    kind: str = "no"  # yes, no or done
    prize: str = ""
    acts: tuple[str, ...] = ()


def answer_for(winner: Winner | None, *, now: datetime) -> Answer:
    """The answer for a ticket whose code was right; None is one that was not drawn."""
    if winner is None:
        return Answer("Not a winner", ("This ticket was in the draw and has not won.",))
    prize = winner.current_prize() or winner.prize
    name, handover = prize.name if prize else "", getattr(winner, "handover", None) or Handover()
    match winner.state():
        case WinnerState.ALTERNATE:
            return Answer("No prize so far", (f"An alternate, rank {winner.rank:,}.",))
        case WinnerState.REPLACED:
            line = winner.replacement
            when = f"It went to an alternate on {_shown(line.replaced_at)}."
            return Answer("Passed on", (when, f"The reason given: {line.reason}"), prize=name)
        case WinnerState.FORFEITED:
            act = _act(winner, "prize.forfeited")
            why = (f"The reason given: {act.why}",) if act and act.why else ()
            return Answer("Forfeited", (f"On {_shown(handover.forfeited_at)}.", *why), prize=name)
        case WinnerState.HANDED_OVER:
            act = _act(winner, "prize.handed_over")
            by = f", by {act.by}" if act else ""
            when = f"On {_shown(handover.handed_over_at)}{by}."
            return Answer("Handed over already", (when,), "done", name)
    return _held(winner, handover, name, now)


def _held(winner: Winner, handover: Handover, prize: str, now: datetime) -> Answer:
    """Of a prize that waits for its winner."""
    rank, kept = f"Rank {winner.rank:,}.", f"Kept until {_shown(handover.claim_until)}."
    if handover.claimed_at:
        claimed = f"Claimed on {_shown(handover.claimed_at)}."
        return Answer("Won", (rank, claimed), "yes", prize, ("hand-over",))
    if handover.is_overdue(now):
        return Answer("Too late", (kept,), prize=prize)
    lines = (rank, kept) if handover.claim_until else (rank,)
    return Answer("Won", lines, "yes", prize, ("hand-over", "claim"))


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "an unknown day"


def _act(winner: Winner, action: str) -> LogEntry | None:
    """The latest act of its kind about the winner's prize."""
    acts = LogEntry.objects.about(winner.raffle).filter(action=action, details__rank=winner.rank)
    return acts.last()


# What the QR code of a ticket says; scanners that act as a keyboard type it into a field.
_CARD = re.compile(r"/r/([0-9a-f-]{36})/ticket/#(\d{1,8})\.([0-9A-Z-]{20,24})\s*$", re.IGNORECASE)
ACTS: dict[str, tuple[Callable[..., Winner], str]] = {
    "hand-over": (hand_over, "Handed over"),
    "claim": (claim_prize, "Claimed, to be sent"),
}


class TicketForm(forms.Form):
    """A ticket as it is shown: typed, or as a scanner reads it."""

    use_required_attribute = False  # a scanner fills one field and presses Enter

    raffle = forms.UUIDField(widget=forms.Select, error_messages={"required": "Choose the raffle."})
    number = forms.CharField(
        label="Number",
        required=False,
        max_length=300,
        widget=forms.TextInput(
            {
                "inputmode": "numeric",
                "autocomplete": "off",
                "autofocus": True,
                "enterkeyhint": "next",
            }
        ),
    )
    code = forms.CharField(
        label="Code",
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
        """Reads a scanned card apart before anything is missed."""
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
            raise forms.ValidationError("Type the number on the ticket.")
        return int(text)

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if not code:
            raise forms.ValidationError("Type the code on the ticket.")
        return code


def _names(uuid: str) -> list[str]:
    try:
        return list(Raffle.objects.filter(uuid=UUID(uuid)).values_list("name", flat=True))
    except ValueError:
        return []


def counter_urls(admin: ModelAdmin[Winner]) -> list[URLPattern]:
    """The address of the counter."""
    view = sensitive_post_parameters("number", "code")(uses_camera(partial(counter, admin)))
    guarded = admin.admin_site.admin_view(require_http_methods(["GET", "HEAD", "POST"])(view))
    return [path("counter/", guarded, name="raffles_winner_counter")]


def counter(admin: ModelAdmin[Winner], request: HttpRequest) -> HttpResponse:
    """A form, its answer, and the two things that can be done then."""
    if not request.user.has_perm("raffles.hand_over_prize"):
        raise PermissionDenied
    if request.method != "POST":
        return _page(admin, request, TicketForm(initial={"raffle": request.GET.get("raffle", "")}))
    form = TicketForm(request.POST)
    try:
        throttle(request, VerifyThrottle())
        if not form.is_valid():
            return _page(admin, request, form, status=400)
        return _answered(admin, request, form)
    except TooManyTries as refusal:
        notice = notice_of(refusal)
        answer = Answer(str(notice.title), (str(notice.text),))
        response = _page(admin, request, form, answer, notice.status)
        response["Retry-After"] = str(notice.retry_after)
        return response


def _answered(admin: ModelAdmin[Winner], request: HttpRequest, form: TicketForm) -> HttpResponse:
    asked, now = form.cleaned_data, timezone.now()
    raffle = Raffle.objects.filter(uuid=asked["raffle"]).first()
    if raffle is None:
        form.add_error("raffle", "There is no such raffle.")
        return _page(admin, request, form, status=400)
    ticket = {"ticket_number": asked["number"], "code": asked["code"]}
    status = 200
    try:
        if act := ACTS.get(request.POST.get("act", "")):
            perform, done = act
            winner = perform(raffle.uuid, **ticket, now=now, by=staff(request))
            return _next(request, raffle, done, winner)
    except Refusal as refusal:  # what holds now is said below
        status = STATUS[refusal.kind]
    try:
        found = presented_winner(raffle, **ticket)
        answer = answer_for(found, now=now)
    except Refusal as refusal:
        status, answer = STATUS[refusal.kind], Answer(str(refusal), (_ADVICE,))
        return _page(admin, request, form, answer, status, raffle, asked)
    fresh = TicketForm(initial={"raffle": raffle.uuid})
    return _page(admin, request, fresh, answer, status, raffle, asked)


_ADVICE = "Compare number and code with the ticket. Capital letters and hyphens do not matter."


def _next(request: HttpRequest, raffle: Raffle, done: str, winner: Winner) -> HttpResponse:
    prize = winner.current_prize()
    name = prize.name if prize else ""
    messages.success(request, f"{done}: {name}, ticket {winner.ticket_number():,}.")
    address = reverse("admin:raffles_winner_counter")
    return HttpResponseRedirect(f"{address}?raffle={raffle.uuid}")


def _page(
    admin: ModelAdmin[Winner],
    request: HttpRequest,
    form: TicketForm,
    answer: Answer | None = None,
    status: int = 200,
    raffle: Raffle | None = None,
    asked: dict[str, Any] | None = None,
) -> HttpResponse:
    if answer is None or not answer.acts:  # a keyboard would hide what is to be pressed
        form.fields["number"].widget.attrs["autofocus"] = True
    context = {
        **admin.admin_site.each_context(request),
        "title": "Counter",
        "opts": admin.opts,
        "is_nav_sidebar_enabled": False,
        "form": form,
        "answer": answer,
        "raffle": raffle,
        "asked": asked,
    }
    return TemplateResponse(request, "admin/raffles/counter.html", context, status=status)
