"""Identities: who a ticket is for, as one text before its tag; its kind comes first.

The same person must always give the same text, so whatever makes or looks for a tag asks here.
"""

from __future__ import annotations

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from raffles.fairness.tickets import fold
from raffles.web.callers import caller_at
from raffles.web.fields import text_fault


def of_user(name: str) -> str:
    """Return the identity of a user, `user:` and the name as names are compared."""
    return f"user:{fold(name)}"


def of_entrant(holder: str) -> str:
    """Return the identity of a line of a list, `list:` and its identifier, compared likewise."""
    return f"list:{fold(holder)}"


def of_address(address: str) -> set[str]:
    """Return the identities that tickets of an address may have, such as `ip:203.0.113.7`.

    A ticket belongs to its holder, of IPv6 a network: `ip:2001:db8::/64`; where IPV6_PREFIX was 128
    once, to the address. Raises BadForwarding for what is no address.
    """
    caller = caller_at(address)
    return {f"ip:{caller.holder}", f"ip:{caller.address}"}


def of_invitation(batch: bytes, n: int) -> str:
    """Return the identity of whoever holds an invitation, the `n`-th of its batch."""
    return f"invitation:{batch.hex()}:{n}"


LONGEST_MAIL, _LONGEST_LOCAL = 254, 64  # octets that a mail server must take (RFC 5321)
_is_mail = EmailValidator(allowlist=[])
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # as IDNA has them


def read_mail(text: str) -> str:
    """Return a mail address as addresses are compared, which is also where its mail goes.

    In lower case, with the domain in ASCII as name servers know it (IDNA). Raises ValidationError
    for any other text, for quoted local parts and for domains by number, since each would be
    another name of the same mailbox.
    """
    if fault := text_fault(text):
        raise ValidationError(fault)
    local, _at, domain = text.strip().rpartition("@")
    try:
        address = f"{local.encode('ascii').decode()}@{_in_ascii(domain)}".lower()
    except UnicodeError:
        raise ValidationError(_is_mail.message) from None
    if len(local) > _LONGEST_LOCAL or len(address) > LONGEST_MAIL or {*'"['} & {*address}:
        raise ValidationError(_is_mail.message)
    _is_mail(address)
    return address


def written_mail(address: str) -> str:
    """Return an address, which `read_mail` has read, with its domain in its own letters."""
    local, _at, domain = address.rpartition("@")
    try:
        written = f"{local}@{'.'.join(map(_in_letters, domain.split('.')))}"
        return written if read_mail(written) == address else address
    except (UnicodeError, ValidationError):
        return address


def _in_ascii(domain: str) -> str:
    """Return a domain by IDNA; its first edition, which Python speaks, has no ß and no ς."""
    labels = []
    for label in _DOTS.split(domain):
        name = label.encode("idna").decode()
        # Sign by sign: of a whole word Python makes the last Σ a ς, which IDNA does not.
        kept = "".join(map(str.lower, unicodedata.normalize("NFKC", label)))
        if {*kept} & {*"ßς"}:  # another domain than with ss and σ, and somebody else's
            name = f"xn--{kept.encode('punycode').decode()}"
        labels.append(name)
    return ".".join(labels)


def _in_letters(label: str) -> str:
    name = label.removeprefix("xn--")
    return label if name == label else name.encode().decode("punycode")


def of_mail(address: str) -> str:
    """Return the identity of whoever reads the mail of an address, which `read_mail` has read."""
    return f"mail:{address}"
