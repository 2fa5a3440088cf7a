"""Settings as a new process reads them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from traceback import format_exception
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from django.core.exceptions import ImproperlyConfigured

from raffles.web.witness_lists import WatchedLog

ROOT = Path(__file__).resolve().parent.parent.parent
KEY, SEED = "ab" * 40, "cd" * 32
KEYHEX = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"


def run(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "ENV_FILE": "", "PYTHONPATH": str(ROOT)}
    return subprocess.run(  # noqa: PLW1510
        [sys.executable, "-c", code],
        env=clean | {"DJANGO_SETTINGS_MODULE": "rafflesite.settings"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def load(**environment: str) -> SimpleNamespace:
    """Return the settings as they are read with exactly this environment."""
    with patch.dict(os.environ, {"ENV_FILE": ""} | environment, clear=True):
        return SimpleNamespace(**run_path(str(ROOT / "rafflesite" / "settings.py")))


def test_nothing_set() -> None:
    loaded = load()
    assert loaded.DEBUG is False
    assert loaded.MANAGER_IPS == []
    assert sorted(loaded.EPHEMERAL_SECRETS) == ["RECEIPT_KEY", "SECRET_KEY", "TICKET_KEY"]
    assert loaded.ALLOWED_HOSTS == ["localhost", "localhost", "127.0.0.1", "[::1]"]
    assert (loaded.SECURE_SSL_REDIRECT, loaded.SECURE_HSTS_SECONDS) == (False, 0)
    assert (loaded.SESSION_COOKIE_SECURE, loaded.CSRF_COOKIE_SECURE) == (False, False)
    database = loaded.DATABASES["default"]
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert database["OPTIONS"]["timeout"] == 20
    assert loaded.CACHES["default"]["BACKEND"].endswith("LocMemCache")
    assert loaded.TICKET_KEYS != load().TICKET_KEYS


def test_production() -> None:
    loaded = load(
        SECRET_KEY="s" * 60,
        TICKET_KEY=f"{KEY}, {SEED}",
        RECEIPT_KEY=SEED,
        MANAGER_IPS="10.0.0.0/8, 2001:db8::/32",
        PUBLIC_URL="https://draws.example.org/",
        DATABASE_URL="postgres://user:p%40ss@db.example.org:5433/draws?sslmode=require",
        REDIS_URL="redis://127.0.0.1/3",
        DRAND_RELAYS="https://one.example, https://two.example",
        COSIGNERS=f"one {SEED} https://w.example/1\ntwo {KEY[:64]} https://w.example/2/",
        TIMESTAMP_AUTHORITIES="First TSA https://tsa.example/; Second http://tsa.example/2",
    )
    assert not loaded.EPHEMERAL_SECRETS
    assert [key.hex() for key in loaded.TICKET_KEYS] == [KEY, SEED]
    assert [seed.hex() for seed in loaded.RECEIPT_SEEDS] == [SEED]
    assert loaded.MANAGER_IPS == ["10.0.0.0/8", "2001:db8::/32"]
    assert loaded.ALLOWED_HOSTS[0] == "draws.example.org"
    assert loaded.CSRF_TRUSTED_ORIGINS == ["https://draws.example.org"]
    assert loaded.SECURE_SSL_REDIRECT
    assert (loaded.SESSION_COOKIE_SECURE, loaded.CSRF_COOKIE_SECURE) == (True, True)
    assert loaded.SECURE_HSTS_SECONDS > 0
    assert loaded.DEFAULT_FROM_EMAIL == "draws@draws.example.org"
    database = loaded.DATABASES["default"]
    assert database["ENGINE"] == "raffles.web.postgresql"
    assert database["OPTIONS"] == {"sslmode": "require", "connect_timeout": 5}
    assert database["CONN_MAX_AGE"] == 600
    assert loaded.CACHES["default"]["BACKEND"].endswith("RedisCache")
    assert loaded.DRAND_RELAYS == ["https://one.example", "https://two.example"]
    assert [
        ("one", SEED, "https://w.example/1"),
        ("two", KEY[:64], "https://w.example/2"),
    ] == loaded.COSIGNERS
    assert loaded.TIMESTAMP_AUTHORITIES == [
        ("First TSA", "https://tsa.example/"),
        ("Second", "http://tsa.example/2"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("MANAGER_IPS", "127.0.0.1, 10.0.0.300", "'10.0.0.300' is neither"),
        ("MANAGER_IPS", "unix", "'unix' is neither"),
        ("DATABASE_URL", "postgres//user:secret@host/draws", "DATABASE_URL is not postgres://"),
        ("DATABASE_URL", "mysql://user:secret@host/draws", "DATABASE_URL is not postgres://"),
        ("TRUSTED_PROXIES", "proxy", "'proxy' is neither"),
        ("TICKET_KEY", "abcd", "TICKET_KEY holds an item of 2 bytes"),
        ("RECEIPT_KEY", "ab" * 33, "RECEIPT_KEY holds an item of 33 bytes"),
        ("METRICS_TOKEN", "secret", "METRICS_TOKEN is not a token"),
        ("THROTTLE_ENTRY", "many", "'many' is not a rate"),
        ("THROTTLE_VERIFY", "1/year", "'1/year' is not a rate"),
        ("THROTTLE_FILES", "lots", "'lots' is not a rate"),
        ("STREAMS_PER_HOLDER", "few", "set a whole number, 0 or more"),
        ("STREAMS_PER_HOLDER", "-5", "set a whole number, 0 or more"),
        ("IPV6_PREFIX", "0", "set a whole number, 1 to 128"),
        ("IPV6_PREFIX", "129", "set a whole number, 1 to 128"),
        *(
            (name, word, f"{word!r} is neither on nor off")
            for name in ("DEBUG", "ADMIN_FOR_MANAGERS", "OFFLINE")
            for word in ("enabled", "t", "offf", "on   # only from the office")
        ),
        ("DRAW_ENTROPY", "Drand", "set system or drand"),
        *(
            ("PUBLIC_URL", url, "is not the scheme and host")
            for url in (
                "draws.example.org",
                "ftp://draws.example.org",
                "https://",
                "https://draws.example.org/draws",
                "https://Draws.example.org",
                "https://user@draws.example.org",
                "https://[bad",
            )
        ),
        ("PUBLIC_URL", "https://[::1::]", "PUBLIC_URL: "),
        ("PUBLIC_URL", "https://draws.example.org:99999", "PUBLIC_URL: Port out of range"),
        ("ALLOWED_HOSTS", "https://draws.example.org", "is not a host without scheme"),
        ("ALLOWED_HOSTS", "draws.example.org:443", "is not a host without scheme"),
        ("ALLOWED_HOSTS", "*, ::1", "'::1' is not a host without scheme"),
        ("LOG_ORIGIN", "Draws Example!", "is not 1 to 200 of a-z"),
        ("MAIL_FROM", "draws", "'draws' is not an e-mail address"),
        ("MAIL_FROM", "draws@", "Invalid address"),
        ("MAIL_FROM", "Draws, Inc. <draws@example.org>", "Invalid address"),
        ("EMAIL_URL", "smpt://mail.example.org", "is not smtp+tls://"),
        ("REDIS_URL", "localhost", "is not redis://"),
        ("REDIS_URL", "redis://127.0.0.1:637O/0", "is not redis://"),
        ("LOG_LEVEL", "loud", "set DEBUG, INFO, WARNING or ERROR"),
        ("WITNESS_KEY", "abcd", "WITNESS_KEY holds an item of 2 bytes"),
        ("WITNESS_KEY", f"{SEED},{SEED}", "WITNESS_KEY holds more than one key"),
        ("WITNESS_LOGS", "a.example/log", "there are not a name, a key and an address"),
        ("WITNESS_LOGS", f"A.example {KEYHEX} https://a.example", "is not the origin of a log"),
        ("WITNESS_LOGS", f"a.example {SEED.upper()} https://a.example", "the key is not 64"),
        ("WITNESS_LOGS", f"a.example {'0' * 64} https://a.example", "the key is not 64"),
        ("WITNESS_LOGS", f"a.example {KEYHEX} ftp://a.example", "the address cannot be asked"),
        ("WITNESS_LOGS", f"a.example {KEYHEX} https://a.example/?b", "the address has a query"),
        ("WITNESS_LOGS", "; ".join([f"a.example {KEYHEX} https://b"] * 2), "uses one name twice"),
        ("COSIGNERS", f"one {SEED}", "COSIGNERS: in"),
        ("EMBED_ORIGINS", "https://a.example, b.example", "'b.example' is not an origin"),
        ("EMBED_ORIGINS", "https://a.example/", "'https://a.example/' is not an origin"),
        ("EMBED_ORIGINS", "https://*.example", "'https://*.example' is not an origin"),
        ("EMBED_ORIGINS", "https://a.example;script-src *", "is not an origin"),
        ("SECOND_FACTOR", "on", "set optional, required, or nothing"),
        ("OIDC_ISSUER", "http://id.example.org", "set the provider's https:// address"),
        ("OIDC_ISSUER", "https://id.example.org/?a", "set the provider's https:// address"),
        ("OIDC_GROUPS", "desk=Operator; board", "'board' is not VALUE=GROUP"),
        ("OIDC_GROUPS", "=Operator", "'=Operator' is not VALUE=GROUP"),
        ("TIMESTAMP_AUTHORITIES", "https://tsa.example.org", "TIMESTAMP_AUTHORITIES: in"),
    ],
)
def test_malformed_refuses_to_start(name: str, value: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=re.escape(sentence)) as raised:
        load(**{name: value})
    assert name in str(raised.value)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgres://user:{}@host/draws"),
        ("DATABASE_URL", "postgres://user:{}@[host/draws"),
        ("REDIS_URL", "redis://:{}@127.0.0.1/0"),
        ("EMAIL_URL", "smtp+tls://user:{}@mail.example.org:587"),
    ],
)
@pytest.mark.parametrize("password", ["hunter/2", "hunter?2", "1/hunter", "2?hunter"])
def test_a_password_that_cuts_its_address_short_is_refused_and_not_shown(
    name: str, url: str, password: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{name} is not .*%2F for /") as raised:
        load(**{name: url.format(password)})
    assert "hunter" not in "".join(format_exception(raised.value))


def test_the_site_may_be_at_an_address_of_ipv6() -> None:
    loaded = load(PUBLIC_URL="https://[2001:db8::1]:8443")
    assert loaded.ALLOWED_HOSTS[0] == "[2001:db8::1]"
    assert loaded.CSRF_TRUSTED_ORIGINS == ["https://[2001:db8::1]:8443"]
    assert loaded.DEFAULT_FROM_EMAIL == "draws@[2001:db8::1]"


def test_passwords_may_have_other_signs() -> None:
    loaded = load(
        DATABASE_URL="postgres://user:a#%2F@b@host1:5432,host2:5433/draws",
        REDIS_URL="redis://:a#%3F@127.0.0.1/0",
        EMAIL_URL="smtp://user:a#%25@mail.example.org:25",
    )
    database = loaded.DATABASES["default"]
    assert (database["PASSWORD"], database["HOST"], database["NAME"]) == (
        "a#/@b",
        "host1,host2",
        "draws",
    )
    assert loaded.REDIS_URL == "redis://:a%23%3F@127.0.0.1/0"
    assert (loaded.EMAIL_HOST_PASSWORD, loaded.EMAIL_HOST) == ("a#%", "mail.example.org")


@pytest.mark.parametrize(
    ("word", "expected"),
    [(word, True) for word in ("on", "TRUE", "yes", " 1 ")]
    + [(word, False) for word in ("off", "False", "no", "0")],
)
def test_flags_say_on_or_off(word: str, expected: bool) -> None:
    loaded = load(DEBUG=word, ADMIN_FOR_MANAGERS=word, OFFLINE=word)
    assert {loaded.DEBUG, loaded.ADMIN_FOR_MANAGERS, loaded.OFFLINE} == {expected}


def test_a_secret_may_begin_with_a_dollar(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("SECRET_KEY=$s3cret\n")
    loaded = load(ENV_FILE=str(file), OIDC_CLIENT_SECRET="$s3cret")
    assert (loaded.SECRET_KEY, loaded.OIDC_CLIENT_SECRET) == ("$s3cret", "$s3cret")
    assert "SECRET_KEY" not in loaded.EPHEMERAL_SECRETS


def test_empty_is_as_if_it_were_not_set() -> None:
    names = ["DEBUG", "PUBLIC_URL", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "ADMIN_FOR_MANAGERS"]
    names += ["OFFLINE", "LOG_ORIGIN", "MAIL_FROM", "EMAIL_URL", "REDIS_URL", "DATABASE_URL"]
    names += ["IPV6_PREFIX", "STREAMS_PER_HOLDER", "DRAW_ENTROPY", "TIME_ZONE", "LOG_LEVEL"]
    empty, unset = load(**dict.fromkeys(names, "")), load()
    names += ["DEFAULT_FROM_EMAIL", "EMAIL_BACKEND", "CACHES", "DATABASES", "RAFFLE_ZONE"]
    assert [getattr(empty, name, None) for name in names] == [
        getattr(unset, name, None) for name in names
    ]
    assert empty.DEFAULT_FROM_EMAIL == "draws@localhost"


def test_commands_say_in_one_line_what_is_malformed() -> None:
    environment = os.environ | {"ENV_FILE": "", "MANAGER_IPS": "192.0.2.300"}
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "check"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("MANAGER_IPS: '192.0.2.300' is neither")


def test_env_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text(f"MANAGER_IPS=10.0.0.1\nTICKET_KEY={KEY}\nDEBUG=on\n")
    loaded = load(ENV_FILE=str(file), MANAGER_IPS="10.0.0.2")
    assert (loaded.MANAGER_IPS, loaded.DEBUG) == (["10.0.0.2"], True)
    assert [key.hex() for key in loaded.TICKET_KEYS] == [KEY]


@pytest.mark.parametrize(
    ("line", "number"),
    [("ADMIN_FOR_MANAGERS = on", 3), ("RECEIPT_KEY: hunter2", 3), ("hunter2", 3)],
)
def test_a_line_of_the_file_that_is_none_is_named_and_not_shown(
    tmp_path: Path, line: str, number: int
) -> None:
    file = tmp_path / "env"
    file.write_text(f"# secrets\n\n{line}\nDEBUG=on\n")
    with pytest.raises(ImproperlyConfigured) as raised:
        load(ENV_FILE=str(file))
    assert str(raised.value).startswith(f"{file}: line {number} is neither NAME=value")
    assert "hunter2" not in str(raised.value)


def test_blanks_comments_and_a_mark_of_its_encoding_are_no_lines(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "env"
    file.write_text('\ufeffexport DEBUG=on\r\n  \r\n  # so\r\n#\r\nTIME_ZONE="Europe/Paris"')
    loaded = load(ENV_FILE=str(file))
    assert (loaded.DEBUG, loaded.RAFFLE_ZONE) == (True, "Europe/Paris")
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_named_has_to_be_readable(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes("OIDC_NAME=Müller".encode("latin-1"))
    for file in (tmp_path, tmp_path / "mistyped", tmp_path / "latin"):
        with pytest.raises(ImproperlyConfigured, match=f"^{file} cannot be read: "):
            load(ENV_FILE=str(file))


def test_the_file_of_the_checkout_has_to_be_readable_where_there_is_one(tmp_path: Path) -> None:
    settings = tmp_path / "rafflesite/settings.py"
    settings.parent.mkdir()
    shutil.copy(ROOT / "rafflesite/settings.py", settings)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file = tmp_path / ".env"

    def zone() -> str:
        with patch.dict(os.environ, clear=True):
            return str(run_path(str(settings))["RAFFLE_ZONE"])

    assert zone() == "UTC"
    file.write_text("TIME_ZONE=Europe/Paris\n")
    assert zone() == "Europe/Paris"
    file.unlink()
    file.symlink_to("away")
    with pytest.raises(ImproperlyConfigured, match=f"^{file} cannot be read: "):
        zone()


def test_the_example_names_every_setting() -> None:
    text = (ROOT / "rafflesite/settings.py").read_text()
    read = set(re.findall(r"""env\.\w+\(\s*"(\w+)""", text))
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE)) == read


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, ROOT / "state"),
        ({"DATABASE_URL": "sqlite:////srv/one/db.sqlite3"}, Path("/srv/one/state")),
        ({"DATABASE_URL": "postgres://db.example.org/draws"}, ROOT / "state"),
        ({"DATABASE_URL": "sqlite:////srv/db.sqlite3", "STATE_DIR": "/var/one"}, Path("/var/one")),
    ],
)
def test_state_is_beside_the_database_file_or_where_it_is_set(
    environment: dict[str, str], folder: Path
) -> None:
    assert folder == load(**environment).STATE_DIR


