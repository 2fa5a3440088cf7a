"""The drand beacon: check a round's signature under the chain's public key.

The signature of a round is unique, so whoever delivers it can withhold but not choose it.
"""

import hashlib

from py_arkworks_bls12381 import GT, G1Point, G2Point

from raffles.fairness.verify import Invalid, be64

_PUBLIC_KEY = G2Point.from_compressed_bytes(
    bytes.fromhex(
        "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a"
        "2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76"
        "eae8991ef5ece45a"
    )
)
_SUITE = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"


def check_signature(round_no: int, signature: bytes) -> None:
    """Raise Invalid unless this is the chain's one signature of the round; it takes about 2 ms."""
    try:
        point = G1Point.from_compressed_bytes(signature)
    except ValueError as error:  # length, encoding, off the curve, outside the subgroup
        raise Invalid("the beacon's signature is no point of the group") from error
    if point == G1Point.identity():  # the only point that the library accepts in several encodings
        raise Invalid("the beacon's signature is the point at infinity")
    message = hashlib.sha256(be64(round_no)).digest()
    hashed = G1Point.hash_to_curve(message, _SUITE)
    if not GT.pairing_check([point, -hashed], [G2Point(), _PUBLIC_KEY]):
        raise Invalid(f"the beacon's signature is not that of round {round_no}")
