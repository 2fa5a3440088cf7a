"""The beacon's BLS signatures, Ed25519, RSA and ECDSA, all in plain Python."""

import hashlib
import random
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from raffles.fairness import verify
from raffles.tests.fairness.proofs import SIGNATURES
from raffles.tests.fairness.scenarios import ED25519_ORDER, add_order

TORSION = (
    "a93ce162b1f585d58a29d72693dfe318e537b7428c62143af6eb4dc370fb0ee8"
    "604540fe567a6f1fe711abedbc0fb1c5"
)
NOT_A_POINT = "the beacon's signature is not a point of the curve"
NOT_COMPRESSED = "the beacon's signature is not a compressed point of 48 bytes"


def refusal_of(number: int, signature: bytes) -> str:
    with pytest.raises(verify.Invalid) as refusal:
        verify.check_beacon(number, signature)
    return str(refusal.value)


# --- Beacon -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", SIGNATURES)
def test_real_rounds_are_good(number: int) -> None:
    signature = bytes.fromhex(SIGNATURES[number])
    verify.check_beacon(number, signature)
    assert refusal_of(number + 1, signature) == (
        f"the signature is not the beacon's for round {number + 1}"
    )


def test_negated_signature_is_not_the_beacons() -> None:
    signature = bytearray.fromhex(SIGNATURES[42])
    signature[0] ^= 0x20
    assert refusal_of(42, bytes(signature)) == "the signature is not the beacon's for round 42"


def test_torsion_is_refused_although_the_pairing_holds() -> None:
    signature = bytes.fromhex(TORSION)
    assert refusal_of(42, signature) == (
        "the beacon's signature is not in the subgroup of prime order"
    )
    x = int.from_bytes(signature, "big") % 2**381
    y = verify.fp_root(x**3 + 4)
    y = y if (y > verify.P // 2) == bool(signature[0] & 0x20) else verify.P - y
    negated = ((x, 0), (verify.P - y, 0))
    message = verify.hash_to_g1(hashlib.sha256((42).to_bytes(8, "big")).digest())
    assert verify.pairing_is_one([(negated, verify.G2), (message, verify.PUBLIC_KEY)])


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("", NOT_COMPRESSED),
        (SIGNATURES[42][:-2], NOT_COMPRESSED),
        (SIGNATURES[42] + "00", NOT_COMPRESSED),
        ("c0" + "00" * 47, NOT_COMPRESSED),  # infinity
        ("e0" + "00" * 47, NOT_COMPRESSED),
        ("1" + SIGNATURES[42][1:], NOT_COMPRESSED),  # the flag of compression is missing
        ("80" + "00" * 46 + "01", NOT_A_POINT),  # 1 + 4 has no root
        ("9fff" + "ff" * 46, NOT_A_POINT),
        (f"{0x80 << 376 | verify.P:096x}", NOT_A_POINT),  # x = 0 in its second spelling
        ("80" + "00" * 47, "the beacon's signature is not in the subgroup of prime order"),
    ],
)
def test_encoding_that_is_no_signature(signature: str, reason: str) -> None:
    assert refusal_of(42, bytes.fromhex(signature)) == reason


def test_constants_are_the_published_key() -> None:
    (x, y), key = verify.PUBLIC_KEY, verify.PUBLIC_KEY
    larger = (y[1], y[0]) > ((-y[1]) % verify.P, (-y[0]) % verify.P)
    encoded = (x[1] | (0xA0 if larger else 0x80) << 376).to_bytes(48, "big") + x[0].to_bytes(
        48, "big"
    )
    assert encoded.hex() == (
        "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
        "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
        "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
    )
    for (x, y), name in ((key, "key"), (verify.G2, "generator")):
        cube = verify.fp2_mul(verify.fp2_mul(x, x), x)
        right = ((cube[0] + 4) % verify.P, (cube[1] + 4) % verify.P)
        assert verify.fp2_mul(y, y) == right, name
        assert verify.times(verify.R, (x, y)) is None, name


def test_frobenius_is_the_power_of_the_field() -> None:
    f = [random.Random(1).randrange(verify.P) for _ in range(12)]
    assert verify.fp12_frobenius(f) == verify.fp12_pow(f, verify.P)
    six = f
    for _ in range(6):
        six = verify.fp12_frobenius(six)
    assert six == [c % verify.P for c in verify.fp12_conjugate(f)]


