"""Every secret that any test makes is a canary: none may come out of the program.

A pytest plugin. While a test runs, the keys, seeds, psks and shared secrets that it makes are
noted where the package makes or is given them. After it, whatever the test has seen is searched
for them: its logs, from DEBUG on, what it and the programs that it ran have written, the texts of
our errors, how our objects show themselves, and its files. A test that shows one has failed.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import stat
import subprocess
from base64 import urlsafe_b64decode
from collections import deque
from collections.abc import Callable, Generator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pexpect
import pytest

import e2ee.passphrase
from e2ee._uncopyable import Uncopyable
from e2ee.errors import E2EEError
from e2ee.handshake import CipherState, Handshake
from e2ee.handshake.cipher_state import MAX_NONCE
from e2ee.handshake.symmetric_state import SymmetricState
from e2ee.identity import Identity
from e2ee.invitation import Link
from e2ee.pake import CPace
from e2ee.primitives import Dh, MlKem768
from tests.canary_search import SHORTEST, Secrets

MOST_SECRETS = 2_000
"""Of one test, the last that it made; a property test makes a million."""

MOST_BYTES = 2**20
"""Of one file."""

_IDENTITY_FILE = re.compile(rb"(?:identity|device)-key ")
_KEY = re.compile(rb"^(?:identity|device)-key ([\w-]{43}=)$", re.MULTILINE)


def counts(secret: bytes) -> bool:
    return len({(after - before) % 256 for before, after in pairwise(secret)}) == 1


class Watch:
    """What the test that runs has made, and what it has seen."""

    def __init__(self) -> None:
        self.secrets: deque[bytes] = deque(maxlen=MOST_SECRETS)
        self.lasting = Secrets([])
        """Made outside of any test, and used by many."""
        self.passphrases: set[bytes] = set()
        """Not looked for in files: they may stand in one that the user names."""
        self.texts: list[bytes] = []
        self.objects: dict[type, object] = {}
        """The last of each kind."""
        self.opened: set[str] = set()
        """Files whose mode the test itself has set, to see what becomes of it."""
        self.watched = self.searched = 0

    def note(self, secret: object) -> None:
        # Constants such as zeros, of which tests are full, are nobody's secret.
        if isinstance(secret, bytes) and len(set(secret)) >= SHORTEST:
            self.secrets.append(secret)
            self.watched += 1

    def hear(self, text: object) -> None:
        self.texts.append(text if isinstance(text, bytes) else str(text).encode(errors="replace"))

    def begin(self) -> None:
        self.secrets.clear()
        self.passphrases.clear()
        self.texts.clear()
        self.objects.clear()
        self.opened.clear()

    def look_at_objects(self) -> None:
        for made in self.objects.values():
            self.hear(f"{made!r} {made}")
        self.objects.clear()

    def shown(self, folder: Path | None) -> list[str]:
        """Where a secret of the test has been shown, and in which form."""
        seen = [("what was printed, logged, raised or shown", b"\n".join(self.texts))]
        for path in folder.rglob("*") if folder is not None else ():
            if stat.S_ISREG(path.lstat().st_mode):
                with path.open("rb") as file:
                    content = file.read(MOST_BYTES)
                is_private = not path.lstat().st_mode & 0o077 or str(path) in self.opened
                if is_private and _IDENTITY_FILE.search(content):
                    # It is there to hold keys; nothing else may.
                    for key in _KEY.findall(content):
                        self.note(urlsafe_b64decode(key))
                else:
                    seen.append((f"the file {path.name}", content))
        self.searched += sum(len(data) for _, data in seen)
        (what, text), *files = seen
        # Nor is 0, 1, 2 a secret. That is asked here: most of what is noted is never looked for.
        keys = [key for key in self.secrets if not counts(key)] if text or files else []
        in_files = Secrets(keys, and_those_of=self.lasting)
        found = [(what, Secrets(self.passphrases, and_those_of=in_files).form_in(text))]
        found += [(what, in_files.form_in(content)) for what, content in files]
        return [f"{what} has a secret, {form}" for what, form in found if form is not None]


WATCH = Watch()


def _after(owner: Any, name: str, note: Callable[..., object]) -> None:
    """Call ``note`` with the result and the arguments of each call of this function."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def noting(*arguments: Any, **options: Any) -> Any:
        result = original(*arguments, **options)
        note(result, *arguments, **options)
        return result

    setattr(owner, name, noting)


def _note(*secrets: object) -> None:
    for secret in secrets:
        WATCH.note(secret)


