"""What a ticket is worth, in words for whoever stands at the counter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from raffles.models import Act, Handover, Standing, Winner


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
    prize = winner.standing_prize() or winner.prize
    name, handover = prize.name if prize else "", getattr(winner, "handover", None) or Handover()
    match winner.standing():
        case Standing.ALTERNATE:
            return Answer("No prize so far", (f"An alternate, rank {winner.rank:,}.",))
        case Standing.REPLACED:
            line = winner.replacement
            when = f"It went to an alternate on {_shown(line.replaced_at)}."
            return Answer("Passed on", (when, f"The reason given: {line.reason}"), prize=name)
        case Standing.FORFEITED:
            act = _act(winner, "prize.forfeited")
            why = (f"The reason given: {act.why}",) if act and act.why else ()
            return Answer("Forfeited", (f"On {_shown(handover.forfeited_at)}.", *why), prize=name)
        case Standing.HANDED_OVER:
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


def _act(winner: Winner, deed: str) -> Act | None:
    """The latest act of its kind about the winner's prize."""
    acts = Act.objects.about(winner.raffle).filter(deed=deed, details__rank=winner.rank)
    return acts.last()