@pytest.mark.parametrize("module", ["rafflesite.wsgi", "rafflesite.asgi"])
def test_serving_from_postgresql_needs_a_folder_of_the_machine(module: str, tmp_path: Path) -> None:
    needed = {"SECRET_KEY": "s" * 60, "TICKET_KEY": KEY, "RECEIPT_KEY": SEED}
    needed["DATABASE_URL"] = "postgres://db.example.org/draws"
    done = run(f"import {module}", needed)
    assert done.returncode == 1
    assert "Set STATE_DIR" in done.stderr
    assert run(f"import {module}", needed | {"STATE_DIR": str(tmp_path)}).returncode == 0


@pytest.mark.parametrize("between", ["\n", "; ", ";\n", "\n\n  "])
def test_logs_to_witness_are_one_a_line_or_divided_by_semicolons(between: str) -> None:
    lines = f"a.example/log {KEYHEX} https://a.example/log/", f"b {KEYHEX},{SEED} http://b:80/b"
    assert list(load(WITNESS_LOGS=between.join(lines)).WITNESS_LOGS.values()) == [
        WatchedLog("a.example/log", (KEYHEX,), "https://a.example/log"),
        WatchedLog("b", (KEYHEX, SEED), "http://b:80/b"),
    ]


def test_groups_of_a_claim_may_have_names_of_a_directory() -> None:
    listed = "CN=desk,OU=x=Operator; board=Manager;\nboard = Auditor"
    done = run(
        "from django.conf import settings as s\n"
        "print({value: sorted(groups) for value, groups in s.OIDC_GROUPS.items()})",
        {"OIDC_GROUPS": listed},
    )
    wanted = {"CN=desk,OU=x": ["Operator"], "board": ["Auditor", "Manager"]}
    assert done.stdout.strip() == str(wanted)


