"""An e-mail address is one identity, however it is written."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from raffles.domain.identities import of_mail, read_mail, written_mail

BAD = "Enter a valid email address."
UNSEEN = "Control, bidirectional and zero-width characters are not allowed."


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("alice@example.org", "alice@example.org"),
        (" Alice@EXAMPLE.org ", "alice@example.org"),
        ("a+raffle@example.org", "a+raffle@example.org"),
        ("a@Bücher.example", "a@xn--bcher-kva.example"),
        ("a@BU\u0308CHER.example", "a@xn--bcher-kva.example"),
        ("a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example"),
        ("a@ｅxample.org", "a@example.org"),
        ("a@example。org", "a@example.org"),
        ("a@пример.рф", "a@xn--e1afmkfd.xn--p1ai"),
        ("a@STRAẞE.example", "a@xn--strae-oqa.example"),  # and not strasse, somebody else's
        ("a@λόγος.example", "a@xn--oxapnm1c.example"),
        ("a@ΛΌΓΟΣ.example", "a@xn--oxapnq6b.example"),  # of capitals, one with σ
        (f"{'a' * 64}@example.org", f"{'a' * 64}@example.org"),
    ],
)
def test_address_is_read_as_addresses_are_compared(written: str, read: str) -> None:
    assert (read_mail(written), of_mail(read_mail(written))) == (read, f"mail:{read}")
    assert read_mail(read) == read


@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("alice@example.org", "alice@example.org"),
        ("a@xn--bcher-kva.xn--e1afmkfd.example", "a@bücher.пример.example"),
        ("a@xn--strae-oqa.example", "a@straße.example"),
        ("a@xn--99999.example", "a@xn--99999.example"),  # in no letters
        ("a@xn--abc-.example", "a@xn--abc-.example"),
        ("a@xn--a-ecp.example", "a@xn--a-ecp.example"),
        ("", ""),
    ],
)
def test_address_is_shown_in_the_letters_of_its_domain(read: str, written: str) -> None:
    assert written_mail(read) == written


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("alice", BAD),
        ("@example.org", BAD),
        ("a@", BAD),
        ("a@localhost", BAD),
        ("a@[192.0.2.1]", BAD),
        ("a@192.0.2.1", BAD),
        ('"a"@example.org', BAD),
        ("a@b..org", BAD),
        ("a@example.org, b@example.org", BAD),
        ("Alice <a@example.org>", BAD),
        ("мария@example.org", BAD),
        ("\u212a@example.org", BAD),  # a Kelvin sign, whose lower case is k
        (f"{'a' * 65}@example.org", BAD),
        (f"a@{'b' * 64}.org", BAD),
        (f"a@{'.'.join(['b' * 60] * 4)}.example.org", BAD),
        ("a@example.org\r\nBcc: b@example.org", UNSEEN),
        ("a@example.org\n", UNSEEN),
        ("a\0@example.org", UNSEEN),
        ("a\u200b@example.org", UNSEEN),
        ("\u202ea@example.org", UNSEEN),
        ("", "At least one visible character is needed."),
    ],
)
def test_what_is_no_address_is_refused(written: str, fault: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read_mail(written)
    assert refused.value.messages == [fault]
