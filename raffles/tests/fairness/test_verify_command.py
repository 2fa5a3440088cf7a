"""verify.py as a participant runs it: one file, an empty folder, no installed package."""

import ast
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from raffles.fairness import verify
from raffles.tests.fairness import proofs, scenarios
from raffles.tests.fairness.mutations import encode

SCRIPT = Path(verify.__file__)
OPERATOR_ONLY = "VALID, randomness vouched for by the operator only"
OPTIONS = ["receipt", "commitment", "inclusion", "leaves", "keys", "log", "witnesses"]


@pytest.fixture(scope="module")
def witnessed() -> tuple[bytes, bytes]:
    """Return a draw that two of three witnesses saw, and the operator's log."""
    terms = proofs.make_terms("drand", cosigners=proofs.named("one", "two", "three"))
    proof = proofs.draw(terms, proofs.make_leaves(terms, 12)).proof
    statements = proofs.witness(proof, {"one": 40, "two": 5, "three": 4})
    return encode(proof), b"".join(said + b"\n" for said in statements)


@pytest.fixture
def folder(tmp_path: Path, witnessed: tuple[bytes, bytes]) -> Path:
    """Return a copy of the script and of files, those of one draw valid together."""
    shutil.copy(SCRIPT, tmp_path / "verify.py")
    files = {
        "proof": encode(scenarios.PROOF),
        "receipt": encode(scenarios.MINE),
        "commitment": encode(scenarios.kept()),
        "inclusion": encode(scenarios.inclusion(1)),
        "keys": encode(scenarios.KEYS),
        "leaves": scenarios.ALL_LEAVES,
        "tampered": encode(scenarios.PROOF | {"seed": "0" * 64}),
        "witnessed": witnessed[0],
        "log": witnessed[1],
        "trusted": f"one {proofs.public_key('one')}\n".encode(),
        "html": b"<!doctype html>",
        "latin": b'"\xe4"',
        "null": b"null",
        "empty": b"",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "verify.py", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_valid_proof_with_all_that_was_kept(folder: Path) -> None:
    options = ["receipt", "commitment", "inclusion", "leaves", "keys"]
    done = run(folder, "proof", *(part for name in options for part in (f"--{name}", name)))
    assert (done.returncode, done.stderr) == (0, "")
    root, public_key = scenarios.COMMITMENT["root"], scenarios.SIGNER.public_key
    assert done.stdout.splitlines() == [
        'raffle       "Fair", 0123456789abcdef0123456789abcdef, 17 of 20 tickets',
        "close        2023-08-23 15:58:40 UTC",
        f"commitment   {scenarios.PROOF['commitment_hash']}",
        f"seal         signature good, by the key {public_key}",
        f"randomness   {'0' * 64}, the operator's word",
        f"seed         {scenarios.PROOF['seed']}",
        "draw         5 winners and alternates, 3 skipped",
        f"tickets      8 inclusion paths lead to {root}",
        "signer       the key of the seal is among the keys you hold",
        "kept         the commitment you kept is the drawn one",
        "inclusion    the receipt's ticket has index 1 in the committed tree",
        f"leaves       17 leaves make the root {root}",
        'receipt      ticket 19, rank 2, wins "pen"',
        "whether the log holds another seal of this raffle was not checked",
        OPERATOR_ONLY,
    ]


def test_witnessed_proof_with_its_log(folder: Path) -> None:
    done = run(folder, "witnessed", "--log", "log")
    assert (done.returncode, done.stderr) == (0, "")
    key = {name: proofs.public_key(name)[:16] for name in ("one", "two", "three")}
    as_named, log = "(as the operator named it)", '"draws.example.org/log"'
    whole = "the first 6 make the root of the largest checkpoint"
    assert done.stdout.splitlines()[8:] == [
        f"log          statement 3 of {log}, checkpoints signed by the key of the seal: 1",
        f'witness      "one" {key["one"]}, 40 s before the randomness {as_named}',
        f'witness      "two" {key["two"]}, 5 s before the randomness {as_named}',
        f'witness      "three" {key["three"]}, answered too late {as_named}',
        "the signer was not checked against keys you hold",
        f"statements   6 statements of {log}, {whole}",
        "VALID, the only seal, witnessed before the randomness by 2 of 3",
    ]


def test_only_who_is_trusted_counts_and_too_few_exit_3(folder: Path) -> None:
    done = run(folder, "witnessed", "--witnesses", "trusted")
    assert (done.returncode, done.stderr) == (3, "")
    key = {name: proofs.public_key(name)[:16] for name in ("one", "two", "three")}
    assert done.stdout.splitlines()[9:] == [
        f'witness      "one" {key["one"]}, 40 s before the randomness',
        f'witness      "two" {key["two"]}, not among the witnesses you hold',
        f'witness      "three" {key["three"]}, not among the witnesses you hold',
        "the signer was not checked against keys you hold",
        "whether the log holds another seal of this raffle was not checked",
        "NOT AS PROMISED: the winners follow, but only 1 of 3 witnesses saw the seal in time",
    ]


def test_tampered_proof_exits_1_with_the_reason_last(folder: Path) -> None:
    done = run(folder, "tampered")
    assert (done.returncode, done.stderr) == (1, "")
    reason = "INVALID: the seed does not follow from the commitment and the randomness"
    assert done.stdout.splitlines()[-1] == reason


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing", "proof cannot be read: [Errno 2] No such file or directory: 'missing'"),
        (".", "proof cannot be read: [Errno 21] Is a directory: '.'"),
        ("html", "proof is not JSON"),
        ("latin", "proof is not UTF-8"),
        ("empty", "proof is not JSON"),
    ],
)
def test_file_that_cannot_be_read_exits_2(folder: Path, name: str, sentence: str) -> None:
    done = run(folder, name)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{sentence}\n")


