"""A Debian that boots with systemd in namespaces of its own, for those who are root.

debootstrap --include=systemd-sysv,dbus,git,ca-certificates bookworm /var/tmp/debian
DEBIAN_ROOT=/var/tmp/debian PYTEST="-k installed" make test
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ALONE = [
    *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
    *("--net", "--uts", "--ipc", "--cgroup"),
]
_BOOT = """
mount --make-rprivate /
mount --bind "$0" "$0"
cd "$0"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
for name in run tmp; do mount -t tmpfs tmpfs $name; done
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
  touch dev/$name; mount --bind /dev/$name dev/$name
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t tmpfs tmpfs sys/fs/cgroup
  mkdir sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd,xattr cgroup sys/fs/cgroup/systemd
else
  mount -t cgroup2 cgroup2 sys/fs/cgroup
fi
mkdir -p old; pivot_root . old; umount -l /old
container=lxc exec /lib/systemd/systemd
"""


class Machine:
    """What runs in there."""

    def __init__(self, root: Path, first: int) -> None:
        self.root, self._first = root, first

    def run(self, script: str, *, seconds: float = 900) -> str:
        """Run a script of bash there as root; return what it said. Raises CalledProcessError."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8"}
        if certificates := os.environ.get("PIP_CERT"):
            environment["PIP_CERT"] = certificates
        began = time.monotonic()
        done = subprocess.run(
            ["nsenter", "-t", str(self._first), "-a", "bash", "-euo", "pipefail", "-c", script],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=seconds,
        )
        print(f"$ {script.strip()}\n{done.stdout}[{time.monotonic() - began:.0f} s]\n")
        done.check_returncode()
        return done.stdout


@contextmanager
def booted(root: Path, folder: Path) -> Iterator[Machine]:
    """Yield a machine that boots a copy of `root`, and reaches the network outside."""
    copy = folder / "root"
    subprocess.run(["cp", "-a", root, copy], check=True)
    shutil.copy("/etc/resolv.conf", copy / "etc/resolv.conf")
    with (folder / "boot").open("w") as said:
        shell = subprocess.Popen(
            [*_ALONE, "bash", "-euc", _BOOT, str(copy)], stdout=said, stderr=said
        )
        net = None
        try:
            first = _child(shell.pid)
            net = subprocess.Popen(
                ["slirp4netns", "--configure", str(first), "tap0"], stdout=said, stderr=said
            )
            machine = Machine(copy, first)
            _until_up(machine)
            yield machine
        finally:
            shell.kill()  # and with it whatever runs in there
            shell.wait()
            if net is not None:
                net.kill()
                net.wait()


def _child(parent: int) -> int:
    deadline = time.monotonic() + 20
    children = Path(f"/proc/{parent}/task/{parent}/children")
    while time.monotonic() < deadline:
        if found := children.read_text().split():
            return int(found[0])
        time.sleep(0.1)
    raise RuntimeError("There are no namespaces to be had here.")


def _until_up(machine: Machine) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            machine.run("systemctl is-system-running --wait", seconds=60)
        except subprocess.CalledProcessError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return