def _note_private(key: Any, *_: object) -> None:
    WATCH.note(key.private_bytes_raw())


def _note_identity(_: None, identity: Identity, *__: object, **___: object) -> None:
    identity.use_seed(WATCH.note)
    _note_private(identity.device_key)


def _note_link(_: None, link: Link, *__: object, **___: object) -> None:
    _note(link._secret, link.psk)


def _note_passphrase(key: bytes, passphrase: str, *_: object) -> None:
    WATCH.note(key)
    if len(set(passphrase)) >= SHORTEST:
        WATCH.passphrases.add(passphrase.encode())
        WATCH.watched += 1


def _note_handshake(_: None, handshake: Handshake, *__: object, **___: object) -> None:
    _note(*handshake._psks)


def _note_rekeyed(state: CipherState) -> None:
    if hasattr(state, "_aead"):
        nonce = state._cipher.pack_nonce(0, MAX_NONCE)
        WATCH.note(state._aead.encrypt(nonce, bytes(32), None)[:32])


def _watch_secrets() -> None:
    """Each place where the package makes a secret, or is given one."""
    _after(Dh, "generate", _note_private)
    _after(Dh, "load_private", _note_private)
    _after(Dh, "exchange", lambda secret, *_: WATCH.note(secret))
    _after(MlKem768, "generate", lambda pair, *_: _note_private(pair[0]))
    _after(MlKem768, "encapsulate", lambda pair, *_: WATCH.note(pair[1]))
    _after(MlKem768, "decapsulate", lambda secret, *_: WATCH.note(secret))
    _after(SymmetricState, "_hkdf", lambda keys, *_: _note(*keys))
    _after(Handshake, "__init__", _note_handshake)
    _after(CPace, "__init__", lambda _, run, *__, **___: _note_private(run._scalar))
    _after(CPace, "finish", lambda key, *_: WATCH.note(key))
    _after(Identity, "__init__", _note_identity)
    _after(Identity, "derive", lambda secret, *_: WATCH.note(secret))
    _after(Link, "__init__", _note_link)
    _after(e2ee.passphrase, "_key", _note_passphrase)
    rekey = CipherState.rekey

    def rekey_noted(self: CipherState) -> None:
        # Beforehand, as afterwards there is no way to ask for a key.
        _note_rekeyed(self)
        rekey(self)

    CipherState.rekey = rekey_noted  # type: ignore[method-assign]


def _watch_texts() -> None:
    """What is not captured by pytest itself: texts that go to the test that asks for them."""
    _after(E2EEError, "__init__", lambda _, error, *__: WATCH.hear(error))
    _after(subprocess.Popen, "communicate", lambda pair, *_, **__: _hear_all(pair))
    _after(pexpect.spawn, "read_nonblocking", lambda text, *_, **__: WATCH.hear(text))
    _after(os, "chmod", lambda _, path, *__, **___: WATCH.opened.add(os.fspath(path)))
    _after(pytest.CaptureFixture, "readouterr", lambda pair, *_: _hear_all(pair))


def _hear_all(texts: Any) -> None:
    for text in texts:
        if text is not None:
            WATCH.hear(text)


def _watch_objects() -> None:
    kinds = Uncopyable.__subclasses__()
    for kind in kinds:
        _after(
            kind, "__init__", lambda _, made, *__, **___: WATCH.objects.update({type(made): made})
        )


# The plugin.


def pytest_configure() -> None:
    _watch_secrets()
    _watch_texts()
    _watch_objects()
    logging.getLogger().setLevel(logging.DEBUG)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    WATCH.begin()
    result = yield
    WATCH.lasting = Secrets(key for key in WATCH.secrets if not counts(key))
    return result


def pytest_runtest_logstart() -> None:
    WATCH.begin()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        WATCH.hear(report.longreprtext)
    if report.when == "call":
        WATCH.look_at_objects()
    if report.when == "teardown":
        for _, text in report.sections:
            WATCH.hear(text)
        if shown := WATCH.shown(getattr(item, "funcargs", {}).get("tmp_path")):
            report.outcome = "failed"
            report.longrepr = "\n".join(shown)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["canaries"] = (WATCH.watched, WATCH.searched)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    watched, searched = getattr(node, "workeroutput", {}).get("canaries", (0, 0))
    WATCH.watched += watched
    WATCH.searched += searched


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if WATCH.watched:
        terminalreporter.write_line(
            f"canaries: {WATCH.watched:,} secrets watched for in {WATCH.searched:,} bytes"
        )
