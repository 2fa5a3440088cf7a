"""Receipts, seals and voids: exact objects whose signatures hold for exactly what they say."""

import hashlib
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from raffles.fairness.receipts import Signer

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


def key_id(public_key: str) -> str:
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:16]


def test_receipt_signs_leaf_terms_and_time() -> None:
    receipt = dict(Signer([SEED]).receipt(LEAF, HASH, AT))
    leaf_hash = hashlib.sha256(b"\0" + LEAF).digest()
    verify(receipt, b"raffle-draw-v1/ticket\0" + leaf_hash + HASH + AT_BYTES)
    assert receipt == {
        "leaf": LEAF.hex(),
        "terms_hash": HASH.hex(),
        "issued_at": AT,
        "key_id": key_id(PUBLIC_KEY),
        "signature": receipt["signature"],
    }


def test_seal_signs_commitment_and_time() -> None:
    seal = dict(Signer([SEED]).seal(HASH, AT))
    verify(seal, b"raffle-draw-v1/seal\0" + HASH + AT_BYTES)
    assert seal == {
        "commitment_hash": HASH.hex(),
        "signed_at": AT,
        "key_id": key_id(PUBLIC_KEY),
        "signature": seal["signature"],
    }


def test_void_signs_commitment_reason_and_time() -> None:
    void = dict(Signer([SEED]).void(HASH, "o prêmio caiu", AT))
    reason_hash = hashlib.sha256("o prêmio caiu".encode()).digest()
    verify(void, b"raffle-draw-v1/void\0" + HASH + reason_hash + AT_BYTES)
    assert void == {
        "commitment_hash": HASH.hex(),
        "reason": "o prêmio caiu",
        "voided_at": AT,
        "key_id": key_id(PUBLIC_KEY),
        "signature": void["signature"],
    }


def test_seal_is_no_signature_of_another_time() -> None:
    seal = dict(Signer([SEED]).seal(HASH, AT + 1))
    with pytest.raises(InvalidSignature):
        verify(seal, b"raffle-draw-v1/seal\0" + HASH + AT_BYTES)


def test_signatures_are_the_same_for_the_same_words() -> None:
    # A repeated answer to a participant is the same receipt, byte for byte.
    assert Signer([SEED]).receipt(LEAF, HASH, AT) == Signer([SEED]).receipt(LEAF, HASH, AT)


def test_first_seed_signs_and_all_are_published() -> None:
    signer = Signer([SEED, OLDER_SEED])
    assert signer.seal(HASH, AT) == Signer([SEED]).seal(HASH, AT)
    assert signer.public_keys() == {
        "keys": [
            {"key_id": key_id(PUBLIC_KEY), "algorithm": "Ed25519", "public_key": PUBLIC_KEY},
            {
                "key_id": key_id(OLDER_PUBLIC_KEY),
                "algorithm": "Ed25519",
                "public_key": OLDER_PUBLIC_KEY,
            },
        ]
    }


@pytest.mark.parametrize("seeds", [[], [SEED[:31]], [SEED + b"\0"], [SEED, b""]])
def test_signer_without_a_whole_seed_is_refused(seeds: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"at least one seed|is 32 bytes"):
        Signer(seeds)
