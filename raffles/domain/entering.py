"""Entering: who may have a ticket, by which way, and what a request that is repeated gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q

from raffles.domain import lineage
from raffles.domain.claiming import (
    Claim,
    Entrant,
    Facts,
    claim_slot,
    known_facts,
    raffle_of,
    remember,
    request_tag_of,
    say_sold_out,
)
from raffles.domain.keys import signer
from raffles.domain.log import announce_keys
from raffles.domain.pool import hold_claims
from raffles.domain.refusals import (
    AcceptRules,
    AlreadyEntered,
    ByOrganiser,
    Excluded,
    GateShut,
    InvitationNeeded,
    MailNeeded,
    NotOpenYet,
    OtherWayIn,
    Refusal,
    SoldOut,
    ThroughEvent,
    TooFewLeft,
    TooManyForHolder,
)
from raffles.fairness.receipts import Receipt
from raffles.fairness.tickets import (
    holder_tag,
    show_code,
)
from raffles.fairness.verify import make_leaf
from raffles.models import ENTERABLE, Channel, EntryMode, Raffle, Ticket


@dataclass(frozen=True, slots=True)
class Entry:
    """A ticket as its holder sees it; `receipt` is the signed promise that it is in the draw.

    It is the holder's `nth` of the raffle, from 0.
    """

    raffle_id: UUID
    nth: int
    ticket_number: int
    verification_code: str
    receipt: Receipt
    is_repeat: bool


def enter(
    raffle_id: UUID,
    *,
    identity: str,
    now: datetime,
    request_key: str | None = None,
    entrant: Entrant | None = None,
    channel: Channel | None = None,
    accepts: str | None = None,
    is_given: bool = False,
) -> Entry:
    """Hand `identity` (`ip:203.0.113.7`) its next ticket of the raffle.

    A repeated `request_key` of the same holder returns the same ticket, even when sold out and
    whatever it `accepts`; for an `entrant` with an order, the ticket that the order got in any
    raffle, whose rules may have been others. `channel` is None for the raffle's own way in.
    `accepts` is the hash of the rules that the participant accepts, who needs none where the ticket
    `is_given` by the staff. The first ticket of a holder takes one query once the process has the
    raffle's facts. Raises Raffle.DoesNotExist, ThroughEvent, ByOrganiser, MailNeeded,
    InvitationNeeded, OtherWayIn, NotOpenYet, AcceptRules, SoldOut, GateShut, Excluded,
    AlreadyEntered (the holder has as many as the terms allow), OrderUsed, Restored.
    """
    lineage.refuse_restored()
    known = known_facts(raffle_id)
    if known is None:
        announce_keys(now)  # before a new key signs a receipt, the log must have it
    facts = known or Facts.of(Raffle.objects.get(uuid=raffle_id))
    way = None if is_given or entrant else _way_of(identity)
    if entrant is None:  # an event's has its own rules
        _refuse_others(facts, way, now)
    accepted = None if is_given else accepts or ""
    claim = Claim.of(facts, identity, request_key=request_key, entrant=entrant, channel=channel)
    while True:
        try:
            facts, slot, issued_at = _agree(
                facts, claim, way, now, accepted, is_known=known is not None
            )
            break
        except (SoldOut, AlreadyEntered, Excluded, AcceptRules) as refusal:
            if known is None and type(refusal) is AlreadyEntered:
                facts = known = remember(Facts.of(Raffle.objects.get(uuid=raffle_id)))
            instead = _instead(facts, claim, refusal, identity, request_key, now)
            if isinstance(instead, Entry):
                return instead
            claim = instead
    return _entry(facts, claim, slot, issued_at, is_repeat=False)


def _instead(
    facts: Facts,
    claim: Claim,
    refusal: Refusal,
    identity: str,
    request_key: str | None,
    now: datetime,
) -> Entry | Claim:
    """Return the ticket that the request has, or the claim for the holder's next one.

    Raises the refusal otherwise. It ends, since every refused claim shows another ticket.
    """
    # Before the request is looked for, so that no ticket which it gets meanwhile is missed.
    held = _held(facts, claim)
    if earlier := _earlier(facts, claim, identity, request_key):
        return earlier
    if type(refusal) is AlreadyEntered and 0 < held < facts.tickets_per_holder:
        return claim.for_nth(facts, held)
    if type(refusal) is SoldOut:
        say_sold_out(facts, now)
    raise refusal from None


def _held(facts: Facts, claim: Claim) -> int:
    """Return how many tickets the holder has, where that decides whether another may follow."""
    if facts.tickets_per_holder == 1:
        return 0
    mine = Ticket.objects.filter(raffle__uuid=UUID(bytes=facts.uuid), holder_tag=claim.holder_tag)
    last: int | None = mine.aggregate(last=Max("nth"))["last"]
    return 0 if last is None else last + 1


# By the kind of identity: how somebody comes by themselves.
_WAYS = {
    "ip": EntryMode.ADDRESS,
    "mail": EntryMode.EMAIL,
    "invitation": EntryMode.INVITATION,
}
_INSTEAD: dict[str, type[Refusal]] = {
    EntryMode.EMAIL: MailNeeded,
    EntryMode.INVITATION: InvitationNeeded,
    EntryMode.LIST: ByOrganiser,
}


def _way_of(identity: str) -> EntryMode | None:
    return _WAYS.get(identity.partition(":")[0])


def _refuse_others(facts: Facts, way: EntryMode | None, now: datetime) -> None:
    """Raise the refusal of whoever comes by themselves another way, or too early.

    `way` is None for tickets that the staff gives, which they may beside each way.
    """
    if facts.is_of_event or (way and way != facts.entry):
        refuse_other_ways(raffle_of(facts), way or facts.entry)
    if way and facts.opens_at and now < facts.opens_at:
        refuse_newcomers(raffle_of(facts), way, now=now)


def _refuse_moved(facts: Facts, way: EntryMode | None, now: datetime, accepted: str | None) -> None:
    """Raise what the terms say that only the claim has frozen: they may have changed before it."""
    if way and way != facts.entry:
        raise _INSTEAD.get(facts.entry, OtherWayIn)
    if way and facts.opens_at and now < facts.opens_at:
        raise NotOpenYet(facts.opens_at)
    _refuse_unaccepted(facts, accepted)


def refuse_other_ways(raffle: Raffle, way: EntryMode) -> None:
    """Raise the refusal of whoever comes that way where the terms name another one."""
    if raffle.event_slug is not None:
        raise ThroughEvent
    if raffle.entry != way:
        raise _INSTEAD.get(raffle.entry, OtherWayIn)


def refuse_newcomers(raffle: Raffle, way: EntryMode, *, now: datetime) -> None:
    """Raise what refuses everybody who comes new to the raffle that way at `now`.

    The claim decides later whether there is a ticket for them. `raffle` is `with_issued`.
    """
    refuse_other_ways(raffle, way)
    if raffle.issued >= raffle.total_tickets:
        say_sold_out(Facts.of(raffle), now)
        raise SoldOut
    if raffle.state not in ENTERABLE or (raffle.closes_at and now >= raffle.closes_at):
        raise GateShut
    if raffle.opens_at and now < raffle.opens_at:
        raise NotOpenYet(raffle.opens_at)


def enter_several(
    raffle: Raffle,
    *,
    identity: str,
    count: int,
    now: datetime,
    request_key: str | None,
    channel: Channel | None,
    accepts: str | None,
) -> list[Entry]:
    """Hand a holder who has none `count` tickets, in the caller's transaction: all or none.

    Raises AcceptRules, SoldOut, TooFewLeft, GateShut, Excluded, TooManyForHolder.
    """
    if count > 1:
        hold_claims(raffle)  # or two who take several could wait for each other
    facts = Facts.of(raffle)
    first = Claim.of(facts, identity, request_key=request_key, channel=channel)
    claims = [first.for_nth(facts, nth) for nth in range(count)]
    landed: list[tuple[Claim, int, datetime]] = []
    try:
        for claim in claims:
            landed.append((claim, *claim_slot(facts, claim, now)))  # noqa: PERF401 - kept on refusal
    except SoldOut as refusal:
        raise TooFewLeft if landed and type(refusal) is SoldOut else refusal from None
    # Only now are the terms frozen; they are not remembered, since all of it may be rolled back.
    facts = Facts.of(Raffle.objects.get(pk=raffle.pk))
    _refuse_moved(facts, _way_of(identity), now, accepts or "")
    if count > facts.tickets_per_holder:
        raise TooManyForHolder
    return [_entry(facts, *each, is_repeat=False) for each in landed]


def repeated(raffle: Raffle, identity: str, request_key: str | None) -> list[Entry]:
    """Return the holder's tickets to the request that got them, and none to any other."""
    if request_key is None:
        return []
    facts = Facts.of(raffle)
    tag = holder_tag(facts.holder_key, identity)
    request_tag = request_tag_of(facts, tag, request_key)
    if not Ticket.objects.filter(raffle=raffle, holder_tag=tag, request_tag=request_tag).exists():
        return []
    return tickets_of(raffle, [identity])[identity]


