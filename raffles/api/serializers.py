"""Shapes of requests and answers; none of them queries the database."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from raffles.domain.confirming import LONGEST_CONFIRMATION
from raffles.domain.identities import LONGEST_MAIL, read_mail
from raffles.domain.inviting import MAX_BATCH
from raffles.domain.reading_lists import LONGEST_HOLDER, LONGEST_NAME
from raffles.domain.rules import read_rules
from raffles.models import Channel, Entropy, EntryMode, Prize, Raffle
from raffles.models.raffle import (
    MAX_A_HOLDER,
    MAX_ALTERNATES,
    MAX_CLAIM_DAYS,
    MAX_PRIZE_KINDS,
    MAX_PRIZES,
    MAX_REASON,
    MAX_TICKETS,
    OWN_WAYS,
)
from raffles.web.fields import (
    CodeField,
    MomentField,
    PictureField,
    StrictBooleanField,
    StrictIntegerField,
    StrictSerializer,
    VisibleTextField,
)
from raffles.web.lists import FlagField, WholeNumberField

MAX_ENTRANTS = 1_000  # in one request
MAX_INTEGER = 2**31 - 1  # of a column


class PrizeRequest(StrictSerializer):
    """One kind of prize."""

    name = VisibleTextField()
    amount = StrictIntegerField(min_value=1, max_value=MAX_PRIZES)
    picture = PictureField(help_text="Address of a picture on this site; no part of the terms.")


class PrizeListField(serializers.ListField):
    """A list of prizes; its length is checked before any of its items."""

    child = PrizeRequest()

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, list) and len(data) > MAX_PRIZE_KINDS:
            self.fail("max_length", max_length=MAX_PRIZE_KINDS)
        return super().run_validation(data)


class RulesField(serializers.CharField):
    """The text of rules, as it will be kept (`raffles.domain.rules`); empty for none."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["help_text"] = "What participants accept, in plain text; empty for none."
        super().__init__(allow_blank=True, trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            return read_rules(data)
        except ValueError as fault:
            raise serializers.ValidationError([str(fault)]) from None


class ClaimRequest(StrictSerializer):
    """How long and where a prize can be claimed, and whether an alternate gets it afterwards."""

    claim_days = StrictIntegerField(
        min_value=1, max_value=MAX_CLAIM_DAYS, allow_null=True, default=None
    )
    claim_place = VisibleTextField(allow_null=True, default=None)
    promotes_alternates = StrictBooleanField(default=False)


class HolderRequest(StrictSerializer):
    """How many tickets one holder may have, and how many ranks they may take."""

    tickets_per_holder = StrictIntegerField(min_value=1, max_value=MAX_A_HOLDER, default=1)
    max_wins_per_holder = StrictIntegerField(
        min_value=0,
        max_value=MAX_A_HOLDER,
        default=0,
        help_text="Alternates count too; 0: no limit beyond one prize a ticket.",
    )


class RaffleRequest(ClaimRequest, HolderRequest):
    """What a manager sends to create a raffle."""

    name = VisibleTextField()
    total_tickets = StrictIntegerField(min_value=1, max_value=MAX_TICKETS)
    prizes = PrizeListField(min_length=1, max_length=MAX_PRIZE_KINDS)
    alternates = StrictIntegerField(min_value=0, max_value=MAX_ALTERNATES, default=10)
    entropy = serializers.ChoiceField(
        choices=Entropy.choices, default=lambda: settings.DRAW_ENTROPY
    )
    opens_at = MomentField(
        allow_null=True, default=None, help_text="When entries begin; null: at once."
    )
    closes_at = MomentField(allow_null=True, default=None)
    entry = serializers.ChoiceField(
        choices=[mode.value for mode in OWN_WAYS],
        default=EntryMode.ADDRESS.value,
        help_text=(
            "`address`: one ticket for each caller's address; `email`: a link is sent; "
            "`invitation`: codes that you make; `list`: nobody takes part by themselves, "
            "you send the entries."
        ),
    )
    rules = RulesField(default="")


class PrizeAnswer(serializers.ModelSerializer[Prize]):
    """One kind of prize, with a picture's address if there is one."""

    picture = serializers.URLField(required=False, help_text="Left out where there is none.")

    class Meta:
        model = Prize
        fields = ("name", "amount", "picture")

    def to_representation(self, instance: Prize) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return {name: value for name, value in shown.items() if name != "picture" or value}


class RaffleAnswer(serializers.ModelSerializer[Raffle]):
    """A raffle as everybody sees it; the row needs `available` (see `with_available`)."""

    id = serializers.UUIDField(source="uuid")
    available_tickets = serializers.IntegerField(source="available")
    winners_drawn = serializers.SerializerMethodField()
    promotes_alternates = StrictBooleanField(read_only=True)
    prizes = PrizeAnswer(many=True)
    planned_round = serializers.IntegerField(
        allow_null=True,
        help_text="The beacon round promised with the terms, when the closing time is known.",
    )

    class Meta:
        model = Raffle
        fields = (
            "id",
            "name",
            "total_tickets",
            "available_tickets",
            "winners_drawn",
            "prizes",
            "alternates",
            "entropy",
            "entry",
            "opens_at",
            "closes_at",
            "planned_round",
            "claim_days",
            "claim_place",
            "promotes_alternates",
            "tickets_per_holder",
            "max_wins_per_holder",
            "rules_hash",
            "state",
            "void_reason",
            "voided_at",
            "created_at",
        )
        read_only_fields = fields

    def get_winners_drawn(self, raffle: Raffle) -> bool:
        return raffle.is_drawn


class ReceiptAnswer(serializers.Serializer[Any]):
    """The signed promise that the ticket takes part in the draw. Keep it."""

    leaf = serializers.CharField()
    terms_hash = serializers.CharField()
    issued_at = serializers.IntegerField()
    public_key = serializers.CharField()
    signature = serializers.CharField()


class EntryAnswer(serializers.Serializer[Any]):
    """A ticket, as only its holder sees it."""

    raffle_id = serializers.UUIDField()
    ticket_number = serializers.IntegerField()
    verification_code = serializers.CharField()
    receipt = ReceiptAnswer()


class TicketsAnswer(serializers.Serializer[Any]):
    """The tickets of an invitation for several."""

    tickets = EntryAnswer(many=True)


class ReceiptRequest(StrictSerializer):
    """A receipt as it was issued."""

    leaf = VisibleTextField()
    terms_hash = VisibleTextField()
    issued_at = StrictIntegerField()
    public_key = VisibleTextField()
    signature = VisibleTextField()


class TicketCheckRequest(StrictSerializer):
    """A ticket's number and code; the whole ticket, as it was issued, may be sent.

    Its other members are not looked at: a code is right in one raffle only.
    """

    ticket_number = StrictIntegerField()
    verification_code = CodeField()
    raffle_id = serializers.UUIDField(required=False)
    receipt = ReceiptRequest(required=False)
    event = VisibleTextField(required=False)
    draw_at = MomentField(required=False)
    username = VisibleTextField(required=False)


class TicketCheckAnswer(serializers.Serializer[Any]):
    """Whether the ticket holds a prize, and which."""

    has_won = serializers.BooleanField()
    prize = serializers.CharField(source="prize.name", allow_null=True)


class WinnerAnswer(serializers.Serializer[Any]):
    """One rank of the draw; an alternate's prize is null."""

    rank = serializers.IntegerField()
    ticket_number = serializers.IntegerField()
    prize = serializers.CharField(source="prize.name", allow_null=True)


class WaitingAnswer(serializers.Serializer[Any]):
    """The beacon round that decides the draw, and when it is published."""

    round = serializers.IntegerField()
    draws_at = serializers.DateTimeField()


class MailField(serializers.EmailField):
    """An e-mail address, read as addresses are compared."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=LONGEST_MAIL, trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            return read_mail(data)
        except DjangoValidationError as fault:
            raise serializers.ValidationError(fault.messages) from None


class ContactRequest(StrictSerializer):
    """What is said with an entry; the address is kept apart, and only until the draw."""

    email = MailField(required=False, help_text="Where to be notified of a prize.")
    accepts = VisibleTextField(
        max_length=64,
        required=False,
        allow_blank=True,
        help_text="The `rules_hash`, where rules are set: who takes part has accepted them.",
    )


class EntryRequest(StrictSerializer):
    """What the raffle's way in asks for, at most one of the three; and the rules, if there are any.

    Where the caller's address is the way in, `email` is where to be notified of a prize: kept apart
    from the ticket, and only until the draw.
    """

    alternatives = ("email", "confirmation", "invitation")

    email = MailField(required=False, help_text="Of an `email` raffle: where the link is sent.")
    confirmation = CodeField(
        required=False,
        max_length=LONGEST_CONFIRMATION,
        help_text="Of an `email` raffle: from the link.",
    )
    invitation = CodeField(required=False, help_text="Of an `invitation` raffle: the code.")
    accepts = VisibleTextField(
        max_length=64,
        required=False,
        allow_blank=True,
        help_text="The `rules_hash`, where rules are set: who takes part has accepted them.",
    )


class SentAnswer(serializers.Serializer[Any]):
    """Where the mail went, whether or not the address holds a ticket; the mail says which."""

    sent_to = serializers.EmailField()


class TicketsRequest(StrictSerializer):
    """How many tickets somebody gets, and how they came by them."""

    tickets = StrictIntegerField(min_value=1, max_value=MAX_ENTRANTS, default=1)
    channel = serializers.ChoiceField(
        choices=Channel.choices,
        default="",
        help_text="By which way they came, counted in public; without it `list`, or `partner`.",
    )


class EntrantRequest(TicketsRequest):
    """One entrant: what tells them apart, and a name, kept where names are shown."""

    holder = VisibleTextField(max_length=LONGEST_HOLDER)
    name = VisibleTextField(max_length=LONGEST_NAME, required=False)


class EntrantsRequest(serializers.ListSerializer[Any]):
    """Some entrants; how many is checked before any of them, and then their tickets."""

    child: TicketsRequest = EntrantRequest()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_ENTRANTS, **kwargs)

    def validate(self, entrants: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if sum(entrant["tickets"] for entrant in entrants) > MAX_ENTRANTS:
            raise serializers.ValidationError(f"At most {MAX_ENTRANTS:,} tickets in one request.")
        return entrants


class EntrantTicket(serializers.Serializer[Any]):
    """A ticket for its holder alone."""

    ticket_number = serializers.IntegerField()
    verification_code = serializers.CharField()
    receipt = ReceiptAnswer()


class EntrantAnswer(serializers.Serializer[Any]):
    """What the request gave a holder; none is told any more once they were erased."""

    holder = serializers.CharField()
    tickets = EntrantTicket(many=True)


class EntriesAnswer(serializers.Serializer[Any]):
    """The entrants in the order of the request."""

    entries = EntrantAnswer(many=True)


class InvitationsRequest(StrictSerializer):
    """How many invitations to make, and what each is for."""

    amount = StrictIntegerField(min_value=1, max_value=MAX_BATCH)
    tickets = StrictIntegerField(
        min_value=1,
        max_value=MAX_INTEGER,
        default=1,
        help_text="Of each; at most as many as a holder may have.",
    )
    channel = serializers.ChoiceField(choices=Channel.choices, allow_null=True, default=None)


class InvitationAnswer(serializers.Serializer[Any]):
    """A code for whoever is invited, and the address that fills it in."""

    code = serializers.CharField()
    link = serializers.CharField()


class InvitationsAnswer(serializers.Serializer[Any]):
    """The codes, which only their repeated request gets again."""

    invitations = InvitationAnswer(many=True)


class WithdrawalRequest(StrictSerializer):
    """The code of the invitation to withdraw."""

    invitation = CodeField()


class EmptyRequest(StrictSerializer):
    """An empty object; the body may also be left out."""


class VoidRequest(StrictSerializer):
    """The reason, which is public."""

    reason = VisibleTextField(max_length=MAX_REASON)


class ReplacementRequest(StrictSerializer):
    """The winner whose prize goes to the next alternate, and the reason, which is public."""

    ticket_number = StrictIntegerField()
    reason = VisibleTextField(max_length=MAX_REASON)


class ReplacementAnswer(serializers.Serializer[Any]):
    """One line of the public list of replacements."""

    prize = serializers.CharField()
    rank = serializers.IntegerField()
    ticket_number = serializers.IntegerField()
    replaced_by = serializers.IntegerField()
    reason = serializers.CharField()
    replaced_at = serializers.DateTimeField()


# --- What anyone needs to check a draw


class TermsAnswer(serializers.Serializer[Any]):
    """The terms that participants agreed to; the first ticket freezes them."""

    raffle_id = serializers.CharField()
    operator = serializers.CharField()
    name = serializers.CharField()
    capacity = serializers.IntegerField()
    opens_at = serializers.IntegerField()
    closes_at = serializers.IntegerField()
    entry = serializers.CharField()
    tickets_per_holder = serializers.IntegerField()
    max_wins_per_holder = serializers.IntegerField()
    prizes = serializers.ListField(child=serializers.DictField())
    alternates = serializers.IntegerField()
    claim = serializers.DictField(child=serializers.IntegerField())
    rules_hash = serializers.CharField(allow_blank=True)
    entropy = serializers.DictField(child=serializers.CharField())
    cosigners = serializers.ListField(child=serializers.DictField())
    authorities = serializers.ListField(child=serializers.DictField())


class CommitmentBody(serializers.Serializer[Any]):
    """The sealed pool and terms."""

    v = serializers.CharField()
    terms = TermsAnswer()
    tickets = serializers.IntegerField()
    root = serializers.CharField()  # type: ignore[assignment]  # a field, for DRF
    closed_at = serializers.IntegerField()
    round = serializers.IntegerField(required=False)


class CommitmentAnswer(serializers.Serializer[Any]):
    """The signed commitment. Keep a copy from before the draw."""

    commitment = CommitmentBody()
    commitment_hash = serializers.CharField()
    public_key = serializers.CharField()
    signature = serializers.CharField()


class ProofWinner(serializers.Serializer[Any]):
    """A drawn entry with its place in the tree."""

    rank = serializers.IntegerField()
    prize = serializers.CharField(allow_null=True)
    draw = serializers.IntegerField()
    index = serializers.IntegerField()
    ticket_number = serializers.IntegerField()
    leaf = serializers.CharField()
    path = serializers.ListField(child=serializers.CharField())


class ProofAnswer(serializers.Serializer[Any]):
    """The one file that verify.py checks."""

    commitment = CommitmentBody()
    commitment_hash = serializers.CharField()
    seal = serializers.DictField(child=serializers.CharField())
    entropy = serializers.DictField()
    seed = serializers.CharField()
    winners = ProofWinner(many=True)
    skipped = serializers.ListField(child=serializers.DictField())
    log = serializers.DictField(required=False)


class InclusionAnswer(serializers.Serializer[Any]):
    """A ticket's place in the sealed pool."""

    commitment_hash = serializers.CharField()
    index = serializers.IntegerField()
    tickets = serializers.IntegerField()
    root = serializers.CharField()  # type: ignore[assignment]  # a field, for DRF
    leaf_hash = serializers.CharField()
    path = serializers.ListField(child=serializers.CharField())


class KeyAnswer(serializers.Serializer[Any]):
    """A key that signs, or has signed, receipts, seals and voids."""

    algorithm = serializers.CharField()
    public_key = serializers.CharField()
    since = serializers.IntegerField()
    until = serializers.IntegerField(help_text="0: it still signs.")


class KeysAnswer(serializers.Serializer[Any]):
    """All public keys, in the order in which the log announced them."""

    keys = KeyAnswer(many=True)


# --- Queries


class WinnersQuery(StrictSerializer):
    """Which of the winners to list."""

    alternates = FlagField(default=False, help_text="Add the alternates.")


class ProofQuery(StrictSerializer):
    """Which of the winners the proof's page holds."""

    limit = WholeNumberField(1, 1_000, required=False, help_text="Winners a page.")
    after = WholeNumberField(
        0,
        MAX_INTEGER,
        required=False,
        help_text="The rank that the page follows.",
    )
