"""Running a raffle: sealing and drawing, calling off, replacing a winner."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from raffles.admin.actions import AdminPages, ConfirmedAction, Performed, ReasonForm, ViewPage
from raffles.domain.clock import acting_time
from raffles.domain.drawing import Waiting, void_raffle
from raffles.domain.due import AT_ONCE, draw_or_close, refuse_unless_drawable
from raffles.domain.prizes import next_alternate, winner_with
from raffles.domain.refusals import Refusal
from raffles.domain.sealing import PoolDiffers, SealTooLate
from raffles.fairness.verify import round_of, time_of_round
from raffles.models import Draw, Entropy, Raffle, Replacement, State
from raffles.models.raffle import FINISHED, MAX_TICKETS
from raffles.web.formats import SECOND, grouped, shown

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

_NAMED = 5  # kinds of prizes in a sentence
PUBLIC = _("It is public at once and can't be undone.")


class Stopped(Refusal):
    """A draw that failed, with the sentence of what was raised."""

    code = "stopped"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return self.why


def shown_round(round_: int) -> str:
    """Return a beacon round with its time."""
    comes_at = datetime.fromtimestamp(time_of_round(round_), UTC)
    said = _("beacon round %(round)s, at %(at)s")
    return said % {"round": grouped(round_), "at": shown(comes_at, SECOND)}


# --- Seal and draw


def can_be_drawn(raffle: Any) -> bool:
    """Return whether the raffle could be drawn now."""
    try:
        refuse_unless_drawable(raffle, now=timezone.now())
    except Refusal:
        return False
    return True


def preview_draw(raffle: Any) -> list[StrOrPromise]:
    """Return sentences on the pool, the prizes, and what decides when."""
    if raffle.state in FINISHED:
        return [_("The raffle is finished.")]
    if not raffle.issued:
        return [_("Nobody took part: the raffle ends without winners."), PUBLIC]
    pool = ngettext(
        "%(count)s ticket of %(total)s are in the draw",
        "%(count)s tickets of %(total)s are in the draw",
        raffle.issued,
    ) % {"count": grouped(raffle.issued), "total": grouped(raffle.total_tickets)}
    shut = _("%(pool)s; no more are handed out from now on.") % {"pool": pool}
    return [
        shut if raffle.state == State.OPEN else f"{pool}.",
        _prizes(raffle),
        *_decided(raffle, timezone.now()),
        PUBLIC,
    ]


def _prizes(raffle: Any) -> str:
    kinds = list(raffle.prizes.all()[: _NAMED + 1])
    more = ", …" if len(kinds) > _NAMED else ""
    total = raffle.prizes.aggregate(sum=Sum("amount"))["sum"] or 0
    listed = ", ".join(map(str, kinds[:_NAMED]))
    sentence = ngettext(
        "Prizes: %(total)s (%(listed)s), and %(count)s alternate.",
        "Prizes: %(total)s (%(listed)s), and %(count)s alternates.",
        raffle.alternates,
    ) % {
        "total": grouped(total),
        "listed": f"{listed}{more}",
        "count": grouped(raffle.alternates),
    }
    if total > raffle.issued:
        without = _("%(count)s of them without a winner.")
        sentence += f" {without % {'count': grouped(total - raffle.issued)}}"
    return sentence


def _decided(raffle: Any, now: datetime) -> list[StrOrPromise]:
    """Return sentences on how the winners come about."""
    if raffle.state != State.SEALED and raffle.issued > AT_ONCE:
        return [
            _("A pool of this size takes longer to seal than a page may wait."),
            _("This closes entries; the next run of draw_winners goes on from there."),
        ]
    if raffle.entropy != Entropy.DRAND:
        return [
            _(
                "The pool is sealed and the winners are drawn at once, "
                "by the server's own randomness."
            )
        ]
    if raffle.state == State.SEALED:
        draw = Draw.objects.get(raffle=raffle)
        decides = shown_round(draw.round or 0)
        return [_("The pool is sealed; %(round)s, decides.") % {"round": decides}]
    round_ = round_of(raffle.closes_at_seconds(), int(now.timestamp()))
    return [
        _("The pool is sealed and its fingerprint published; about %(round)s, decides.")
        % {"round": shown_round(round_)},
        _("A raffle is sealed once: nothing can be drawn again."),
        _("The winners come with the next run of draw_winners after it."),
    ]


def perform_draw(raffle: Raffle, *, now: datetime, by: str) -> Performed:
    """Draw, as far as is possible now."""
    try:
        done = draw_or_close(raffle.uuid, now=now, clock=acting_time, by=by)
    except Waiting as waiting:
        why = f" ({waiting})" if str(waiting) else ""
        decides = shown_round(waiting.draw.round or 0)
        said = _("The pool is sealed and its fingerprint is public; %(round)s, decides%(why)s.")
        return Performed(said % {"round": decides, "why": why})
    except (PoolDiffers, SealTooLate) as fault:
        raise Stopped(_("Not drawn: %(fault)s") % {"fault": fault}) from fault
    if done.state == State.DRAWN:
        return Performed(gettext("Drawn. The winners are public."))
    if done.state == State.VOID:
        return Performed(gettext("Nobody took part: the raffle ended without winners."))
    return Performed(
        gettext("Entries are closed. The next run of draw_winners seals the pool and draws.")
    )


# --- Calling off


def preview_void(raffle: Any) -> list[StrOrPromise]:
    """Return sentences on what is lost and what stays."""
    lost = ngettext(
        "The raffle ends without winners: %(count)s ticket handed out for nothing.",
        "The raffle ends without winners: %(count)s tickets handed out for nothing.",
        raffle.issued,
    )
    sentences: list[StrOrPromise] = [lost % {"count": grouped(raffle.issued)}]
    if raffle.state == State.SEALED:
        sentences.append(_("The commitment stays public, with your reason under it."))
        if raffle.entropy == Entropy.DRAND:
            sentences.append(_("Its tickets stay public: anyone can compute who would have won."))
    return [*sentences, PUBLIC]


def perform_void(raffle: Raffle, *, now: datetime, by: str, reason: str) -> Performed:
    """End the raffle without winners."""
    void_raffle(raffle.uuid, reason=reason, now=now, by=by)
    return Performed(gettext("Called off. The reason is public."))


# --- Passing a prize on


class WhichForm(forms.Form):
    """The ticket that loses its prize."""

    ticket_number = forms.IntegerField(
        label=_("Ticket number"), min_value=1, max_value=MAX_TICKETS, localize=False
    )


def preview_successor(raffle: Raffle) -> str:
    """Return a sentence on the next alternate."""
    alternate = next_alternate(raffle)
    if alternate is None:
        return gettext("There is no alternate left.")
    number = grouped(alternate.ticket_number())
    said = _("The next alternate gets it: ticket %(number)s, rank %(rank)s.")
    return said % {"number": number, "rank": grouped(alternate.rank)}


def choose_winner(request: HttpRequest, admin: AdminPages, raffle: Raffle) -> HttpResponse:
    """Ask whose prize it is, and go to the winner's own page, which shows how they stand."""
    form = WhichForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            winner = winner_with(raffle, form.cleaned_data["ticket_number"])
            page = reverse("admin:raffles_winner_replace", args=[winner.pk])
            return HttpResponseRedirect(page)
        except Refusal as refusal:
            form.add_error("ticket_number", str(refusal))
    preview = [
        preview_successor(raffle),
        _("The next page shows how the winner stands, and asks."),
    ]
    context = {"action": REPLACE, "form": form, "preview": preview}
    status = 400 if form.errors else 200
    return admin.render(request, "admin/confirm.html", REPLACE.label, raffle, context, status)


