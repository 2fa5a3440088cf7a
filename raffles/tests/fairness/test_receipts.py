"""Receipts, seals, voids, checkpoints: signatures that hold for exactly what they say."""

import base64
import hashlib
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from raffles.fairness.receipts import Cosigner, Signer

# RFC 8032, 7.1, tests 1 and 2: seed and public key.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC_KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
OLDER_SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
OLDER_PUBLIC_KEY = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"

LEAF = bytes(range(56))
HASH = bytes(range(100, 132))
AT = 1_692_803_367
AT_BYTES = bytes.fromhex("0000000064e62127")


def verify(signed: dict[str, Any], message: bytes, public_key: str = PUBLIC_KEY) -> None:
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    key.verify(bytes.fromhex(signed["signature"]), message)


def test_receipt_signs_leaf_terms_and_time() -> None:
    receipt = dict(Signer([SEED]).receipt(LEAF, HASH, AT))
    leaf_hash = hashlib.sha256(b"\0" + LEAF).digest()
    verify(receipt, b"raffle-draw-v2/ticket\0" + leaf_hash + HASH + AT_BYTES)
    assert receipt == {
        "leaf": LEAF.hex(),
        "terms_hash": HASH.hex(),
        "issued_at": AT,
        "public_key": PUBLIC_KEY,
        "signature": receipt["signature"],
    }


def test_seal_signs_the_commitment() -> None:
    seal = dict(Signer([SEED]).seal(HASH))
    verify(seal, b"raffle-draw-v2/seal\0" + HASH)
    assert seal == {"public_key": PUBLIC_KEY, "signature": seal["signature"]}
    with pytest.raises(InvalidSignature):
        verify(seal, b"raffle-draw-v2/seal\0" + HASH[::-1])


def test_void_signs_commitment_reason_and_time() -> None:
    void = dict(Signer([SEED]).void(HASH, "o prêmio caiu", AT))
    reason_hash = hashlib.sha256("o prêmio caiu".encode()).digest()
    verify(void, b"raffle-draw-v2/void\0" + HASH + reason_hash + AT_BYTES)
    assert void == {
        "commitment_hash": HASH.hex(),
        "reason": "o prêmio caiu",
        "voided_at": AT,
        "public_key": PUBLIC_KEY,
        "signature": void["signature"],
    }


def test_signatures_are_the_same_for_the_same_words() -> None:
    # A repeated answer to a participant is the same receipt, byte for byte.
    assert Signer([SEED]).receipt(LEAF, HASH, AT) == Signer([SEED]).receipt(LEAF, HASH, AT)


def test_first_seed_signs_and_all_are_named() -> None:
    signer = Signer([SEED, OLDER_SEED])
    assert signer.seal(HASH) == Signer([SEED]).seal(HASH)
    assert signer.public_key == PUBLIC_KEY
    assert signer.public_keys == [PUBLIC_KEY, OLDER_PUBLIC_KEY]


@pytest.mark.parametrize("seeds", [[], [SEED[:31]], [SEED + b"\0"], [SEED, b""]])
def test_signer_without_a_whole_seed_is_refused(seeds: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"at least one seed|is 32 bytes"):
        Signer(seeds)


# --- Checkpoints and cosignatures ---------------------------------------------------------


def signature_in(line: str, name: str, kind: int, public_key: str) -> bytes:
    """Return what a signature line signs with, once its name and key hash are as C2SP has them."""
    dash, named, code = line.split(" ")
    signed = base64.b64decode(code)
    key = bytes.fromhex(public_key)
    key_hash = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]
    assert (dash, named, signed[:4]) == ("—", name, key_hash)
    return signed[4:]


def test_checkpoint_has_a_line_by_each_announced_key() -> None:
    signer = Signer([SEED, OLDER_SEED, bytes(32)])
    announced = {PUBLIC_KEY, OLDER_PUBLIC_KEY}
    note = signer.checkpoint("draws.example.org/log", 7, HASH, announced)
    text, _, lines = note.partition("\n\n")
    assert text == f"draws.example.org/log\n7\n{base64.b64encode(HASH).decode()}"
    first, second = lines.splitlines()
    for line, public_key in ((first, PUBLIC_KEY), (second, OLDER_PUBLIC_KEY)):
        signature = signature_in(line, "draws.example.org/log", 1, public_key)
        verify({"signature": signature.hex()}, f"{text}\n".encode(), public_key)


def test_checkpoint_is_not_signed_by_a_key_that_nobody_announced() -> None:
    note = Signer([SEED]).checkpoint("draws.example.org/log", 7, HASH, {OLDER_PUBLIC_KEY})
    assert note.endswith("=\n\n")


def test_cosigner_says_when_it_saw_a_checkpoint() -> None:
    cosigner = Cosigner("club.example/w", SEED)
    line = cosigner.cosign("draws.example.org/log\n7\nAAAA\n", AT)
    signature = signature_in(line.rstrip("\n"), "club.example/w", 4, PUBLIC_KEY)
    message = f"cosignature/v1\ntime {AT}\ndraws.example.org/log\n7\nAAAA\n".encode()
    assert signature[:8] == AT_BYTES
    assert (cosigner.name, cosigner.public_key) == ("club.example/w", PUBLIC_KEY)
    verify({"signature": signature[8:].hex()}, message)