def _agree(
    facts: Facts,
    claim: Claim,
    way: EntryMode | None,
    now: datetime,
    accepted: str | None,
    *,
    is_known: bool,
) -> tuple[Facts, int, datetime]:
    """Claim under the rules that were `accepted`, None for a ticket that needs no such word.

    Facts that are not known yet are read again: only the ticket freezes the terms, and it is not
    given under others than these.
    """
    _refuse_unaccepted(facts, accepted)
    if is_known:
        return facts, *claim_slot(facts, claim, now)
    with transaction.atomic():
        slot, issued_at = claim_slot(facts, claim, now)
        facts = Facts.of(Raffle.objects.get(uuid=UUID(bytes=facts.uuid)))
        _refuse_moved(facts, way, now, accepted)
    remember(facts)
    return facts, slot, issued_at


def _refuse_unaccepted(facts: Facts, accepted: str | None) -> None:
    if facts.rules_hash and accepted not in (None, facts.rules_hash):
        raise AcceptRules


def _entry(facts: Facts, claim: Claim, slot: int, issued_at: datetime, *, is_repeat: bool) -> Entry:
    number = facts.numbering.number(slot)
    leaf = make_leaf(facts.uuid, number, claim.holder_tag, claim.code_tag)
    receipt = signer().receipt(leaf, facts.terms_hash, int(issued_at.timestamp()))
    code = show_code(claim.code)
    return Entry(UUID(bytes=facts.uuid), claim.nth, number, code, receipt, is_repeat)


