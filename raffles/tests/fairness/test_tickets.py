"""Keys, tags and codes: the derivation written out by hand, and every way of writing a code."""

import hashlib
import hmac

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from raffles.fairness.tickets import (
    code_key,
    code_tag,
    derive_code,
    holder_key,
    holder_tag,
    key_id,
    read_code,
    show_code,
)

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
TICKET_KEY = bytes(range(32))
RAFFLE_ID = bytes(range(100, 116))
CODE = "8Z8M9V67CXA5WYNNK25C"


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


# --- Derivation --------------------------------------------------------------------------


def test_keys_of_a_raffle_are_tagged_macs_of_its_id() -> None:
    assert holder_key(TICKET_KEY, RAFFLE_ID) == mac(
        TICKET_KEY, b"raffle-draw-v2/holder\0" + RAFFLE_ID
    )
    assert code_key(TICKET_KEY, RAFFLE_ID) == mac(TICKET_KEY, b"raffle-draw-v2/code\0" + RAFFLE_ID)


def test_holder_tag_is_half_a_mac_of_the_identity() -> None:
    assert holder_tag(TICKET_KEY, "user:zoë") == mac(TICKET_KEY, b"user:zo\xc3\xab")[:16]


@given(
    key=st.binary(min_size=32, max_size=32),
    tag=st.binary(min_size=16, max_size=16),
    nth=st.integers(0, 2**32 - 1),
)
def test_code_is_the_first_100_bits_of_the_mac(key: bytes, tag: bytes, nth: int) -> None:
    bits = f"{int.from_bytes(mac(key, tag + nth.to_bytes(4, 'big')), 'big'):0256b}"
    groups = [bits[start : start + 5] for start in range(0, 100, 5)]
    assert derive_code(key, tag, nth) == "".join(CROCKFORD[int(group, 2)] for group in groups)


def test_every_ticket_of_a_holder_has_a_code_of_its_own() -> None:
    codes = {derive_code(TICKET_KEY, bytes(16), nth) for nth in (0, 1, 255, 256, 65536)}
    assert len(codes) == 5


def test_code_tag_is_half_a_tagged_hash_of_the_symbols() -> None:
    assert code_tag(CODE) == hashlib.sha256(b"raffle-draw-v2/code\0" + CODE.encode()).digest()[:16]


def test_key_id_names_a_key() -> None:
    tagged = b"ticket key\0" + TICKET_KEY
    assert key_id(TICKET_KEY) == hashlib.sha256(tagged).hexdigest()[:16]
    assert key_id(TICKET_KEY) != key_id(TICKET_KEY[::-1])


# --- Reading and writing -----------------------------------------------------------------


def test_code_is_shown_in_groups_of_four() -> None:
    assert show_code(CODE) == "8Z8M-9V67-CXA5-WYNN-K25C"


def test_letters_that_look_like_digits_are_read_as_such() -> None:
    assert read_code("OoIi-LlOo-IiLl-OoIi-LlOo") == "00111100111100111100"


codes = st.text(CROCKFORD, min_size=20, max_size=20)
ALSO_WRITTEN = {"0": "0Oo０Ｏｏ", "1": "1IiLl１Ｉｉ"}
# As people type and paste them: hyphens, dashes, a minus; spaces; what is not seen.
SEPARATORS = (
    *("-", " ", " -", "\u2010", "\u2011", "\u2012", "–", "—", "\u2212", "\u00ad", "－", "\u2043"),
    *("\u00a0", "\u202f", "\u2009", "\u3000", "\t", "\r\n", "\u200b", "\ufeff", "\u200e"),
)


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str]:
    """Return a code and a way in which somebody writes it."""
    code = draw(codes)
    symbols = [
        draw(st.sampled_from(ALSO_WRITTEN.get(s, s + s.lower() + chr(ord(s) + 0xFEE0))))
        for s in code
    ]
    separators = [draw(st.sampled_from(["", "", *SEPARATORS])) for _ in code]
    text = "".join(a + b for a, b in zip(separators, symbols, strict=True))
    assume(len(text) <= 64)
    return code, text


@given(written())
def test_code_is_read_however_it_is_written(code_and_text: tuple[str, str]) -> None:
    code, text = code_and_text
    assert read_code(text) == code


@given(codes)
def test_shown_code_is_read_back(code: str) -> None:
    assert read_code(show_code(code)) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        " - ",
        CODE[:19],
        CODE + "0",
        CODE[:19] + "U",
        CODE[:19] + "*",
        CODE[:19] + "\0",
        CODE + "\0",
        CODE[:19] + "ı",  # its upper case is I
        CODE[:19] + "ſ",  # its upper case is S
        CODE[:19] + "\ud800",
        CODE[:19] + "С",  # Cyrillic
        CODE[:19] + "Ϲ",  # Greek
        CODE[:19] + "\u212a",  # the sign of Kelvin
        CODE[:19] + "Ⓒ",
        CODE[:19] + "𝐂",
        CODE[:19] + "٥",
        CODE[:19] + "C\u0301",
        CODE.replace("8Z8M", "8Z8M_"),
        "-" * 45 + CODE,
        "0" * 1_000_000,
    ],
)
def test_what_cannot_be_a_code_is_none(text: str) -> None:
    assert read_code(text) is None


@given(st.text("08AZoil -\0U５ıſ", min_size=18, max_size=24))
def test_whatever_is_read_is_a_code(text: str) -> None:
    code = read_code(text)
    assert code is None or (len(code) == 20 and set(code) <= set(CROCKFORD))