@pytest.mark.parametrize("option", OPTIONS)
def test_missing_file_beside_the_proof_exits_2(folder: Path, option: str) -> None:
    done = run(folder, "witnessed", f"--{option}", "missing")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{option} cannot be read: ")


@pytest.mark.parametrize("option", ["receipt", "commitment", "inclusion", "keys"])
def test_null_file_is_refused_and_never_skipped(folder: Path, option: str) -> None:
    done = run(folder, "proof", f"--{option}", "null")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("INVALID: ")


@pytest.mark.parametrize("option", OPTIONS)
def test_empty_file_is_refused_and_never_skipped(folder: Path, option: str) -> None:
    done = run(folder, "witnessed", f"--{option}", "empty")
    assert done.returncode in (1, 2)


@pytest.mark.parametrize("option", ["log", "witnesses"])
def test_text_that_is_not_utf_8_exits_2(folder: Path, option: str) -> None:
    done = run(folder, "witnessed", f"--{option}", "latin")
    assert (done.returncode, done.stderr) == (2, f"{option} is not UTF-8\n")


def test_files_are_read_before_anything_is_judged(folder: Path) -> None:
    assert run(folder, "tampered", "--keys", "html").returncode == 2
    assert run(folder, "null", "--keys", "html").returncode == 2


def test_unknown_option_exits_2(folder: Path) -> None:
    assert run(folder, "proof", "--fetch").returncode == 2


def test_json_is_one_object(folder: Path) -> None:
    good, bad = (run(folder, name, "--json") for name in ("witnessed", "tampered"))
    answer = json.loads(good.stdout)
    assert (good.returncode, bad.returncode) == (0, 1)
    assert list(answer) == ["verdict", "exit", "counted", "steps"]
    assert answer["verdict"] == "VALID, witnessed before the randomness by 2 of 3"
    assert answer["exit"] == 0
    assert answer["counted"] == [
        {"name": name, "key": proofs.public_key(name), "seconds": seconds}
        for name, seconds in (("one", 40), ("two", 5))
    ]
    assert answer["steps"][-1] == {
        "name": "",
        "computed": "whether the log holds another seal of this raffle was not checked",
    }
    reason = "INVALID: the seed does not follow from the commitment and the randomness"
    answer = json.loads(bad.stdout)
    assert (answer["verdict"], answer["exit"], answer["counted"]) == (reason, 1, [])


