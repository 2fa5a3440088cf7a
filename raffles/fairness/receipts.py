"""What the operator signs: receipts of tickets, seals of commitments, voids.

Each is an object of lowercase hex, times in UNIX seconds and an Ed25519 signature, so that whoever
kept one can show it to anybody else.
"""

import hashlib
from collections.abc import Sequence
from typing import TypedDict

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from raffles.fairness.verify import be64, hash_leaf, tag

_TAG_TICKET = tag("ticket")
_TAG_SEAL = tag("seal")
_TAG_VOID = tag("void")


class Receipt(TypedDict):
    leaf: str
    terms_hash: str
    issued_at: int
    key_id: str
    signature: str


class Seal(TypedDict):
    commitment_hash: str
    signed_at: int
    key_id: str
    signature: str


class Void(TypedDict):
    commitment_hash: str
    reason: str
    voided_at: int
    key_id: str
    signature: str


class PublicKey(TypedDict):
    key_id: str
    algorithm: str
    public_key: str


class PublicKeys(TypedDict):
    keys: list[PublicKey]


class Signer:
    """Signs with the first of its 32-byte seeds and publishes the keys of all of them.

    Older seeds stay in the list so that what they signed can still be checked. ValueError when
    there is no seed or one has another length.
    """

    def __init__(self, seeds: Sequence[bytes]) -> None:
        if not seeds:
            raise ValueError("a signer needs at least one seed")
        keys = [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]
        self._sign = keys[0].sign
        self._published = [_publish(key.public_key().public_bytes_raw()) for key in keys]
        self.key_id = self._published[0]["key_id"]

    def receipt(self, leaf: bytes, terms_hash: bytes, issued_at: int) -> Receipt:
        """Acknowledge a ticket: its leaf missing from the committed tree proves fraud."""
        message = _TAG_TICKET + hash_leaf(leaf) + terms_hash + be64(issued_at)
        return {
            "leaf": leaf.hex(),
            "terms_hash": terms_hash.hex(),
            "issued_at": issued_at,
            "key_id": self.key_id,
            "signature": self._sign(message).hex(),
        }

    def seal(self, commitment_hash: bytes, signed_at: int) -> Seal:
        """Bind the operator to a pool: two seals of one draw prove misconduct."""
        return {
            "commitment_hash": commitment_hash.hex(),
            "signed_at": signed_at,
            "key_id": self.key_id,
            "signature": self._sign(_TAG_SEAL + commitment_hash + be64(signed_at)).hex(),
        }

    def void(self, commitment_hash: bytes, reason: str, voided_at: int) -> Void:
        """Give a draw up for a reason that everybody may read."""
        reason_hash = hashlib.sha256(reason.encode()).digest()
        message = _TAG_VOID + commitment_hash + reason_hash + be64(voided_at)
        return {
            "commitment_hash": commitment_hash.hex(),
            "reason": reason,
            "voided_at": voided_at,
            "key_id": self.key_id,
            "signature": self._sign(message).hex(),
        }

    def public_keys(self) -> PublicKeys:
        """Return what everybody needs to check a signature, the signing key first."""
        return {"keys": self._published}


def _publish(public_key: bytes) -> PublicKey:
    return {
        "key_id": hashlib.sha256(public_key).hexdigest()[:16],
        "algorithm": "Ed25519",
        "public_key": public_key.hex(),
    }