@pytest.mark.parametrize("module", ["rafflesite.wsgi", "rafflesite.asgi"])
def test_serving_needs_all_of_a_provider(module: str) -> None:
    secrets = {"SECRET_KEY": "s" * 60, "TICKET_KEY": KEY, "RECEIPT_KEY": SEED}
    done = run(f"import {module}", secrets | {"OIDC_ISSUER": "https://id.example.org"})
    assert done.returncode == 1
    assert "OIDC_ISSUER without OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, OIDC_GROUPS" in done.stderr


@pytest.mark.parametrize("module", ["rafflesite.wsgi", "rafflesite.asgi"])
def test_serving_needs_a_witness_key_that_does_not_seal(module: str, tmp_path: Path) -> None:
    secrets = {"SECRET_KEY": "s" * 60, "TICKET_KEY": KEY, "RECEIPT_KEY": SEED}
    done = run(f"import {module}", secrets | {"WITNESS_KEY": SEED})
    assert done.returncode == 1
    assert "WITNESS_KEY is one of RECEIPT_KEY" in done.stderr


@pytest.mark.parametrize("module", ["rafflesite.wsgi", "rafflesite.asgi"])
def test_serving_needs_secrets(module: str) -> None:
    done = run(f"import {module}", {})
    assert done.returncode == 1
    assert "Set RECEIPT_KEY, SECRET_KEY, TICKET_KEY" in done.stderr
    secrets = {"SECRET_KEY": "s" * 60, "TICKET_KEY": KEY, "RECEIPT_KEY": SEED}
    assert run(f"import {module}", secrets).returncode == 0