def test_short_final_power_is_the_whole_one() -> None:
    """Against (P^12 - 1) / R taken literally, for an Rth power and for a random element."""
    exponent, remainder = divmod(verify.P**12 - 1, verify.R)
    assert remainder == 0
    one = [1] + [0] * 11
    f = [random.Random(2).randrange(verify.P) for _ in range(12)]
    for element in (f, verify.fp12_pow(f, verify.R)):
        expected = verify.fp12_pow(element, exponent) == one
        assert verify.is_one_after_final_power(element) is expected
    assert verify.is_one_after_final_power(verify.fp12_pow(f, verify.R))
    assert not verify.is_one_after_final_power(f)


def test_pairing_is_bilinear() -> None:
    point = verify.hash_to_g1(b"message")
    negated = (point[0], verify.fp2_sub((0, 0), point[1]))
    many, key = (verify.times(1234567, p) for p in (point, verify.G2))
    assert many is not None
    assert key is not None
    assert verify.pairing_is_one([(many, verify.G2), (negated, key)])
    assert not verify.pairing_is_one([(many, verify.G2), (point, key)])
    assert not verify.pairing_is_one([(many, verify.G2)])


def test_adding_opposites_gives_infinity() -> None:
    point = verify.hash_to_g1(b"message")
    negated = (point[0], verify.fp2_sub((0, 0), point[1]))
    assert verify.add(point, negated) is None
    assert verify.add(None, point) == verify.add(point, None) == point
    assert verify.times(verify.R, point) is None
    assert verify.times(verify.R + 1, point) == point


def test_map_to_curve_gives_points_also_where_the_formula_divides_by_zero() -> None:
    for u in (0, 1, 2, 3, verify.P - 1):
        (x, _), (y, _) = verify.map_to_curve(u)
        assert (y * y - x**3 - 4) % verify.P == 0


# --- Ed25519 ------------------------------------------------------------------------------

RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555f"
            "b8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da08"
            "5ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18"
            "ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032, ids=["1", "2", "3"])
def test_signatures_of_rfc_8032(key: str, message: str, signature: str) -> None:
    parts: Any = [bytes.fromhex(text) for text in (key, message, signature)]
    assert verify.signature_is_good(*parts)
    assert not verify.signature_is_good(parts[0], parts[1] + b"!", parts[2])
    assert not verify.signature_is_good(parts[0], parts[1], bytes.fromhex(add_order(signature)))


@pytest.mark.parametrize("seed", range(20))
def test_ed25519_agrees_with_cryptography(seed: int) -> None:
    rng = random.Random(seed)
    private = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
    key, message = private.public_key().public_bytes_raw(), rng.randbytes(rng.randrange(200))
    signature = bytearray(private.sign(message))
    assert verify.signature_is_good(key, message, bytes(signature))
    signature[rng.randrange(64)] ^= 1 << rng.randrange(8)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(key).verify(bytes(signature), message)
    assert not verify.signature_is_good(key, message, bytes(signature))


@pytest.mark.parametrize("size", [0, 31, 32, 63, 65])
def test_ed25519_signature_of_another_length(size: int) -> None:
    key, message, signature = (bytes.fromhex(text) for text in RFC_8032[1])
    assert not verify.signature_is_good(key, message, (signature + b"\0")[:size])


@pytest.mark.parametrize(
    "encoded",
    [
        (2**255 - 19).to_bytes(32, "little"),  # y = 0 in its second spelling
        (2**255 - 18).to_bytes(32, "little"),  # y = 1 in its second spelling
        (1 + 2**255).to_bytes(32, "little"),  # x = 0 and odd
        (2).to_bytes(32, "little"),  # not on the curve
        bytes([255] * 32),
    ],
)
def test_ed25519_point_has_one_encoding(encoded: bytes) -> None:
    assert verify.ed_decode(encoded) is None


def test_ed25519_base_point_has_its_order() -> None:
    assert verify.ed_decode(bytes([0x58]) + bytes([0x66]) * 31) == verify.ED_BASE
    one, base = bytes([1]) + bytes(31), verify.ED_BASE
    assert verify.ed_encode(verify.ed_sum(ED25519_ORDER, base, 0, base)) == one
    assert verify.ed_encode(verify.ed_sum(ED25519_ORDER - 5, base, 5, base)) == one
    assert verify.ed_encode(verify.ed_sum(ED25519_ORDER - 1, base, 0, base)) != one


