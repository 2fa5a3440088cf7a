"""The production form on a clean Debian, by the documents' own lines.

To a drawn raffle, metrics that are scraped, a backup that is put back, and the next version; with
the mistakes that people make on the way.

Takes minutes, root, and what `machine` says: a long form.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rafflesite.tests.alerting import rules
from rafflesite.tests.documents import ROOT, blocks
from rafflesite.tests.machine import Machine, booted

pytestmark = [pytest.mark.once, pytest.mark.slow]

CALLING = """
cd /root
S=https://draws.example.org
curl() {
  command curl -sS --fail-with-body --max-time 60 --cacert /etc/raffles/tls.crt \\
    --resolve draws.example.org:443:127.0.0.1 "$@"
}
get() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }
manage() { (cd /srv/raffles && runuser -u raffles -- .venv/bin/python manage.py "$@"); }
"""
# A manager's raffle, three who take part, and the next run after it closes.
DRAWN = """
CLOSES=$(date -u -d '+20 seconds' +%FT%TZ)
ID=$(curl $S/raffles/ --interface 127.0.0.2 -H 'Content-Type: application/json' -d '{"name": "Fair",
  "total_tickets": 10, "entropy": "system", "closes_at": "'$CLOSES'",
  "prizes": [{"name": "Cake", "amount": 1}]}' | get '["id"]')
for n in 3 4 5; do curl -X POST --interface 127.0.0.$n $S/raffles/$ID/participate/ >/dev/null; done
until [ "$(curl $S/raffles/$ID/ | get '["winners_drawn"]')" = True ]; do sleep 2; done
curl $S/verify.py -o verify.py && curl $S/raffles/$ID/proof/ -o proof.json
python3 verify.py proof.json
"""
OPEN = """
ID=$(curl $S/raffles/ --interface 127.0.0.2 -H 'Content-Type: application/json' -d '{"name": "Late",
  "total_tickets": 10, "prizes": [{"name": "Cake", "amount": 1}]}' | get '["id"]')