def test_console_without_the_letters_of_a_name_is_no_reason_to_fail(folder: Path) -> None:
    terms = proofs.make_terms(name="Fête 🎉")
    drawn = proofs.draw(terms, proofs.make_leaves(terms, 3))
    (folder / "fete").write_bytes(encode(drawn.proof))
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-S", "verify.py", "fete"],
        cwd=folder,
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith(b'raffle       "F?te ?", ')


def test_proof_from_a_pipe(folder: Path, witnessed: tuple[bytes, bytes]) -> None:
    os.mkfifo(folder / "pipe")
    writer = threading.Thread(target=(folder / "pipe").write_bytes, args=(witnessed[0],))
    writer.start()
    done = run(folder, "pipe")
    writer.join()
    assert done.stdout.splitlines()[-1] == "VALID, witnessed before the randomness by 2 of 3"


def test_script_runs_on_python_3_9_and_imports_the_standard_library_only() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "."]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names
    assert "__future__" in imported


# --- A large draw -------------------------------------------------------------------------

# Prints the status and the largest memory of the verifier, in KiB.
MEASURED = """
import contextlib, io, resource, runpy, sys
sys.argv = ["verify.py", sys.argv[1]]
try:
    runpy.run_path("verify.py", run_name="__main__")
except SystemExit as end:
    print(end.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def large_proof(path: Path, winners: int) -> None:
    """Write a proof of that many winners and tickets, without ever holding it as a whole."""
    terms = proofs.make_terms(capacity=winners, prizes=[{"name": "pen", "amount": winners}])
    leaves = proofs.make_leaves(terms, winners)
    builder = verify.TreeBuilder(keep_from=0)
    for leaf in leaves:
        builder.add(proofs.leaf_hash(leaf))
    levels = builder.finish().levels
    small = proofs.draw(terms | {"capacity": 3, "prizes": terms["prizes"]}, leaves[:3]).proof
    commitment = small["commitment"] | {"terms": terms, "tickets": winners}
    commitment["root"] = levels[-1].hex()
    digest = proofs.hash_of(commitment)
    seed = proofs.digest(b"raffle-draw-v2/seed\0", digest, bytes(32))
    small |= {
        "commitment": commitment,
        "commitment_hash": digest.hex(),
        "seed": seed.hex(),
    }
    small["seal"] = {key: scenarios.kept(commitment)[key] for key in ("public_key", "signature")}
    head = {key: value for key, value in small.items() if key != "winners"}
    with path.open("wb") as file:
        file.write(encode(head)[:-1] + b',"winners":[')
        for draw, index in enumerate(verify.draw(seed, winners)):
            path_up = verify.inclusion_path(
                index, winners, lambda level, i: levels[level][32 * i : 32 * i + 32]
            )
            entry = {
                "rank": draw + 1,
                "prize": "pen",
                "draw": draw,
                "index": index,
                "ticket_number": winners - index,
                "leaf": leaves[index].hex(),
                "path": [node.hex() for node in path_up],
            }
            file.write((b"," if draw else b"") + encode(entry))
        file.write(b"]}\n")


def test_large_proof_is_checked_in_little_memory_and_tells_how_far_it_is(folder: Path) -> None:
    used = {}
    for winners in (10, 20_000):
        large_proof(folder / "large", winners)
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", MEASURED, "large"],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        *_, verdict, measured = done.stdout.splitlines()
        status, used[winners] = map(int, measured.split())
        assert (verdict, status) == (OPERATOR_ONLY, 0)
    assert (folder / "large").stat().st_size > 20_000_000
    assert used[20_000] - used[10] < 20_000
    assert done.stderr.split() == ["10,000", "tickets", "20,000", "tickets", "20,000", "tickets"]