DATABASE = "'PASSWORD': '********************'"


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ([], DATABASE),
        (["--all"], DATABASE),
        (["--output=unified"], DATABASE),
        (["--default=copied"], "DEBUG = False"),
        (["--default=copied", "--output=unified"], "+ DEBUG = False"),
    ],
)
def test_diffsettings_shows_no_secret(options: list[str], seen: str, tmp_path: Path) -> None:
    secrets = {
        "SECRET_KEY": "the secret key",
        "TICKET_KEY": KEY,
        "RECEIPT_KEY": SEED,
        "DATABASE_URL": "postgres://site:databases@127.0.0.1/site",
        "REDIS_URL": "redis://:cached@127.0.0.1/0",
        "EMAIL_URL": "smtp://site:mailed@127.0.0.1",
        "OIDC_CLIENT_SECRET": "provided",
    }
    (tmp_path / "copied.py").write_text("from rafflesite.settings import *\nDEBUG = 1\n")
    said = run(
        f"import sys; sys.path.append({str(tmp_path)!r})\n"
        "from django.core.management import execute_from_command_line\n"
        f"execute_from_command_line(['manage.py', 'diffsettings', *{options}])",
        secrets | {"DEBUG": "off", "ALLOWED_HOSTS": "raffles.example"},
    )
    assert said.returncode == 0, said.stderr
    assert seen in said.stdout
    raw = [repr(bytes.fromhex(secret)) for secret in (KEY, SEED)]
    secret = ["the secret key", KEY, SEED, *raw, "databases", "cached@", "mailed", "provided"]
    assert [text for text in secret if text in said.stdout] == []