curl -X POST --interface 127.0.0.3 $S/raffles/$ID/participate/ && sleep 2
"""
# What Prometheus sees, and what three workers count together.
SCRAPED = """
TOKEN=$(cat /etc/prometheus/raffles.token)
counted() {
  curl $S/metrics -H "Authorization: Bearer $TOKEN" |
    sed -n 's/^raffles_request_seconds_count{method="GET",route="\\/livez",status="200"} //p'
}
workers() { cat /proc/$(systemctl show -P MainPID raffles)/task/*/children; }
until_up() { until [ "$(workers | wc -w)" = 3 ] && curl -o /dev/null $S/readyz; do sleep 1; done; }
ask() { for _ in $(seq 30); do curl -o /dev/null $S/livez & done; wait; }
prometheus() { command curl -sS http://127.0.0.1:9090/api/v1/$1; }
alarmed() { command curl -sS http://127.0.0.1:9093/api/v2/alerts; }
"""
ALLOWED = """
for how in "--interface 127.0.0.2" "--interface 127.0.0.9" "-H Authorization:\\ Bearer\\ $TOKEN" \
  "-H Authorization:\\ Bearer\\ another"; do
  eval "command curl -sS --cacert /etc/raffles/tls.crt --resolve draws.example.org:443:127.0.0.1 \
    -o /dev/null -w '%{http_code} ' $how $S/metrics"
done
command curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8000/metrics
"""
COUNTED = """
install -d /etc/systemd/system/raffles.service.d
printf '[Service]\nEnvironment=WEB_CONCURRENCY=3\n' >/etc/systemd/system/raffles.service.d/3.conf
systemctl daemon-reload && systemctl restart raffles
until_up && ask && counted
kill -9 $(workers | cut -d' ' -f1) && sleep 1
until_up && ask && counted
systemctl reload raffles && sleep 5
until_up && ask && counted
systemctl restart raffles
until_up && ask && counted
"""
WATCHED = """
until [ "$(prometheus targets | grep -o '"health":"up"' | wc -l)" = 2 ]; do sleep 1; done
while prometheus rules | grep -q '"health":"unknown"'; do sleep 1; done
prometheus rules | grep -o '"health":"ok"' | wc -l
systemctl stop raffles-deliver
until alarmed | grep RafflesWorkerDead; do sleep 1; done
systemctl start raffles-deliver
"""


def block(document: str, holds: str) -> str:
    """Return the block that is for a machine of its own, as it stands but for what apt asks."""
    (text,) = (
        each.text
        for each in blocks()
        if each.document == document and holds in each.text and "machine of its own" in each.reason
    )
    return text.replace("apt install", "apt install -y").replace("192.0.2.10", "127.0.0.2")


def write_version(machine: Machine, name: str) -> None:
    """Have the checkout fetch what is committed here, under a name."""
    bundle = machine.root / f"root/{name}.bundle"
    subprocess.run(["git", "-C", ROOT, "bundle", "create", "-q", bundle, "HEAD"], check=True)


def test_the_documents_lead_to_a_draw_a_restore_and_the_next_version(tmp_path: Path) -> None:
    root = os.environ.get("DEBIAN_ROOT")
    if not root:
        pytest.skip("needs DEBIAN_ROOT, see rafflesite/tests/machine.py")
    for program in ("unshare", "nsenter", "slirp4netns", "git"):
        assert shutil.which(program), program
    with booted(Path(root), tmp_path) as machine:
        write_version(machine, "one")
        install = block("docs/install.md", "git clone").replace("…", "-q /root/one.bundle")
        install = install.replace("example", "exmaple")
        login = "DJANGO_SUPERUSER_PASSWORD=$(openssl rand -hex 9) runuser -u raffles --"
        install = install.replace("runuser -u raffles --", login)
        install = install.replace(
            "createsuperuser", "createsuperuser --noinput --username ann --email a@example.org"
        )
        assert '{"status": "ok"' in machine.run(install)
        # That was a slip of the pen, and another is refused before anything is kept.
        anew = block("docs/install.md", "rm .env")
        slip = machine.run(f"{anew.strip().replace('127.0.0.2', '127.0.0.256')} || ls -A")
        assert "--managers: '127.0.0.256' does not appear" in slip
        assert ".env" not in slip.split()
        again = machine.run(f"cd /srv/raffles\n{anew[anew.index('deploy/install') :]}")
        assert '{"status": "ok"' in again
        assert machine.run("cat /srv/raffles/.env /etc/nginx/*/raffles").count("exmaple") == 0
        seen = machine.run(
            "stat -c '%U:%G %a' /srv/raffles/.env /etc/cron.d/raffles /etc/raffles/tls.key"
        )
        assert seen.split("\n")[:3] == ["root:raffles 640", "root:root 644", "root:root 600"]
        assert "VALID" in machine.run(CALLING + DRAWN).splitlines()[-1]  # by cron

        # Scraped.
        machine.run("cd /srv/raffles\n" + block("docs/watching.md", "METRICS_TOKEN"))
        (lines,) = (each.text for each in blocks() if each.kind == "prometheus")
        (machine.root / "etc/prometheus/prometheus.yml").write_text(lines)
        machine.run("systemctl restart prometheus")
        scraping = CALLING + SCRAPED
        assert machine.run(scraping + ALLOWED) == "200 403 200 401 403\n"
        seen = machine.run(scraping + 'curl $S/metrics -H "Authorization: Bearer $TOKEN"')
        assert 'raffles_entries_total{way="address"} 3.0' in seen.splitlines()
        assert machine.run(scraping + COUNTED).split() == ["30.0", "60.0", "90.0", "30.0"]
        assert machine.run(scraping + WATCHED).splitlines()[0] == str(len(rules()))

        # Twice is once, and what was edited stays.
        edit = "echo '# ours' >>/etc/nginx/sites-available/raffles; md5sum /srv/raffles/.env"
        before = machine.run(edit)
        again = machine.run("/srv/raffles/deploy/install")
        assert "/etc/nginx/sites-available/raffles was edited and stays" in again
        assert machine.run("md5sum /srv/raffles/.env") == before
        assert "# ours" in machine.run("cat /etc/nginx/sites-available/raffles")

        # By timers in the place of cron, with the nightly one.
        machine.run("cd /srv/raffles\n" + block("docs/running.md", "rm /etc/cron.d"))
        assert "VALID" in machine.run(CALLING + DRAWN).splitlines()[-1]
        machine.run("systemctl start raffles-daily && ls /var/backups/raffles/*.dump")

        machine.run("sleep 1\n" + block("docs/backup.md", "deploy/backup"))
        machine.run(CALLING + OPEN)
        restore = block("docs/backup.md", "pg_restore").splitlines()
        full = "\n".join(line for line in restore if "runuser -u postgres" not in line)
        # Over a database that is not empty nothing is put back.
        assert "already exists" in machine.run(f"({full}) || true")
        assert '"warnings": []' in machine.run(f"{CALLING} curl $S/readyz")
        machine.run(block("docs/backup.md", "pg_restore"))
        assert "The database was restored" in machine.run(f"{CALLING} curl $S/readyz")
        settle = (
            CALLING
            + 'manage after_restore --reason "Our disk was lost on 3 May."\nmanage verify_log'
        )
        assert "The database serves again." in machine.run(settle)
        assert '"warnings": []' in machine.run(f"{CALLING} curl $S/readyz")

        # The next version, by the same command.
        next_one = (
            "cd /srv/raffles\n"
            "export DATABASE_URL=sqlite:////tmp/next.sqlite3\n"
            ".venv/bin/python manage.py makemigrations --empty raffles && unset DATABASE_URL\n"
            "git add raffles && git -c user.name=a -c user.email=a@b commit -q -m Next\n"
            "deploy/install"
        )
        dumps = machine.run("ls /var/backups/raffles").split()
        assert '{"status": "ok"' in machine.run(next_one)
        # Tables changed, so there is a backup more; and timers draw, so cron does not again.
        assert len(machine.run("ls /var/backups/raffles").split()) == len(dumps) + 1
        machine.run("[ ! -e /etc/cron.d/raffles ]")
        assert "VALID" in machine.run(CALLING + DRAWN).splitlines()[-1]
        assert machine.run("systemctl list-units --failed --no-legend") == ""