def _earlier(facts: Facts, claim: Claim, identity: str, request_key: str | None) -> Entry | None:
    """Return the ticket that this request got before, here or in any raffle by its order."""
    if request_key is None:
        return None
    if claim.entrant and claim.entrant.order_tag is not None:
        which = Q(order_tag=claim.entrant.order_tag)
    else:
        which = Q(raffle__uuid=UUID(bytes=facts.uuid), holder_tag=claim.holder_tag)
        which &= Q(request_tag=claim.request_tag)
    return enter_again(which, identity=identity, request_key=request_key)


def enter_again(which: Q, *, identity: str, request_key: str) -> Entry | None:
    """Return the ticket `which` to the holder and request that got it; None to others."""
    ticket = Ticket.objects.filter(which).select_related("raffle").first()
    if ticket is None or ticket.holder_tag is None or ticket.request_tag is None:
        return None
    facts = Facts.of(ticket.raffle)
    claim = Claim.of(facts, identity, request_key=request_key).for_nth(facts, ticket.nth)
    held = (bytes(ticket.holder_tag), bytes(ticket.request_tag))
    if held != (claim.holder_tag, claim.request_tag):
        return None
    return _entry(facts, claim, ticket.slot, ticket.issued_at, is_repeat=True)


def tickets_of(
    raffle: Raffle, identities: Sequence[str], request_tag: bytes | None = None
) -> dict[str, list[Entry]]:
    """Return the tickets of those identities that have any, each one's in the order of `nth`.

    With a `request_tag` only those that the request was given.
    """
    facts = Facts.of(raffle)
    tags = {holder_tag(facts.holder_key, identity): identity for identity in identities}
    entries: dict[str, list[Entry]] = {}
    tickets = Ticket.objects.filter(raffle=raffle, holder_tag__in=list(tags))
    if request_tag is not None:
        tickets = tickets.filter(request_tag=request_tag)
    for ticket in tickets.order_by("nth"):
        assert ticket.holder_tag  # noqa: S101 - it was found by its tag
        identity = tags[bytes(ticket.holder_tag)]
        claim = Claim.of(facts, identity).for_nth(facts, ticket.nth)
        entry = _entry(facts, claim, ticket.slot, ticket.issued_at, is_repeat=True)
        entries.setdefault(identity, []).append(entry)
    return entries
