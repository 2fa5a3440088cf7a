"""The beacon's client against a real relay on this machine, honest and otherwise."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_arkworks_bls12381 import G1Point, Scalar

from raffles.domain.beacon import BeaconFault, NotYet, check_relay, fetch
from raffles.fairness.beacon import check_signature
from raffles.fairness.verify import CHAIN, Invalid
from raffles.tests.fairness import relay as relays
from raffles.tests.fairness.relay import ROUNDS, TORSION_42, Behaviour, Relay
from raffles.web.outgoing import tls_context

SIGNATURES = {round_no: bytes.fromhex(signature) for round_no, signature in ROUNDS.items()}
FIELD_PRIME = int(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf"
    "6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab",
    16,
)
NO_POINT = "the beacon's signature is no point of the group"
IS_INFINITY = "the beacon's signature is the point at infinity"


# --- The signature -----------------------------------------------------------------------


@pytest.mark.parametrize("round_no", ROUNDS)
def test_signature_of_a_recorded_round_is_accepted(round_no: int) -> None:
    check_signature(round_no, SIGNATURES[round_no])


def test_signature_is_bound_to_its_round() -> None:
    with pytest.raises(Invalid, match=r"^the beacon's signature is not that of round 43$"):
        check_signature(43, SIGNATURES[42])


INFINITY = bytes([0xC0]) + bytes(47)


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        pytest.param(bytes.fromhex(TORSION_42), NO_POINT, id="outside-the-subgroup"),
        pytest.param(SIGNATURES[42][:47], NO_POINT, id="short"),
        pytest.param(SIGNATURES[42] + b"\0", NO_POINT, id="long"),
        pytest.param(b"", NO_POINT, id="empty"),
        pytest.param(SIGNATURES[42][:47] + b"\0", NO_POINT, id="off-the-curve"),
        pytest.param(
            bytes([SIGNATURES[42][0] & 0x7F]) + SIGNATURES[42][1:], NO_POINT, id="uncompressed-flag"
        ),
        pytest.param(INFINITY, IS_INFINITY, id="infinity"),
        pytest.param(INFINITY[:47] + b"\1", IS_INFINITY, id="infinity-with-a-tail"),
        pytest.param(b"\xe0" + bytes(47), IS_INFINITY, id="infinity-with-a-sign"),
        pytest.param(
            bytes([SIGNATURES[42][0] ^ 0x20]) + SIGNATURES[42][1:],
            "the beacon's signature is not that of round 42",
            id="negated",
        ),
    ],
)
def test_signature_that_is_not_the_one_is_refused(signature: bytes, reason: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_signature(42, signature)
    assert str(refusal.value) == reason


def test_signature_with_a_coordinate_beyond_the_field_is_refused() -> None:
    # The same point in its two spellings: only x + p is refused for its spelling.
    points = (G1Point() * Scalar(k) for k in range(2, 1000))
    encodings = (int.from_bytes(point.to_compressed_bytes(), "big") for point in points)
    encoding = next(e for e in encodings if e % (1 << 381) + FIELD_PRIME < 1 << 381)
    with pytest.raises(Invalid, match="is not that of round 42"):
        check_signature(42, encoding.to_bytes(48, "big"))
    with pytest.raises(Invalid, match=NO_POINT):
        check_signature(42, (encoding + FIELD_PRIME).to_bytes(48, "big"))


# --- One relay ---------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", [relays.honest, relays.chunked, relays.lying_randomness])
def test_fetch_gives_the_signature(behaviour: Behaviour) -> None:
    with Relay({42: behaviour}) as relay:
        assert fetch(42, [relay.url]) == SIGNATURES[42]
        assert relay.requests == [f"/{CHAIN}/public/42"]


@pytest.mark.parametrize("prefix", ["/", "/mirror", "/mirror/"])
def test_fetch_asks_below_the_path_of_the_relay(prefix: str) -> None:
    with Relay() as relay:
        assert fetch(123, [relay.url + prefix]) == SIGNATURES[123]
        assert relay.requests == [f"{prefix.rstrip('/')}/{CHAIN}/public/123"]


@pytest.mark.parametrize(("behaviour", "status"), [(relays.late, 404), (relays.too_early, 425)])
def test_fetch_of_an_unpublished_round_is_not_yet(behaviour: Behaviour, status: int) -> None:
    with Relay({42: behaviour}) as relay, pytest.raises(NotYet) as answer:
        fetch(42, [relay.url])
    assert str(answer.value) == f"{relay.url}: round 42 is not published ({status})"


def test_fetch_from_a_relay_of_another_chain_is_not_yet() -> None:
    with Relay(chain="8990e7a9" * 8) as relay, pytest.raises(NotYet):
        fetch(42, [relay.url])


WRONG_ANSWERS = [
    (relays.broken, "answered with status 500"),
    (relays.redirect, "answered with status 302"),
    (relays.wrong_round, "answered with another round than 42"),
    (relays.true_as_round, "answered with another round than 42"),
    (relays.float_as_round, "answered with another round than 42"),
    (relays.renamed_round, "the beacon's signature is not that of round 42"),
    (relays.flipped_bit, "the beacon's signature is not that of round 42"),
    (relays.off_the_curve, NO_POINT),
    (relays.torsion, NO_POINT),
    (relays.short_signature, "the beacon's signature is not 96 lowercase hex digits"),
    (relays.long_signature, "the beacon's signature is not 96 lowercase hex digits"),
    (relays.uppercase, "the beacon's signature is not 96 lowercase hex digits"),
    (relays.duplicate_keys, "the answer is not JSON"),
    (relays.not_a_number, "the answer is not JSON"),
    (relays.trailing_data, "the answer is not JSON"),
    (relays.not_json, "the answer is not JSON"),
    (relays.not_utf_8, "the answer is not JSON"),
    (relays.nested, "the answer is not JSON"),
    (relays.cut_off, "the answer is not JSON"),
    (relays.not_an_object, "the answer is not a round with its signature"),
    (relays.huge, "the answer is larger than 65536 bytes"),
    (relays.claimed_huge, "the answer is larger than 65536 bytes"),
    (relays.endless_headers, "the answer is larger than 65536 bytes"),
    (relays.not_http, "not an HTTP answer (BadStatusLine)"),
]


@pytest.mark.parametrize(("behaviour", "reason"), WRONG_ANSWERS)
def test_fetch_from_a_wrong_relay_is_a_fault(behaviour: Behaviour, reason: str) -> None:
    with Relay({42: behaviour}) as relay, pytest.raises(BeaconFault) as fault:
        fetch(42, [relay.url])
    assert str(fault.value) == f"{relay.url}: {reason}"
    assert len(relay.requests) == 1


@pytest.mark.parametrize("behaviour", [relays.hang, relays.drip_headers, relays.drip_body])
def test_fetch_ends_at_the_deadline(behaviour: Behaviour) -> None:
    deadline = 0.3
    assert deadline > 3 * relays.DRIP_SECONDS, "no single read may take as long as the deadline"
    with Relay({42: behaviour}) as relay:
        began = time.monotonic()
        with pytest.raises(BeaconFault) as fault:
            fetch(42, [relay.url], deadline=deadline)
        took = time.monotonic() - began
    assert str(fault.value) == f"{relay.url}: no whole answer within 0.3 s"
    assert deadline <= took < deadline + 5


@contextlib.contextmanager
def full_server(host: str, port: int = 0) -> Iterator[tuple[str, int]]:
    """Listen with a queue so full that connecting hangs; gives the address."""
    with socket.create_server((host, port), backlog=0) as server, contextlib.ExitStack() as queue:
        address: tuple[str, int] = server.getsockname()
        for _ in range(4):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address


def test_fetch_ends_at_the_deadline_when_nobody_accepts() -> None:
    with full_server("127.0.0.1") as (host, port), pytest.raises(BeaconFault) as fault:
        fetch(42, [f"http://{host}:{port}"], deadline=0.3)
    assert str(fault.value) == f"http://{host}:{port}: no whole answer within 0.3 s"


def test_fetch_leaves_time_for_the_second_address_of_a_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Relay() as relay, full_server("127.0.0.2", relay.port) as full:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
            for address in (full, ("127.0.0.1", relay.port))
        ]
        look_up = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *args, **options: (
                found if host == "relay.example" else look_up(host, *args, **options)
            ),
        )
        url = f"http://relay.example:{relay.port}"
        assert fetch(42, [url], deadline=4.0) == SIGNATURES[42]


def test_fetch_from_a_port_nobody_listens_on_is_a_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(BeaconFault, match=r"Connection refused$"):
        fetch(42, [url])


# --- Several relays ----------------------------------------------------------------------


def test_fetch_tries_the_relays_in_turn() -> None:
    with Relay({42: relays.flipped_bit}) as wrong, Relay() as good, Relay() as spare:
        assert fetch(42, [wrong.url, good.url, spare.url]) == SIGNATURES[42]
        assert (len(wrong.requests), len(good.requests), len(spare.requests)) == (1, 1, 0)


def test_fetch_waits_when_one_relay_says_not_yet_and_others_fail() -> None:
    wrong, late = Relay({42: relays.torsion}), Relay({42: relays.late})
    with wrong, late, pytest.raises(NotYet) as answer:
        fetch(42, [wrong.url, late.url])
    assert str(answer.value) == (
        f"{wrong.url}: {NO_POINT}; {late.url}: round 42 is not published (404)"
    )


def test_fetch_names_every_relay_at_fault() -> None:
    broken, confused = Relay({42: relays.broken}), Relay({42: relays.not_json})
    with broken, confused, pytest.raises(BeaconFault) as fault:
        fetch(42, [broken.url, "ftp://relay.example", confused.url])
    assert str(fault.value) == (
        f"{broken.url}: answered with status 500; "
        "ftp://relay.example: it does not begin with http:// or https:// and a host; "
        f"{confused.url}: the answer is not JSON"
    )


def test_fetch_without_relays_is_a_fault() -> None:
    with pytest.raises(BeaconFault, match=r"^there is no relay to ask$"):
        fetch(42, [])


def test_fetch_succeeds_once_the_round_is_published() -> None:
    with Relay({1000: relays.late}) as relay:
        with pytest.raises(NotYet):
            fetch(1000, [relay.url])
        relay.behave(1000, relays.honest)
        assert fetch(1000, [relay.url]) == SIGNATURES[1000]


# --- TLS ---------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a certificate for 127.0.0.1 that signs itself, and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relay")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path / "relay.pem"
    path.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def test_fetch_over_tls_from_a_trusted_relay(
    certificate: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_context.cache_clear()
    with Relay(tls=tls) as relay:
        assert fetch(42, [relay.url]) == SIGNATURES[42]
    tls_context.cache_clear()


def test_fetch_over_tls_from_an_untrusted_relay_is_a_fault(tls: ssl.SSLContext) -> None:
    with Relay(tls=tls) as relay, pytest.raises(BeaconFault, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(42, [relay.url])


def test_fetch_over_tls_ends_at_the_deadline_when_nobody_shakes_hands() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(BeaconFault, match=r"no whole answer within 0\.3 s$"):
            fetch(42, [url], deadline=0.3)


# --- Addresses of relays -----------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://api.drand.sh",
        "https://api.drand.sh/",
        "http://127.0.0.1:8080/drand",
        "http://[::1]:8080",
        "HTTPS://relay.example",
    ],
)
def test_relay_address_is_accepted(url: str) -> None:
    assert check_relay(url).hostname in {"api.drand.sh", "127.0.0.1", "::1", "relay.example"}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.drand.sh",
        "//api.drand.sh",
        "https://",
        "https:///path",
        "https://:443",
        "ftp://api.drand.sh",
        "file:///etc/passwd",
        "https://user@api.drand.sh",
        "https://user:word@api.drand.sh",
        "https://api.drand.sh?chain=1",
        "https://api.drand.sh/#top",
        "https://api.drand.sh:0",
        "https://api.drand.sh:65536",
        "https://api.drand.sh:port",
        "https://[::1",
        " https://api.drand.sh",
        "https://api.drand.sh\n",
        "https://api.dr\nand.sh",
        "https://api.drand.sh/a b",
        "https://api.drand.sh\\evil.example",
        "https://dränd.example",
        "https://api.drand.sh/\0",
    ],
)
def test_relay_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^\S"):
        check_relay(url)
