"""The operator's log, its checkpoints and who saw them: what counts and what does not."""

import base64
import functools
from collections.abc import Sequence
from typing import Any

import pytest

from raffles.fairness import verify
from raffles.tests.fairness import proofs
from raffles.tests.fairness.mutations import encode
from raffles.tests.fairness.proofs import OPERATOR, ORIGIN, Json, judge

N = 3  # of the seal in the log
TERMS = proofs.make_terms("drand", cosigners=proofs.named("one", "two", "three"))
LEAVES = proofs.make_leaves(TERMS, 5)
SEALED = proofs.draw(TERMS, LEAVES).proof
COMMITMENT_HASH: str = SEALED["commitment_hash"]
CLOSED_AT: int = SEALED["commitment"]["closed_at"]
PUBLISHED = proofs.time_of(1000)
STATEMENTS = proofs.statements_around(SEALED, before=N)
TEXT = proofs.checkpoint_text(STATEMENTS)
RAFFLE = TERMS["raffle_id"]
FEW = "NOT AS PROMISED: the winners follow, but only {} of 3 witnesses saw the seal in time"


@pytest.fixture(autouse=True)
def quick_beacon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache pairings: each takes a tenth of a second, and tests repeat them."""
    monkeypatch.setattr(verify, "check_beacon", functools.cache(verify.check_beacon))


def shown_with(*checkpoints: Json, n: int = N, proof: Json = SEALED) -> bytes:
    return encode(proof | {"log": {"n": n, "checkpoints": list(checkpoints)}})


def answered(*lines: str) -> bytes:
    return shown_with(proofs.checkpoint(STATEMENTS, N, lines))


def line(name: str, early: int, **changes: Any) -> str:
    return proofs.cosigner_line(TEXT, name, PUBLISHED - early, **changes)


def log_of(statements: Sequence[bytes]) -> bytes:
    return b"".join(said + b"\n" for said in statements)


def said(n: int, kind: str, at: int = CLOSED_AT + 50, **adds: Any) -> bytes:
    """Return a statement about this raffle."""
    return proofs.statement(n, at, kind, raffle_id=RAFFLE, **adds)


# --- Notes --------------------------------------------------------------------------------


def test_checkpoint_is_parsed_into_its_parts() -> None:
    note = f"{TEXT}\n{proofs.operator_line(TEXT)}{line('one', 9)}"
    parsed = verify.parse_note(note)
    assert (parsed.text, parsed.origin, parsed.size) == (TEXT, ORIGIN, 6)
    assert verify.checkpoint_text(parsed.origin, parsed.size, parsed.root) == TEXT
    assert [each.name for each in parsed.lines] == [ORIGIN, "one"]
    assert "".join(verify.note_line(*each) for each in parsed.lines) == note[len(TEXT) + 1 :]
    at = PUBLISHED - 9
    key = bytes.fromhex(proofs.public_key("one"))
    assert verify.time_of_cosignature(TEXT, parsed.lines[1].signature, key) == at
    assert verify.cosignature_message(TEXT, at) == f"cosignature/v1\ntime {at}\n{TEXT}".encode()


ROOT = base64.b64encode(bytes(32)).decode()
SIGNED = "— a QUJDREU=\n"


@pytest.mark.parametrize(
    "note",
    [
        "",
        f"o\n1\n{ROOT}\n",
        f"o\n1\n{ROOT}\n\n",
        f"o\n1\n{ROOT}\n{SIGNED}",
        f"o\n1\n{ROOT}\n\n{SIGNED}"[:-1],
        f"o\n1\n{ROOT}\n\n{SIGNED}\n",
        f"o\n1\n{ROOT}\n\n\n{SIGNED}",
        f"o\n01\n{ROOT}\n\n{SIGNED}",
        f"o\n+1\n{ROOT}\n\n{SIGNED}",
        f"o\n-1\n{ROOT}\n\n{SIGNED}",
        f"o\n{2**53}\n{ROOT}\n\n{SIGNED}",
        f"o\n١\n{ROOT}\n\n{SIGNED}",
        f"o\n1\n{ROOT[:-2]}B=\n\n{SIGNED}",
        f"o\n1\n{ROOT[:-1]}\n\n{SIGNED}",
        f"o\n1\n{base64.b64encode(bytes(31)).decode()}\n\n{SIGNED}",
        f"o\n1\n{ROOT}\nmore\n\n{SIGNED}",
        f"\n1\n{ROOT}\n\n{SIGNED}",
        f"o o\n1\n{ROOT}\n\n{SIGNED}",
        f"o\r\n1\r\n{ROOT}\r\n\r\n{SIGNED}",
        f"o\n1\n{ROOT}\n\n- a QUJDREU=\n",
        f"o\n1\n{ROOT}\n\n—  a QUJDREU=\n",
        f"o\n1\n{ROOT}\n\n— a  QUJDREU=\n",
        f"o\n1\n{ROOT}\n\n— a QUJDREU= \n",
        f"o\n1\n{ROOT}\n\n— a+b QUJDREU=\n",
        f"o\n1\n{ROOT}\n\n— ä QUJDREU=\n",
        f"o\n1\n{ROOT}\n\n— {'a' * 201} QUJDREU=\n",
        f"o\n1\n{ROOT}\n\n— a QUJD\n",  # 3 bytes
        f"o\n1\n{ROOT}\n\n— a QUJDRA==\n",  # 4: a key hash and no signature
        f"o\n1\n{ROOT}\n\n— a QUJDREV=\n",  # a loose bit
        f"o\n1\n{ROOT}\n\n— a QUJDREU\n",
        f"o\n1\n{ROOT}\n\n— a QUJD_-U=\n",
        f"o\n1\n{ROOT}\n\n{SIGNED * 65}",
        f"o\n1\n{ROOT}\n\n— a {'QUJD' * 16384}\n",
        f"o\n1\n{ROOT}\n\n{SIGNED}\0",
    ],
)
def test_what_is_no_signed_note(note: str) -> None:
    with pytest.raises(verify.Invalid, match="not a signed note"):
        verify.parse_note(note)


def test_notes_at_the_edges() -> None:
    assert len(verify.parse_note(f"o\n{2**53 - 1}\n{ROOT}\n\n{SIGNED * 64}").lines) == 64
    assert verify.parse_note(f"o\n0\n{ROOT}\n\n{SIGNED}").size == 0
    head = f"o\n1\n{ROOT}\n\n— a "
    longest = f"{head}{'QUJD' * ((65536 - len(head.encode()) - 1) // 4)}\n"
    assert 65530 < len(longest.encode()) <= 65536
    assert verify.parse_note(longest).lines[0].key_hash == b"ABCA"


# --- Checkpoints --------------------------------------------------------------------------


def test_every_checkpoint_is_held_to_the_seal() -> None:
    good = proofs.checkpoint(STATEMENTS, N)
    later = proofs.checkpoint([*STATEMENTS, said(6, "sold_out")], N)
    assert judge(shown_with(good, later)).words == FEW.format(0)
    other = good["checkpoint"].replace(ORIGIN, f"{ORIGIN}s")
    for spoilt, reason in (
        ({"checkpoint": "x"}, "checkpoint 2 is not a signed note"),
        ({"checkpoint": other}, "checkpoint 2 is of another log"),
        (
            {"checkpoint": f"{TEXT}\n{line('one', 9)}"},
            "checkpoint 2 is not signed by the key of the seal",
        ),
        (
            {"checkpoint": f"{TEXT}\n{proofs.operator_line(TEXT, who='other')}"},
            "checkpoint 2 is not signed by the key of the seal",
        ),
        (
            {"checkpoint": f"{TEXT}\n{proofs.operator_line(f'{TEXT}!')}"},
            "checkpoint 2 has a wrong signature by the key of the seal",
        ),
        (
            {"checkpoint": f"{good['checkpoint']}{proofs.operator_line(f'{TEXT}!')}"},
            "checkpoint 2 has a wrong signature by the key of the seal",
        ),
        ({"path": good["path"][1:]}, "checkpoint 2 does not hold the seal"),
        ({"path": [*good["path"], "0" * 64]}, "checkpoint 2 does not hold the seal"),
        ({"path": ["0" * 64, *good["path"][1:]]}, "checkpoint 2 does not hold the seal"),
    ):
        assert judge(shown_with(later, good | spoilt)).words == f"INVALID: {reason}"


def test_another_key_of_the_operator_may_sign_beside() -> None:
    beside = proofs.operator_line(TEXT, who="the next key")
    verdict = judge(answered(beside, line("one", 9), line("two", 8)))
    assert verdict.words == "VALID, witnessed before the randomness by 2 of 3"
    assert "stranger" not in {step["name"] for step in verdict.steps}


def test_two_logs_of_one_size_accuse_the_operator() -> None:
    fork = [*STATEMENTS[:-1], said(5, "sold_out")]
    both = shown_with(proofs.checkpoint(STATEMENTS, N), proofs.checkpoint(fork, N))
    assert judge(both).words == "INVALID: the operator signed two logs"


def test_seal_is_never_the_first_statement() -> None:
    shown = shown_with(proofs.checkpoint(STATEMENTS, N), n=0)
    assert judge(shown).words.startswith("INVALID: proof.log.n is not an integer from 1 to")


# --- Cosigners ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("early", "answer"),
    [
        (5, "5 s before the randomness"),
        (4, "answered too late"),
        (-10, "answered too late"),
        (PUBLISHED - CLOSED_AT + 60, f"{PUBLISHED - CLOSED_AT + 60} s before the randomness"),
        (PUBLISHED - CLOSED_AT + 61, "answered too early"),
        (PUBLISHED - 2**63, "answered too late"),
        (PUBLISHED, "answered too early"),
    ],
)
def test_answer_counts_in_its_time_only(early: int, answer: str) -> None:
    verdict = judge(answered(line("one", early)))
    counts = answer.endswith("randomness")
    assert verdict.words == FEW.format(int(counts))
    assert verdict.counted == ([("one", early)] if counts else [])
    key = proofs.public_key("one")[:16]
    said_of = [step["computed"] for step in verdict.steps if step["name"] == "witness"]
    assert said_of[0] == f'"one" {key}, {answer} (as the operator named it)'


def test_of_several_answers_the_earliest_in_time_counts_once() -> None:
    two = [line("one", early) for early in (4, 8, 30, 20, 300)]
    verdict = judge(answered(*two, two[1]))
    assert verdict.words == FEW.format(1)
    assert verdict.counted == [("one", 30)]


def test_witness_counts_by_any_checkpoint() -> None:
    later = [*STATEMENTS, said(6, "sold_out")]
    text = proofs.checkpoint_text(later)
    shown = shown_with(
        proofs.checkpoint(STATEMENTS, N, [line("one", 9)]),
        proofs.checkpoint(later, N, [proofs.cosigner_line(text, "two", PUBLISHED - 6)]),
    )
    assert judge(shown).words == "VALID, witnessed before the randomness by 2 of 3"


@pytest.mark.parametrize(
    ("spoilt", "answer"),
    [
        (line("one", 9, who="two"), "no answer"),
        (
            proofs.signature_line("one", 4, "one", (PUBLISHED - 9).to_bytes(8, "big") + bytes(64)),
            "an answer that does not verify",
        ),
        (
            proofs.cosigner_line(f"{TEXT}!", "one", PUBLISHED - 9),
            "an answer that does not verify",
        ),
        (proofs.signature_line("one", 1, "one", bytes(72)), "no answer"),
        (proofs.signature_line("one", 4, "one", bytes(71)), "an answer that does not verify"),
        (proofs.signature_line("one", 4, "one", bytes(1)), "an answer that does not verify"),
        (proofs.signature_line("one", 4, "one", bytes(73)), "an answer that does not verify"),
    ],
)
def test_answer_that_is_not_the_witnesss_does_not_count(spoilt: str, answer: str) -> None:
    verdict = judge(answered(line("two", 9), spoilt))
    assert verdict.words == FEW.format(1)
    assert f", {answer} (" in verdict.steps[9]["computed"]


def test_strangers_are_told_and_not_counted() -> None:
    verdict = judge(answered(line("zoe", 9), line("club", 9), line("club", 8)))
    assert verdict.words == FEW.format(0)
    assert [step["computed"] for step in verdict.steps if step["name"] == "stranger"] == [
        '"zoe" is not in the terms and does not count',
        '"club" is not in the terms and does not count',
    ]


@pytest.mark.parametrize(
    ("text", "k"),
    [
        ("one {one}\ntwo {two}\n", 2),
        ("  one {one}\ntwo {two}", 2),
        ("one {one}\n", 1),
        ("one {two}\ntwo {one}\n", 0),
        ("uno {one}\n", 0),
        ("two {two}\nthree {three}\nfour {one}\n", 1),
    ],
)
def test_only_who_is_in_the_readers_file_counts(text: str, k: int) -> None:
    keys = {name: proofs.public_key(name) for name in ("one", "two", "three")}
    verdict = judge(
        answered(line("one", 9), line("two", 8)), witnesses=text.format(**keys).encode()
    )
    good = f"VALID, witnessed before the randomness by {k} of 3"
    assert verdict.words == (good if k == 2 else FEW.format(k))
    assert "(as the operator named it)" not in str(verdict.steps)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "the witnesses are empty"),
        (b" \n", "the witnesses are empty"),
        (b"null", "line 1 of the witnesses is not a name and a key"),
        (b"one " + b"0" * 63, "line 1 of the witnesses is not a name and a key"),
        (b"one " + b"A" * 64, "line 1 of the witnesses is not a name and a key"),
        (b"0" * 64, "line 1 of the witnesses is not a name and a key"),
        (b"a " + b"0" * 64 + b"\r\nb " + b"1" * 64, "line 1 of the witnesses is not a name and"),
        (b"a " + b"0" * 64 + b"\n\nb " + b"1" * 64, "line 2 of the witnesses is not a name and"),
    ],
)
def test_what_is_no_list_of_witnesses(text: bytes, reason: str) -> None:
    assert judge(answered(), witnesses=text).words.startswith(f"INVALID: {reason}")


# --- Statements ---------------------------------------------------------------------------

HASH = "a" * 64


@pytest.mark.parametrize(
    ("kind", "adds"),
    [
        ("key", {"public_key": proofs.public_key(OPERATOR)}),
        ("key_retired", {"public_key": proofs.public_key(OPERATOR)}),
        ("sold_out", {"raffle_id": RAFFLE}),
        ("sealed", {"raffle_id": RAFFLE, "commitment_hash": HASH}),
        ("drawn", {"raffle_id": RAFFLE, "commitment_hash": HASH, "randomness": HASH}),
        ("voided", {"raffle_id": RAFFLE, "commitment_hash": "0" * 64, "reason_hash": HASH}),
        (
            "replaced",
            {
                "raffle_id": RAFFLE,
                "commitment_hash": HASH,
                "rank": 1,
                "by_rank": 4,
                "reason_hash": HASH,
            },
        ),
    ],
)
def test_statement_of_each_kind(kind: str, adds: Json) -> None:
    made = verify.make_statement(kind, origin=ORIGIN, n=7, at=CLOSED_AT, **adds)
    assert made == proofs.statement(7, CLOSED_AT, kind, **adds)
    assert verify.read_statement(made)["kind"] == kind
    for key in adds:
        less = {name: value for name, value in adds.items() if name != key}
        with pytest.raises(verify.Invalid):
            verify.make_statement(kind, origin=ORIGIN, n=7, at=CLOSED_AT, **less)
        with pytest.raises(verify.Invalid):
            verify.make_statement(kind, origin=ORIGIN, n=7, at=CLOSED_AT, **adds | {key: ""})
    with pytest.raises(verify.Invalid):
        verify.make_statement(kind, origin=ORIGIN, n=7, at=CLOSED_AT, **adds, name="Ann")


GOOD = said(1, "sold_out")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"kind":["key"]}',
        b'{"kind":"redrawn"}',
        b"[" * 100_000,
        b" " + GOOD,
        GOOD + b" ",
        GOOD.replace(b'"n":1', b'"n":1.0'),
        GOOD.replace(b'"n":1', b'"n":01'),
        GOOD.replace(b'"n":1', b'"n":-1'),
        GOOD.replace(b'"n":1', b'"n":true'),
        GOOD.replace(b'"n":1', b'"n":NaN'),
        GOOD.replace(b'"n":1', b'"n":1' + b"0" * 5000),
        GOOD.replace(b'"n":1', b'"n":1,"n":1'),
        GOOD.replace(b'"n":1', b'"n": 1'),
        GOOD.replace(b"sold_out", b"sold\\u005fout"),
        GOOD.replace(b"raffle-draw-v2", b"raffle-draw-v1"),
    ],
)
def test_what_is_no_statement(line: bytes) -> None:
    with pytest.raises(verify.Invalid, match="not a statement"):
        verify.read_statement(line)
    log = log_of([STATEMENTS[0], line])
    words = judge(answered(), log=log).words
    assert words.startswith("INVALID: line 2 of the log is not a statement")


# --- The log ------------------------------------------------------------------------------

SEEN = [line("one", 9), line("two", 8)]
ONLY = "VALID, the only seal, witnessed before the randomness by 2 of 3"


def judge_log(statements: Sequence[bytes], *more: bytes) -> proofs.Verdict:
    """Return the verdict where the statements are signed and seen, and more follows in the file."""
    text = proofs.checkpoint_text(statements)
    lines = [proofs.cosigner_line(text, name, PUBLISHED - 9) for name in ("one", "two")]
    shown = shown_with(proofs.checkpoint(list(statements), N, lines))
    return judge(shown, log=log_of([*statements, *more]))


def test_log_makes_the_seal_the_only_one() -> None:
    verdict = judge_log(STATEMENTS)
    assert verdict.words == ONLY
    assert verdict.steps[-1]["computed"] == (
        f'6 statements of "{ORIGIN}", the first 6 make the root of the largest checkpoint'
    )


def test_without_a_majority_the_log_does_not_help() -> None:
    assert judge(answered(line("one", 9)), log=log_of(STATEMENTS)).words == FEW.format(1)


def test_replaced_winners_are_told() -> None:
    replaced: Json = {"commitment_hash": COMMITMENT_HASH, "reason_hash": HASH}
    drawn = said(6, "drawn", commitment_hash=COMMITMENT_HASH, randomness=HASH)
    signed = said(7, "replaced", rank=1, by_rank=4, **replaced)
    after = said(8, "replaced", rank=2, by_rank=5, **replaced)
    verdict = judge_log([*STATEMENTS, drawn, signed], after)
    assert verdict.words == ONLY
    at = "2023-08-23 15:59:30 UTC"
    assert [step["computed"] for step in verdict.steps if step["name"] == "replaced"] == [
        f"rank 1 by rank 4, {at}",
        f"rank 2 by rank 5, {at}, in a part that no checkpoint of this proof signs",
    ]


OTHER_SEAL = said(6, "sealed", commitment_hash=HASH)
SAME_SEAL = said(6, "sealed", commitment_hash=COMMITMENT_HASH)
VOID: Json = {"commitment_hash": COMMITMENT_HASH, "reason_hash": HASH}
DRAWN: Json = {"commitment_hash": COMMITMENT_HASH, "randomness": HASH}
UNSIGNED = "in a part that no checkpoint of this proof signs"


@pytest.mark.parametrize(
    ("signed", "unsigned", "words"),
    [
        ([OTHER_SEAL], [], "INVALID: the log holds another seal of this raffle"),
        ([SAME_SEAL], [], "INVALID: the log holds this seal twice"),
        ([], [OTHER_SEAL], f"INVALID: a second seal follows in the file, {UNSIGNED}"),
        ([], [SAME_SEAL], f"INVALID: a second seal follows in the file, {UNSIGNED}"),
        (
            [said(6, "voided", **VOID)],
            [],
            "INVALID: this raffle was called off before it was drawn",
        ),
        (
            [said(6, "voided", **VOID), said(7, "drawn", **DRAWN)],
            [],
            "INVALID: this raffle was called off before it was drawn",
        ),
        ([said(6, "drawn", **DRAWN), said(7, "voided", **VOID)], [], ONLY),
        (
            [said(6, "drawn", **DRAWN | {"commitment_hash": HASH}), said(7, "voided", **VOID)],
            [],
            "INVALID: this raffle was called off before it was drawn",
        ),
        (
            [],
            [said(6, "voided", **VOID)],
            f"INVALID: this raffle is called off in the file, {UNSIGNED}",
        ),
        ([], [said(6, "drawn", **DRAWN), said(7, "voided", **VOID)], ONLY),
        ([], [b"{}"], "INVALID: line 7 of the log is not a statement"),
        ([], [said(8, "sold_out")], "INVALID: line 7 of the log is out of order"),
        ([], [said(6, "sold_out", at=1)], "INVALID: line 7 of the log is out of order"),
        (
            [],
            [said(6, "sold_out", origin="other")],
            "INVALID: line 7 of the log is out of order",
        ),
    ],
)
def test_what_the_log_says_of_this_raffle(
    signed: list[bytes], unsigned: list[bytes], words: str
) -> None:
    assert judge_log([*STATEMENTS, *signed], *unsigned).words == words


def test_log_must_be_the_one_that_every_checkpoint_signs() -> None:
    fork = [*STATEMENTS[:-1], proofs.statement(5, CLOSED_AT + 9, "sold_out", raffle_id="9" * 32)]
    longer = [*fork, said(6, "sold_out")]
    shown = shown_with(proofs.checkpoint(STATEMENTS, N, SEEN), proofs.checkpoint(longer, N))
    for log in (STATEMENTS, longer, [*STATEMENTS, said(6, "sold_out")]):
        words = judge(shown, log=log_of(log)).words
        short = len(log) < 7
        reason = "shorter than its checkpoint" if short else "not the one that was signed"
        assert words == f"INVALID: the log is {reason}"


def test_log_that_is_cut_or_not_ended() -> None:
    shown = answered(*SEEN)
    whole = log_of(STATEMENTS)
    short = "INVALID: the log is shorter than its checkpoint"
    assert judge(shown, log=whole).words == ONLY
    assert judge(shown, log=log_of(STATEMENTS[:-1])).words == short
    assert judge(shown, log=b"").words == short
    assert judge(shown, log=whole[:-1]).words == "INVALID: line 6 of the log is not a statement"
    assert judge(shown, log=whole + b"\n").words == "INVALID: line 7 of the log is not a statement"
    assert judge(shown, log=whole + b"\xff\n").words == "UNREADABLE"
    assert judge(shown, log=whole.decode().encode("utf-16")).words == "UNREADABLE"


def test_log_begins_with_a_key() -> None:
    first = proofs.statement(0, CLOSED_AT - 900, "sold_out", raffle_id="9" * 32)
    second = proofs.statement(1, CLOSED_AT - 900, "key", public_key=proofs.public_key(OPERATOR))
    words = judge_log([first, second, *STATEMENTS[2:]]).words
    assert words == "INVALID: the log does not begin with a key"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {0: ("key", "another")},
            "INVALID: the key of the seal was not announced before the seal",
        ),
        (
            {0: ("key", "another"), 4: ("key", OPERATOR)},
            "INVALID: the key of the seal was not announced before the seal",
        ),
        ({0: ("key", "another"), 2: ("key", OPERATOR)}, ONLY),
        (
            {2: ("key_retired", OPERATOR)},
            "INVALID: the key of the seal was retired before the seal",
        ),
        ({4: ("key_retired", OPERATOR)}, ONLY),
        ({2: ("key_retired", "another")}, ONLY),
    ],
)
def test_key_of_the_seal_is_announced_and_not_retired(
    changes: dict[int, tuple[str, str]], words: str
) -> None:
    statements = list(STATEMENTS)
    for n, (kind, who) in changes.items():
        at = verify.read_statement(statements[n])["at"]
        statements[n] = proofs.statement(n, at, kind, public_key=proofs.public_key(who))
    assert judge_log(statements).words == words
