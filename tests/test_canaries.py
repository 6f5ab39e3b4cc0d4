"""The search for secrets itself: what is shown in any form is found, and fails the test."""

from __future__ import annotations

import base64
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.canary_search import SHORTEST, Secrets

WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "hex": lambda secret: secret.hex().encode(),
    "capital hex": lambda secret: secret.hex().upper().encode(),
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
    "base64 without padding": lambda secret: base64.b64encode(secret).rstrip(b"="),
    "a list": lambda secret: repr(list(secret)).encode(),
    "numbers": lambda secret: " ".join(map(str, secret)).encode(),
    "repr": lambda secret: repr(secret).encode(),
    "repr of a bytearray": lambda secret: repr(bytearray(secret)).encode(),
}


@given(data=st.data())
def test_a_secret_is_found_in_every_form_wherever_it_stands(data: st.DataObject) -> None:
    """And any 15 bytes of it, after others in the same writing, which move base64's digits."""
    secret = data.draw(st.binary(min_size=32, max_size=64))
    start = data.draw(st.integers(0, len(secret) - SHORTEST))
    before = data.draw(st.binary(max_size=20))
    garbage = data.draw(st.binary(max_size=40))
    for write in WRITTEN.values():
        text = garbage + b" " + write(before + secret[start:])
        assert Secrets([bytes(32), secret]).form_in(text) is not None


@pytest.mark.attack(79)
def test_what_is_not_a_secret_is_not_found(figure: Callable[[str], None]) -> None:
    source = random.Random(5)
    secrets = Secrets(source.randbytes(32) for _ in range(2000))
    other = source.randbytes(100_000)
    assert [form for form in WRITTEN if secrets.form_in(WRITTEN[form](other))] == []
    figure(f"canaries: a secret is found in {len(WRITTEN)} of {len(WRITTEN)} ways to write it")


LEAKS = {
    "print": "print(list(key))",
    "standard error": "print(key.hex(), file=sys.stderr)",
    "log": "logging.getLogger('anything').debug('%s', base64.b64encode(b'x' + key))",
    "another thread": "t = threading.Thread(target=print, args=(key,)); t.start(); t.join()",
    "error": "e2ee.UsageError(f'no {key!r}')",
    "program": "subprocess.run([sys.executable, '-c', f'print({key.hex()!r})'], stdout=-1)",
    "file": "(tmp_path / 'x').write_bytes(b'name=' + base64.urlsafe_b64encode(key))",
    "copy for all": "identity.save(x := tmp_path / 'x'); shutil.copyfile(x, tmp_path / 'y')",
    "object": "monkeypatch.setattr(e2ee.Identity, '__repr__', lambda self: key.hex())",
    "failure of the test": "raise ValueError(key)",
}


@pytest.mark.attack(79)
def test_a_test_that_shows_a_secret_has_failed(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    tests = "import base64, logging, shutil, subprocess, sys, threading, e2ee\n"
    for number, leak in enumerate(["identity.save(tmp_path / 'x')", *LEAKS.values()]):
        tests += (
            f"def test_{number}(tmp_path, monkeypatch):\n"
            f"    identity = e2ee.Identity.generate()\n"
            f"    key = identity.use_seed(bytes)\n"
            f"    {leak}\n"
        )
    (tmp_path / "test_leaks.py").write_text(tests)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    alone = ["-p", "tests.canaries", "-c", str(tmp_path / "pytest.ini"), "-rE"]
    with tempfile.TemporaryDirectory() as base:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *alone, "--basetemp", f"{base}/of_tests", tmp_path],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
        )
    found = [line for line in done.stdout.splitlines() if line.startswith("ERROR ")]
    assert [int(line.rpartition("_")[2].split()[0]) for line in found] == [
        number for number, _ in enumerate(LEAKS, 1)
    ], done.stdout + done.stderr
    figure(f"canaries: {len(found)} of {len(LEAKS)} ways out are watched")
