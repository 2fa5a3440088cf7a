"""What the operator signs: receipts, seals of commitments, voids, checkpoints; and cosignatures.

Hex is lowercase, times are UNIX seconds, signatures are Ed25519. Each comes with its whole public
key, so that whoever keeps one can show it to anybody else.
"""

from collections.abc import Collection, Sequence
from typing import TypedDict

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from raffles.fairness.verify import (
    COSIGNATURE,
    ED25519,
    be64,
    checkpoint_text,
    cosignature_message,
    note_key_hash,
    note_line,
    receipt_message,
    seal_message,
    void_message,
)


class Receipt(TypedDict):
    leaf: str
    terms_hash: str
    issued_at: int
    public_key: str
    signature: str


class Seal(TypedDict):
    public_key: str
    signature: str


class Void(TypedDict):
    commitment_hash: str
    reason: str
    voided_at: int
    public_key: str
    signature: str


class Signer:
    """Signs with the first of its 32-byte seeds, and checkpoints with all of them.

    `public_keys` are in hex and in the order of the seeds. Older seeds stay in the list so that the
    log is still signed by the keys of its seals. Raises ValueError without a seed or if one has
    another length.
    """

    def __init__(self, seeds: Sequence[bytes]) -> None:
        if not seeds:
            raise ValueError("a signer needs at least one seed")
        keys = [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]
        self._sign = keys[0].sign
        self._by_public_key = {key.public_key().public_bytes_raw().hex(): key for key in keys}
        self.public_keys = list(self._by_public_key)
        self.public_key = self.public_keys[0]

    def receipt(self, leaf: bytes, terms_hash: bytes, issued_at: int) -> Receipt:
        """Acknowledge a ticket: its leaf missing from the committed tree proves fraud."""
        return {
            "leaf": leaf.hex(),
            "terms_hash": terms_hash.hex(),
            "issued_at": issued_at,
            "public_key": self.public_key,
            "signature": self._sign(receipt_message(leaf, terms_hash, issued_at)).hex(),
        }

    def seal(self, commitment_hash: bytes) -> Seal:
        """Bind the operator to a pool: two seals of one raffle prove misconduct."""
        return {
            "public_key": self.public_key,
            "signature": self._sign(seal_message(commitment_hash)).hex(),
        }

    def void(self, commitment_hash: bytes, reason: str, voided_at: int) -> Void:
        """Call a sealed raffle off for a public reason; `voided_at` is in UNIX seconds."""
        return {
            "commitment_hash": commitment_hash.hex(),
            "reason": reason,
            "voided_at": voided_at,
            "public_key": self.public_key,
            "signature": self._sign(void_message(commitment_hash, reason, voided_at)).hex(),
        }

    def checkpoint(self, origin: str, size: int, root: bytes, announced: Collection[str]) -> str:
        """Return the log's checkpoint, with a line by each of our keys in `announced`.

        Those are the public keys, in hex, that the log has announced and not retired.
        """
        text = checkpoint_text(origin, size, root)
        lines = (
            note_line(
                origin,
                note_key_hash(origin, ED25519, bytes.fromhex(public_key)),
                key.sign(text.encode()),
            )
            for public_key, key in self._by_public_key.items()
            if public_key in announced
        )
        return f"{text}\n{''.join(lines)}"


class Cosigner:
    """A witness: it signs, under its name and with its own key, when it saw a checkpoint."""

    def __init__(self, name: str, seed: bytes) -> None:
        key = Ed25519PrivateKey.from_private_bytes(seed)
        public_key = key.public_key().public_bytes_raw()
        self.name = name
        self.public_key = public_key.hex()
        self._sign = key.sign
        self._key_hash = note_key_hash(name, COSIGNATURE, public_key)

    def cosign(self, text: str, at: int) -> str:
        """Return the signature line over a checkpoint's first three lines; `at` in UNIX seconds."""
        return note_line(
            self.name, self._key_hash, be64(at) + self._sign(cosignature_message(text, at))
        )
