"""What the environment says, and how loudly it is refused."""

import ipaddress

import pytest
from django.core.exceptions import ImproperlyConfigured

from raffles.web.environment import hex_secrets, items, networks, rate


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", []), (" , ", []), ("a", ["a"]), (" a ,b\t,, c", ["a", "b", "c"])],
)
def test_items(text: str, expected: list[str]) -> None:
    assert items(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("123.123.123.123, 127.0.0.2", ["123.123.123.123/32", "127.0.0.2/32"]),
        ("10.0.0.0/8, 2001:db8::/32", ["10.0.0.0/8", "2001:db8::/32"]),
        (["10.0.0.0/8", " ::1 "], ["10.0.0.0/8", "::1/128"]),
        ("::ffff:10.0.0.0/104", ["10.0.0.0/8"]),
        ("::ffff:1.2.3.4", ["1.2.3.4/32"]),
        ("::/64", ["::/64"]),
    ],
)
def test_networks(value: str | list[str], expected: list[str]) -> None:
    assert networks(value) == tuple(ipaddress.ip_network(text) for text in expected)


@pytest.mark.parametrize("item", ["localhost", "10.0.0.1/8", "10.0.0", "1.2.3.4/33", "*", "1 2"])
def test_malformed_network_is_named(item: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="neither an IP address nor") as raised:
        networks(f"127.0.0.1, {item}")
    assert repr(item) in str(raised.value)


def test_hex_secrets() -> None:
    text = f"{'ab' * 32} , {'CD' * 40}"
    assert hex_secrets("KEY", text, least=32) == [b"\xab" * 32, b"\xcd" * 40]


def test_unset_secret_is_random() -> None:
    (one,), (other,) = hex_secrets("KEY", "", least=32), hex_secrets("KEY", " ,", least=32)
    assert len(one) == len(other) == 32
    assert one != other


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("xy" * 32, "KEY holds an item that is not hexadecimal."),
        ("a" * 63, "KEY holds an item that is not hexadecimal."),
        ("ab" * 31, "KEY holds an item of 31 bytes; exactly 32 are needed."),
        ("ab" * 33, "KEY holds an item of 33 bytes; exactly 32 are needed."),
        (f"{'ab' * 32},short", "KEY holds an item that is not hexadecimal."),
    ],
)
def test_malformed_secret_is_refused_and_not_shown(text: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        hex_secrets("KEY", text, least=32, most=32)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", None), ("120/min", (120, 60)), (" 5/s ", (5, 1)), ("10/15min", (10, 900))],
)
def test_rate(text: str, expected: tuple[int, int] | None) -> None:
    assert rate(text) == expected


@pytest.mark.parametrize("text", ["120", "0/min", "-1/min", "1/month", "1.5/s", "1/0min", "/s"])
def test_malformed_rate_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="is not a rate"):
        rate(text)
