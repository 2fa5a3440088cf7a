"""Running a raffle: sealing and drawing, calling off, replacing a winner."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from raffles.admin.actions import AdminPages, ConfirmedAction, Performed, ReasonForm, ViewPage
from raffles.domain.drawing import Waiting, void_raffle
from raffles.domain.due import AT_ONCE, draw_or_close, refuse_unless_drawable
from raffles.domain.prizes import next_alternate, winner_with
from raffles.domain.refusals import Refusal
from raffles.domain.sealing import NOBODY_CAME, PoolDiffers, SealTooLate
from raffles.fairness.verify import round_of, time_of_round
from raffles.models import Draw, Entropy, Raffle, Replacement, State
from raffles.models.raffle import FINISHED, MAX_TICKETS
from raffles.web.formats import SECOND, shown

_NAMED = 5  # kinds of prizes in a sentence
PUBLIC = "It is public at once and can't be undone."


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
    return f"beacon round {round_:,}, at {shown(comes_at, SECOND)}"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural where needed."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


# --- Seal and draw


def can_be_drawn(raffle: Any) -> bool:
    """Return whether the raffle could be drawn now."""
    try:
        refuse_unless_drawable(raffle, now=timezone.now())
    except Refusal:
        return False
    return True


def preview_draw(raffle: Any) -> list[str]:
    """Return sentences on the pool, the prizes, and what decides when."""
    if raffle.state in FINISHED:
        return ["The raffle is finished."]
    if not raffle.issued:
        return [f"{NOBODY_CAME}: the raffle ends without winners.", PUBLIC]
    pool = f"{counted(raffle.issued, 'ticket')} of {raffle.total_tickets:,} are in the draw"
    is_open = raffle.state == State.OPEN
    return [
        f"{pool}; no more are handed out from now on." if is_open else f"{pool}.",
        _prizes(raffle),
        *_decided(raffle, timezone.now()),
        PUBLIC,
    ]


def _prizes(raffle: Any) -> str:
    kinds = list(raffle.prizes.all()[: _NAMED + 1])
    more = ", …" if len(kinds) > _NAMED else ""
    total = raffle.prizes.aggregate(sum=Sum("amount"))["sum"] or 0
    listed = ", ".join(map(str, kinds[:_NAMED]))
    sentence = f"Prizes: {total:,} ({listed}{more}), and {counted(raffle.alternates, 'alternate')}."
    if total > raffle.issued:
        sentence += f" {total - raffle.issued:,} of them without a winner."
    return sentence


def _decided(raffle: Any, now: datetime) -> list[str]:
    """Return sentences on how the winners come about."""
    if raffle.state != State.SEALED and raffle.issued > AT_ONCE:
        return [
            "A pool of this size takes longer to seal than a page may wait.",
            "This closes entries; the next run of draw_winners goes on from there.",
        ]
    if raffle.entropy != Entropy.DRAND:
        return [
            "The pool is sealed and the winners are drawn at once, by the server's own randomness."
        ]
    if raffle.state == State.SEALED:
        draw = Draw.objects.get(raffle=raffle)
        decides = shown_round(draw.round or 0)
        return [f"The pool is sealed; {decides}, decides."]
    round_ = round_of(raffle.closes_at_seconds(), int(now.timestamp()))
    return [
        f"The pool is sealed and its fingerprint published; about {shown_round(round_)}, decides.",
        "A raffle is sealed once: nothing can be drawn again.",
        "The winners come with the next run of draw_winners after it.",
    ]


def perform_draw(raffle: Raffle, *, now: datetime, by: str) -> Performed:
    """Draw, as far as is possible now."""
    try:
        done = draw_or_close(raffle.uuid, now=now, clock=timezone.now, by=by)
    except Waiting as waiting:
        why = f" ({waiting})" if str(waiting) else ""
        decides = shown_round(waiting.draw.round or 0)
        return Performed(
            f"The pool is sealed and its fingerprint is public; {decides}, decides{why}."
        )
    except (PoolDiffers, SealTooLate) as fault:
        raise Stopped(f"Not drawn: {fault}") from fault
    if done.state == State.DRAWN:
        return Performed("Drawn. The winners are public.")
    if done.state == State.VOID:
        return Performed(f"{NOBODY_CAME}: the raffle ended without winners.")
    return Performed("Entries are closed. The next run of draw_winners seals the pool and draws.")


# --- Calling off


def preview_void(raffle: Any) -> list[str]:
    """Return sentences on what is lost and what stays."""
    lost = counted(raffle.issued, "ticket")
    sentences = [f"The raffle ends without winners: {lost} handed out for nothing."]
    if raffle.state == State.SEALED:
        sentences.append("The commitment stays public, with your reason under it.")
        if raffle.entropy == Entropy.DRAND:
            sentences.append("Its tickets stay public: anyone can compute who would have won.")
    return [*sentences, PUBLIC]


def perform_void(raffle: Raffle, *, now: datetime, by: str, reason: str) -> Performed:
    """End the raffle without winners."""
    void_raffle(raffle.uuid, reason=reason, now=now, by=by)
    return Performed("Called off. The reason is public.")


# --- Passing a prize on


class WhichForm(forms.Form):
    """The ticket that loses its prize."""

    ticket_number = forms.IntegerField(min_value=1, max_value=MAX_TICKETS, localize=False)


def preview_successor(raffle: Raffle) -> str:
    """Return a sentence on the next alternate."""
    alternate = next_alternate(raffle)
    if alternate is None:
        return "There is no alternate left."
    number = alternate.ticket_number()
    return f"The next alternate gets it: ticket {number:,}, rank {alternate.rank:,}."


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
    preview = [preview_successor(raffle), "The next page shows how the winner stands, and asks."]
    context = {"action": REPLACE, "form": form, "preview": preview}
    status = 400 if form.errors else 200
    return admin.render(request, "admin/confirm.html", REPLACE.label, raffle, context, status)


REPLACE = ViewPage(
    name="replace",
    label="Replace a winner",
    permissions=("raffles.add_replacement",),
    is_offered=lambda raffle: raffle.state == State.DRAWN,
    view=choose_winner,
)


def passed_on(line: Replacement) -> Performed:
    """Return the outcome of a replacement."""
    lost, won = line.winner.ticket_number(), line.alternate.ticket_number()
    page = reverse("admin:raffles_winner_change", args=[line.alternate_id])
    return Performed(f"{line.prize.name} went from ticket {lost:,} to ticket {won:,}.", page)


RUNNING = (
    ConfirmedAction(
        name="draw",
        label="Seal and draw",
        permissions=("raffles.run_raffle",),
        is_offered=can_be_drawn,
        preview=preview_draw,
        perform=perform_draw,
    ),
    REPLACE,
    ConfirmedAction(
        name="void",
        label="Void",
        permissions=("raffles.void_raffle",),
        is_offered=lambda raffle: raffle.state not in FINISHED,
        preview=preview_void,
        perform=perform_void,
        form=ReasonForm,
        is_harmful=True,
    ),
)
