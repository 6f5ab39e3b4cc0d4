"""``e2ee listen`` as a service: the unit, the image, and that what they start is of use."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.package import dockerfile

from .conftest import Program

UNIT = dockerfile.ROOT / "deploy" / "e2ee-listen.service"
SYSTEMD = shutil.which("systemd-analyze")
EXPOSURE = 20
"""Tenths of what ``systemd-analyze security`` counts, from 0 for nothing to 100 for everything."""

SECRET = "the cellar key is under the third stone"  # noqa: S105


def unit() -> list[tuple[str, str]]:
    lines = [line for line in UNIT.read_text().splitlines() if line[:1] not in {"", "#", "["}]
    return [(key, value) for key, _, value in (line.partition("=") for line in lines)]


def command() -> list[str]:
    (line,) = [value for key, value in unit() if key == "ExecStart"]
    return line.split()


def systemd(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """About this text of a unit, as if the program were where it is to be."""
    assert SYSTEMD is not None
    path = folder / UNIT.name
    path.write_text(text.replace("/opt/e2ee/bin/e2ee", shutil.which("true") or ""))
    return subprocess.run(
        [SYSTEMD, *arguments, path], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    verify = ("verify", "--man=no")
    good = systemd(tmp_path, UNIT.read_text(), *verify)
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    bad = systemd(tmp_path, UNIT.read_text().replace("ProtectHome", "ProtectHone"), *verify)
    assert "ProtectHone" in bad.stderr


@pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not here")
def test_the_unit_leaves_little_open(tmp_path: Path) -> None:
    security = ("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}")
    closed = systemd(tmp_path, UNIT.read_text(), *security)
    assert closed.returncode == 0, closed.stdout[-500:]
    opened = UNIT.read_text().replace("ProtectSystem=strict\n", "").replace("User=e2ee\n", "")
    opened = opened.replace("PrivateUsers=yes\n", "").replace("CapabilityBoundingSet=\n", "")
    assert systemd(tmp_path, opened, *security).returncode != 0


def test_the_unit_and_the_image_start_the_same_for_nobody_special() -> None:
    program, *arguments = command()
    *_, image = dockerfile.stages().values()
    assert json.loads(dockerfile.last(image, "ENTRYPOINT")) == [program]
    assert json.loads(dockerfile.last(image, "CMD")) == arguments
    uid, gid = map(int, dockerfile.last(image, "USER").split(":"))
    assert min(uid, gid) >= 10_000
    assert ("User", "e2ee") in unit()
    state = dockerfile.last(image, "VOLUME")
    assert ("ENV", f"E2EE_HOME={state}") in image
    assert ("Environment", f"E2EE_HOME={state}") in unit()
    assert ("StateDirectory", Path(state).name) in unit()


def test_what_they_start_takes_a_text_keeps_it_sealed_and_ends_in_order(
    e2ee: Program, tmp_path: Path
) -> None:
    waiting, address = e2ee.listen()
    assert e2ee.run("connect", address, stdin=b"we meet\n")[0] == 0
    e2ee.finish(waiting)

    port = address.rpartition(":")[2]
    service = e2ee.start(
        *command()[1:],
        *("--host", "127.0.0.1", "--port", port),
        person="bob",
        stdin=subprocess.DEVNULL,
    )
    assert service.stderr is not None
    said = b""
    while b"Your safety words" not in (line := service.stderr.readline()):
        assert line, said
        said += line
    assert e2ee.run("connect", address, stdin=f"{SECRET}\n".encode())[0] == 0
    service.send_signal(signal.SIGTERM)
    code, out, err = e2ee.finish(service)

    assert ("SuccessExitStatus", str(code)) in unit()
    assert SECRET in out  # Which is why the unit lets nobody keep it:
    assert ("StandardOutput", "null") in unit()
    assert SECRET not in err
    assert SECRET in e2ee.run("history", person="bob")[1]
    files = [path for path in (tmp_path / "bob").rglob("*") if path.is_file()]
    assert files
    assert not any(SECRET.encode() in path.read_bytes() for path in files)
