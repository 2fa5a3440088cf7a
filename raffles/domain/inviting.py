"""Entering by invitation: codes made in batches, handed out by whoever made them, used once.

A code follows from its batch's name, which only its maker knows, and the raffle's key: whoever asks
for the same batch again, since the answer was lost, gets the same codes; nobody else does.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max, Min

from raffles.domain import lineage
from raffles.domain.entering import (
    Entry,
    enter_several,
    refuse_newcomers,
    refuse_other_ways,
    repeated,
)
from raffles.domain.identities import of_invitation
from raffles.domain.keys import ticket_key
from raffles.domain.locking import locked
from raffles.domain.log import announce_keys
from raffles.domain.refusals import (
    GateShut,
    InvalidInvitation,
    InvitationUsed,
    OtherWayIn,
    RequestMismatch,
    ThroughEvent,
    TooManyForHolder,
)
from raffles.fairness.tickets import code_tag, derive_code, holder_key, read_code, show_code
from raffles.models import Channel, EntryMode, Invitation, Raffle, State
from raffles.models.record import record

MAX_BATCH = 1_000

MADE, WITHDRAWN = "invitations.made", "invitations.withdrawn"


def make_invitations(
    raffle_id: UUID,
    *,
    batch: str,
    amount: int,
    tickets: int = 1,
    channel: Channel | None = None,
    now: datetime,
    by: str,
) -> list[str]:
    """Make `amount` invitations, at most `MAX_BATCH`, and return their codes as they are shown.

    `batch` is a random name of the caller's making; the same name again returns the same codes, or
    raises RequestMismatch where something else is asked for. Raises Raffle.DoesNotExist,
    ThroughEvent, OtherWayIn, GateShut, TooManyForHolder, Restored.
    """
    lineage.refuse_restored()
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        key = holder_key(ticket_key(raffle.ticket_key_id), raffle.uuid.bytes)
        tag = hmac.digest(key, b"batch\0" + batch.encode(), "sha256")[:16]
        made = list(raffle.invitations.filter(batch=tag).values_list("tickets", "channel"))
        if made and made != [(tickets, channel)] * amount:
            raise RequestMismatch
        of_batch = hmac.digest(key, b"invitations\0" + batch.encode(), "sha256")
        codes = [derive_code(of_batch, b"", n) for n in range(amount)]
        if not made:
            _refuse_unless_inviting(raffle, tickets, now=now)
            Invitation.objects.bulk_create(
                Invitation(
                    raffle=raffle,
                    batch=tag,
                    n=n,
                    code_tag=code_tag(code),
                    tickets=tickets,
                    channel=channel,
                    made_at=now,
                    made_by=by,
                )
                for n, code in enumerate(codes)
            )
            told: dict[str, Any] = {"amount": amount, "tickets": tickets, "channel": channel}
            record(raffle, MADE, at=now, by=by, **told)
    return [show_code(code) for code in codes]


def _refuse_unless_inviting(raffle: Raffle, tickets: int, *, now: datetime) -> None:
    if raffle.event_slug is not None:
        raise ThroughEvent
    if raffle.entry != EntryMode.INVITATION:
        raise OtherWayIn
    if raffle.state != State.OPEN or (raffle.closes_at and now >= raffle.closes_at):
        raise GateShut
    if tickets > raffle.tickets_per_holder:
        raise TooManyForHolder


def link_to(raffle_id: UUID, code: str) -> str:
    """Return the address that fills in a code; browsers send what is behind the # to nobody."""
    return f"{settings.PUBLIC_URL}/r/{raffle_id}/#invitation={code}"


def enter_by_invitation(
    raffle_id: UUID,
    *,
    code: str,
    now: datetime,
    request_key: str | None = None,
    accepts: str | None = None,
) -> list[Entry]:
    """Hand all tickets of an invitation to whoever brings its code, however it is written.

    A repeated `request_key` returns the same tickets; `accepts` as in `enter`. Raises
    Raffle.DoesNotExist, ThroughEvent, ByOrganiser, MailNeeded, OtherWayIn, InvalidInvitation,
    SoldOut, TooFewLeft (than it is for, and it stays unused), GateShut, NotOpenYet, AcceptRules,
    InvitationUsed, Restored.
    """
    lineage.refuse_restored()
    announce_keys(now)  # before a new key signs a receipt, the log must have it
    raffle = Raffle.objects.with_issued().get(uuid=raffle_id)
    read = read_code(code)
    known = raffle.invitations.filter(withdrawn_at=None)
    invitation = known.filter(code_tag=code_tag(read)).first() if read else None
    if invitation is None:
        refuse_other_ways(raffle, EntryMode.INVITATION)
        raise InvalidInvitation
    identity = of_invitation(bytes(invitation.batch), invitation.n)
    if invitation.used_at and (earlier := repeated(raffle, identity, request_key)):
        return earlier
    refuse_newcomers(raffle, EntryMode.INVITATION, now=now)
    with transaction.atomic():
        # Whoever changes the row has its tickets; a second one waits here for the first.
        unused = Invitation.objects.unused().filter(pk=invitation.pk)
        if unused.update(used_at=now):
            return enter_several(
                raffle,
                identity=identity,
                count=invitation.tickets,
                now=now,
                request_key=request_key,
                channel=Channel(invitation.channel) if invitation.channel else None,
                accepts=accepts,
            )
    if earlier := repeated(raffle, identity, request_key):
        return earlier
    raise InvitationUsed


def withdraw(raffle_id: UUID, *, batch: bytes, now: datetime, by: str) -> int:
    """Withdraw what is unused of a batch, given by its tag; return how many that were."""
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        unused = raffle.invitations.unused().filter(batch=batch)
        count = unused.update(withdrawn_at=now)
        if count:
            record(raffle, WITHDRAWN, at=now, by=by, amount=count)
    return count


def withdraw_one(raffle_id: UUID, *, code: str, now: datetime, by: str) -> None:
    """Withdraw an unused invitation by its code; one that was withdrawn before stays so.

    Raises Raffle.DoesNotExist, InvalidInvitation, InvitationUsed.
    """
    with transaction.atomic():
        raffle = locked(Raffle.objects.get(uuid=raffle_id).pk)
        read = read_code(code)
        found = raffle.invitations.filter(code_tag=code_tag(read) if read else b"")
        if found.unused().update(withdrawn_at=now):
            record(raffle, WITHDRAWN, at=now, by=by, amount=1)
            return
        invitation = found.first()
        if invitation is None:
            raise InvalidInvitation
        if invitation.used_at:
            raise InvitationUsed


def batches_of(raffle: Raffle) -> list[dict[str, Any]]:
    """Return the raffle's batches, latest first, with how many codes were used and withdrawn."""
    batches = raffle.invitations.order_by().values("batch", "tickets", "channel", "made_by")
    found = batches.annotate(
        at=Min("made_at"),
        amount=Count("pk"),
        used=Count("used_at"),
        withdrawn=Count("withdrawn_at"),
        last=Max("pk"),
    )
    return [{**batch, "batch": bytes(batch["batch"])} for batch in found.order_by("-last")]