REPLACE = ViewPage(
    name="replace",
    label=_("Replace a winner"),
    permissions=("raffles.add_replacement",),
    is_offered=lambda raffle: raffle.state == State.DRAWN,
    view=choose_winner,
)


def passed_on(line: Replacement) -> Performed:
    """Return the outcome of a replacement."""
    lost, won = line.winner.ticket_number(), line.alternate.ticket_number()
    page = reverse("admin:raffles_winner_change", args=[line.alternate_id])
    said = _("%(prize)s went from ticket %(lost)s to ticket %(won)s.")
    terms = {"prize": line.prize.name, "lost": grouped(lost), "won": grouped(won)}
    return Performed(said % terms, page)


RUNNING = (
    ConfirmedAction(
        name="draw",
        label=_("Seal and draw"),
        permissions=("raffles.run_raffle",),
        is_offered=can_be_drawn,
        preview=preview_draw,
        perform=perform_draw,
    ),
    REPLACE,
    ConfirmedAction(
        name="void",
        label=pgettext_lazy("act", "Void"),
        permissions=("raffles.void_raffle",),
        is_offered=lambda raffle: raffle.state not in FINISHED,
        preview=preview_void,
        perform=perform_void,
        form=ReasonForm,
        is_harmful=True,
    ),
)
