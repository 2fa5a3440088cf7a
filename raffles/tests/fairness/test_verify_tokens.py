"""Timestamps of a real authority, made by OpenSSL, and the bytes that are none."""

import base64
import functools
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from raffles.fairness import verify
from raffles.tests.fairness import proofs
from raffles.tests.fairness.mutations import encode
from raffles.tests.fairness.proofs import judge

TEXT = b"draws.example.org/log\n6\nAAAA\n"
KINDS = {
    "rsa-2048": ["-newkey", "rsa:2048"],
    "rsa-4096": ["-newkey", "rsa:4096"],
    "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "p521": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "rsa-1024": ["-newkey", "rsa:1024"],
}
CONFIGURATION = """
[ tsa ]
default_tsa = here
[ here ]
serial = {folder}/serial
signer_digest = {digest}
default_policy = 1.2.3.4
digests = sha256, sha512
accuracy = secs:1, millisecs:500
ess_cert_id_alg = {ess}
clock_precision_digits = {digits}
[ req ]
distinguished_name = name
[ name ]
[ stamping ]
extendedKeyUsage = critical,timeStamping
"""

openssl = shutil.which("openssl")
pytestmark = pytest.mark.skipif(openssl is None, reason="openssl is the authority of these tests")


class Authority:
    """A timestamp authority of its own key in a folder of its own."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        (folder / "serial").write_text("01\n")
        self.configure()
        self.run(
            ["req", "-x509", *KINDS[kind], "-nodes", "-keyout", "key", "-out", "certificate"],
            ["-subj", "/CN=authority", "-days", "2", "-extensions", "stamping"],
        )
        certificate = x509.load_pem_x509_certificate((folder / "certificate").read_bytes())
        self.key = certificate.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )

    def configure(self, *, digest: str = "sha256", ess: str = "sha256", digits: int = 0) -> None:
        text = CONFIGURATION.format(folder=self.folder, digest=digest, ess=ess, digits=digits)
        (self.folder / "configuration").write_text(text)

    def run(self, *arguments: list[str]) -> None:
        command = [str(openssl), *(part for some in arguments for part in some)]
        subprocess.run(
            [*command, "-config", "configuration"], cwd=self.folder, check=True, capture_output=True
        )

    def stamp(self, text: bytes = TEXT, *, hash_name: str = "sha256") -> bytes:
        (self.folder / "text").write_bytes(text)
        query = ["ts", "-query", "-data", "text", f"-{hash_name}", "-cert", "-out", "query"]
        self.run(query)
        self.run(
            ["ts", "-reply", "-queryfile", "query", "-signer", "certificate", "-inkey", "key"],
            ["-token_out", "-out", "token"],
        )
        return (self.folder / "token").read_bytes()

    def time(self) -> int:
        """Return genTime of the newest token as OpenSSL reads it, in whole seconds."""
        shown = subprocess.run(
            [str(openssl), "ts", "-reply", "-token_in", "-in", "token", "-text"],
            cwd=self.folder,
            check=True,
            capture_output=True,
            encoding="utf-8",
        ).stdout
        [stamp] = re.findall("Time stamp: (.*)", shown)
        whole = re.sub(r"\.\d+", "", stamp)
        at = datetime.strptime(whole, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
        return int(at.timestamp())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return functools.cache(lambda kind: Authority(tmp_path_factory.mktemp(kind), kind))


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("kind", ["rsa-2048", "rsa-4096", "p256", "p384"])
def test_token_tells_its_key_and_the_latest_that_its_time_can_be(
    kind: str, digest: str, authority: Any
) -> None:
    tsa = authority(kind)
    tsa.configure(digest=digest)
    token = tsa.stamp()
    key_hash = proofs.digest(tsa.key).hex()
    assert verify.read_token(token, TEXT) == (key_hash, tsa.time() + 2)  # 1.5 s, rounded up


def test_fraction_of_a_second_is_rounded_up(authority: Any) -> None:
    tsa = authority("p256")
    tsa.configure(digits=6)
    seen = set()
    for _ in range(10):
        token = tsa.stamp()
        seen.add(verify.read_token(token, TEXT)[1] - tsa.time())
    assert seen <= {2, 3}
    assert 3 in seen


@pytest.mark.parametrize("ess", ["sha1", "sha256", "sha384", "sha512"])
def test_certificate_is_named_by_version_1_or_2(ess: str, authority: Any) -> None:
    tsa = authority("p256")
    tsa.configure(ess=ess)
    assert verify.read_token(tsa.stamp(), TEXT)[0] == proofs.digest(tsa.key).hex()


@pytest.mark.parametrize("kind", ["rsa-1024", "p521"])
def test_other_keys_are_refused(kind: str, authority: Any) -> None:
    tsa = authority(kind)
    tsa.configure()
    with pytest.raises((ValueError, KeyError)):
        verify.read_token(tsa.stamp(), TEXT)


def test_token_over_something_else_is_refused(authority: Any) -> None:
    tsa = authority("p256")
    tsa.configure()
    with pytest.raises(ValueError, match="over something else"):
        verify.read_token(tsa.stamp(), TEXT + b"!")
    with pytest.raises(ValueError, match="over something else"):
        verify.read_token(tsa.stamp(hash_name="sha512"), TEXT)


def test_no_changed_byte_of_a_token_tells_another_time_or_key(authority: Any) -> None:
    tsa = authority("p256")
    tsa.configure()
    token = tsa.stamp()
    honest = verify.Answer(*verify.read_token(token, TEXT))
    refused = verify.Answer("", None)
    seen = set()
    for at in range(len(token)):
        for mask in (1, 0x80):
            spoilt = token[:at] + bytes([token[at] ^ mask]) + token[at + 1 :]
            seen.add(verify.answer_of(base64.b64encode(spoilt).decode(), TEXT))
    for spoilt in (token[:-1], token + b"\0", b"", token[1:], token * 2):
        seen.add(verify.answer_of(base64.b64encode(spoilt).decode(), TEXT))
    # What no signature covers may change: the version of the outermost structure, for one.
    assert refused in seen
    assert seen <= {refused, honest}


def test_authorities_decide_where_no_cosigner_is_named(authority: Any) -> None:
    tsa = authority("p256")
    tsa.configure()
    key = proofs.digest(tsa.key).hex()
    authorities = [{"name": "tsa", "keys": ["0" * 64, key]}]
    terms = proofs.make_terms("drand", authorities=authorities)
    proof = proofs.draw(terms, proofs.make_leaves(terms, 3)).proof
    statements = proofs.statements_around(proof)
    token = base64.b64encode(tsa.stamp(proofs.checkpoint_text(statements).encode())).decode()
    shown = proofs.checkpoint(statements, 3, tokens=[token, "AAAA"])
    proof["log"] = {"n": 3, "checkpoints": [shown]}
    verdict = judge(encode(proof))
    # Today is long after the round.
    assert verdict.words.endswith("only 0 of 1 witnesses saw the seal in time")
    assert [step["computed"] for step in verdict.steps[9:11]] == [
        f'"tsa" {"0" * 16}, answered too late (as the operator named it)',
        "tokens that do not verify: 1",
    ]


# --- DER ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        "30",
        "3001",
        "300200",
        "3080",
        "30800000",
        "308100",
        "30817f" + "00" * 127,
        "30820080" + "00" * 128,
        "1f0100",
        "30ff",
    ],
)
def test_what_is_no_der(data: str) -> None:
    with pytest.raises(ValueError, match=r"length|cut off"):
        verify.der(bytes.fromhex(data))


@pytest.mark.parametrize("data", ["0200", "020181", "02020001", "0203000001", "0401", "040101"])
def test_what_is_no_whole_number(data: str) -> None:
    with pytest.raises(ValueError, match=r"whole number|cut off|tag"):
        verify.der_integer(verify.only(verify.der(bytes.fromhex(data))))


def test_whole_numbers() -> None:
    for data, number in (("020100", 0), ("02017f", 127), ("02020080", 128), ("02020100", 256)):
        assert verify.der_integer(verify.only(verify.der(bytes.fromhex(data)))) == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20230823155924Z", (1692806364, False)),
        ("20230823155924.5Z", (1692806364, True)),
        ("20230823155924.000001Z", (1692806364, True)),
        ("19691231235959Z", (-1, False)),
        ("20240229000000Z", (1709164800, False)),
    ],
)
def test_time_as_der_writes_it(text: str, expected: tuple[int, bool]) -> None:
    assert verify.der_time(verify.Der(0x18, text.encode(), b"")) == expected


@pytest.mark.parametrize(
    "text",
    [
        "20230823155924",
        "20230823155924.Z",
        "20230823155924.50Z",
        "20230823155924,5Z",
        "20230823155924+0000",
        "202308231559Z",
        "20230229155924Z",
        "20231323155924Z",
        "20230823245924Z",
        "20230823155960Z",
        "2023082315592\uff14Z",
        "00000823155924Z",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        verify.der_time(verify.Der(0x18, text.encode(), b""))


def test_year_of_two_digits_is_of_this_century_or_the_last() -> None:
    assert verify.der_time(verify.Der(0x17, b"491231235959Z", b""))[0] == 2524607999
    assert verify.der_time(verify.Der(0x17, b"500101000000Z", b""))[0] == -631152000
