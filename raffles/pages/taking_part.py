"""Taking part on a raffle's page: by the button alone, by a link that is mailed, by invitation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, QueryDict

from raffles.domain.confirming import address_in, confirm
from raffles.domain.entering import Entry, enter
from raffles.domain.inviting import enter_by_invitation
from raffles.domain.refusals import AcceptRules, LinkNotValid, Refusal
from raffles.models import EntryMode, Raffle
from raffles.notifications.confirmation import send_confirmation
from raffles.pages.forms import ENTRY_FORMS, EntryForm
from raffles.pages.notices import FINISHED, SEVERAL, WORDS, Notice, TooManyTries, notice_of
from raffles.pages.page import request_key, throttle
from raffles.web.callers import require_holder
from raffles.web.throttles import EntryThrottle


@dataclass(frozen=True)
class Answer:
    """What came of a press of the button: tickets, a mail, or a notice; or faults in the form."""

    form: EntryForm
    entries: list[Entry] = field(default_factory=list)
    sent_to: str = ""
    notice: Notice | None = None
    confirmation: str = ""
    address: str = ""  # that it confirms
    is_unaccepted: bool = False  # the rules

    def held(self) -> int:
        """Return how many tickets the holder has now, of whom a press has shown one."""
        return self.entries[-1].nth + 1 if self.entries else 0

    @property
    def status(self) -> int:
        """Return the status of the page; a notice has one of its own."""
        if self.entries:
            return 201
        if self.sent_to:
            return 202
        return 400 if self.form.errors or self.is_unaccepted else 200


def form_for(raffle: Raffle, posted: QueryDict | None = None) -> EntryForm:
    """Return the form of the raffle's way in."""
    return ENTRY_FORMS.get(raffle.entry, EntryForm)(posted)


def look(request: HttpRequest, raffle: Raffle, *, now: datetime) -> Answer:
    """Return what the page offers: its form or, to whoever opened a link, the link's button."""
    confirmation = request.GET.get("confirmation", "")
    if not confirmation:
        return Answer(form_for(raffle))
    try:
        address = address_in(raffle, confirmation, now=now)
    except LinkNotValid as refusal:
        return Answer(form_for(raffle), notice=notice_of(refusal))
    return Answer(form_for(raffle), confirmation=confirmation, address=address)


def take_part(request: HttpRequest, raffle: Raffle, *, now: datetime) -> Answer:
    """Press the button: take what the form or the link is for, or say why not."""
    # A link's button has no field, so the form beside it was not sent.
    form = form_for(raffle, None if request.POST.get("confirmation") else request.POST)
    try:
        throttle(request, EntryThrottle())
        return _taken(request, raffle, form, now)
    except AcceptRules:
        return Answer(form, **_link(request, raffle, now), is_unaccepted=True)
    except Refusal as refusal:
        if refusal.field in form.fields:
            form.add_error(refusal.field, str(notice_of(refusal).title))
            return Answer(form)
        words = SEVERAL if raffle.tickets_per_holder > 1 else WORDS
        if raffle.is_finished:
            words = {**words, **FINISHED}
        return Answer(form, notice=notice_of(refusal, words))
    except (TooManyTries, PermissionDenied) as refusal:
        return Answer(form, **_link(request, raffle, now), notice=notice_of(refusal))


def _link(request: HttpRequest, raffle: Raffle, now: datetime) -> dict[str, Any]:
    """Return what the link's button needs to be pressed once more; nothing if it may not be."""
    confirmation = request.POST.get("confirmation", "")
    try:
        address = address_in(raffle, confirmation, now=now)
    except LinkNotValid:
        return {}
    return {"confirmation": confirmation, "address": address}


def _taken(request: HttpRequest, raffle: Raffle, form: EntryForm, now: datetime) -> Answer:
    """Take what the form or the link is for. Raises PermissionDenied, and Refusals."""
    holder, posted = require_holder(request), request.POST
    how: dict[str, Any] = {"now": now, "accepts": posted.get("accepts")}
    if confirmation := posted.get("confirmation", ""):
        return Answer(form_for(raffle), [confirm(raffle.uuid, confirmation=confirmation, **how)])
    if not form.is_valid():
        return Answer(form)
    asked = form.cleaned_data
    if raffle.entry == EntryMode.EMAIL:
        send_confirmation(raffle.uuid, address=asked["email"], now=now)
        return Answer(form_for(raffle), sent_to=asked["email"])
    how["request_key"] = request_key(request)
    if raffle.entry == EntryMode.INVITATION:
        return Answer(form, enter_by_invitation(raffle.uuid, code=asked["invitation"], **how))
    return Answer(form, [enter(raffle.uuid, identity=f"ip:{holder}", **how)])