def small_order_points() -> set[bytes]:
    """Return the eight points whose order divides 8: points times the prime order."""
    found = set()
    for y in range(2, 60):
        point = verify.ed_decode(y.to_bytes(32, "little"))
        if point is not None:
            rest = verify.ed_sum(ED25519_ORDER, point, 0, point)
            for _ in range(8):
                found.add(verify.ed_encode(rest))
                rest = verify.ed_add(rest, rest)
    return found | {encoded[:31] + bytes([encoded[31] ^ 0x80]) for encoded in found}


def test_ed25519_key_of_small_order_is_refused_in_every_spelling() -> None:
    points = small_order_points()
    p = 2**255 - 19
    again = {  # y beyond p: points of order 4 and 1 once more
        (y + p + (sign << 255)).to_bytes(32, "little") for y in (0, 1) for sign in (0, 1)
    }
    assert len({point for point in points if verify.ed_decode(point) is not None}) == 8
    for key in points | again:
        assert verify.has_small_order(key)
        # R = the identity and S = 0 verify any message under the identity as key.
        assert not verify.signature_is_good(key, b"anything", bytes([1]) + bytes(63))


@pytest.mark.parametrize("seed", range(20))
def test_ed25519_honest_key_is_not_of_small_order(seed: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(random.Random(seed).randbytes(32))
    assert not verify.has_small_order(private.public_key().public_bytes_raw())


# --- Authorities: RSA and ECDSA -----------------------------------------------------------

HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
CURVES = dict(zip((256, 384), verify.CURVES.values(), strict=True))


def ec_key(size: int) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    curve = ec.SECP256R1() if size == 256 else ec.SECP384R1()
    private = ec.derive_private_key(int.from_bytes(bytes(range(1, 32)), "big"), curve)
    return private, private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@pytest.mark.parametrize("size", [256, 384])
@pytest.mark.parametrize("name", HASHES)
def test_ecdsa_agrees_with_cryptography(size: int, name: str) -> None:
    private, key = ec_key(size)
    for i in range(5):
        message = i.to_bytes(1, "big")
        digest = hashlib.new(name, message).digest()
        signature = private.sign(message, ec.ECDSA(HASHES[name]))
        assert verify.ecdsa_is_good(CURVES[size], key, digest, signature)
        other = hashlib.new(name, b"another").digest()
        assert not verify.ecdsa_is_good(CURVES[size], key, other, signature)


def test_ecdsa_numbers_out_of_range_are_refused() -> None:
    private, key = ec_key(256)
    curve, digest = CURVES[256], hashlib.sha256(b"m").digest()
    r, s = decode_dss_signature(private.sign(b"m", ec.ECDSA(hashes.SHA256())))
    assert verify.ecdsa_is_good(curve, key, digest, encode_dss_signature(r, curve.n - s))
    for wrong in ((0, s), (r, 0), (r + curve.n, s), (r, s + curve.n), (s, r)):
        assert not verify.ecdsa_is_good(curve, key, digest, encode_dss_signature(*wrong))


def test_ecdsa_key_that_is_no_point_is_refused() -> None:
    private, key = ec_key(256)
    digest = hashlib.sha256(b"m").digest()
    signature = private.sign(b"m", ec.ECDSA(hashes.SHA256()))
    for wrong in (b"\3" + key[1:], key[:-1], key + b"\0", key[:-1] + bytes([key[-1] ^ 1]), b"\4"):
        assert not verify.ecdsa_is_good(CURVES[256], wrong, digest, signature)


@pytest.mark.parametrize("bits", [2048, 3072])
@pytest.mark.parametrize("name", HASHES)
def test_rsa_agrees_with_cryptography(bits: int, name: str) -> None:
    private = rsa.generate_private_key(65537, bits)
    key = private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    signature = private.sign(b"m", padding.PKCS1v15(), HASHES[name])
    digest = hashlib.new(name, b"m").digest()
    assert verify.rsa_is_good(key, name, digest, signature)
    wrong = [signature[:-1] + bytes([signature[-1] ^ 1]), b"\0" + signature, signature[1:]]
    assert not any(verify.rsa_is_good(key, name, digest, each) for each in wrong)
    pss = private.sign(b"m", padding.PSS(padding.MGF1(HASHES[name]), 32), HASHES[name])
    assert not verify.rsa_is_good(key, name, digest, pss)


def test_rsa_of_1024_bits_is_refused() -> None:
    private = rsa.generate_private_key(65537, 1024)
    key = private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    signature = private.sign(b"m", padding.PKCS1v15(), hashes.SHA256())
    assert not verify.rsa_is_good(key, "sha256", hashlib.sha256(b"m").digest(), signature)
