"""No error of ours carries a secret: not in its text, not in what led to it, nor in a variable of
a frame of ours, which pytest, rich, or a service that collects errors would show.
"""

from __future__ import annotations

import base64
import importlib
import inspect
import json
import pkgutil
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

import e2ee
from e2ee import Identity, Session
from e2ee.backup import restore
from e2ee.contacts import ContactBook
from e2ee.errors import E2EEError, MalformedMessage
from e2ee.file_messages import decode_file_message
from e2ee.handshake import Handshake
from e2ee.invitation import Link, SpokenCode
from e2ee.messages import WireModel, decode, decode_chat, decode_control
from tests.canary_search import Secrets

KEY = bytes.fromhex("d2c57a1b09e4f6388b71c0ad5e3392f417a86b4fd90c2ee1537a98b6041fce6d")
TEXT = "unlikely-canary-passphrase-7261"
SECRETS = Secrets([KEY, TEXT.encode()])
LINK = Link(Identity.generate().public_key, KEY, 2**40, [("localhost", 1)]).text
WORDS = ["acrobat", "velcro", "sugar"]


def shown_by(error: BaseException) -> str:
    """All that can be read off an error that came out of the package."""
    shown = ""
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is None:
            continue
        shown += f"{found} {found!r} {found.args!r} {vars(found)!r}\n"
        if isinstance(found, UnicodeEncodeError | UnicodeDecodeError):
            shown += f"{found.object!r}\n"
        if isinstance(found, ValidationError):
            shown += f"{found.errors()}\n"
        told = traceback.TracebackException.from_exception(found, capture_locals=True)
        for frame in told.stack:
            if frame.filename != __file__:
                shown += f"{frame.name} {frame.locals}\n"
        waiting += [found.__cause__, found.__context__]
    return shown


def models(kind: type[WireModel] = WireModel) -> Iterator[type[WireModel]]:
    for module in pkgutil.iter_modules(e2ee.__path__, "e2ee."):
        importlib.import_module(module.name)
    for model in kind.__subclasses__():
        yield model
        yield from models(model)


def spoiled(model: type[WireModel]) -> Iterator[bytes]:
    """A canary in each field, and around them, in every way in which reading can fail."""
    kind = {
        name: get_args(field.annotation)[0]
        for name, field in model.model_fields.items()
        if name == "kind"
    }
    for name in [*model.model_fields, "unknown"]:
        for value in (TEXT, [TEXT], {TEXT: 1}, base64.urlsafe_b64encode(KEY * 2000).decode()):
            members = {**kind, name: value}
            yield json.dumps(members, separators=(",", ":")).encode()
            yield json.dumps(members, separators=(",", ":")).encode()[:-1]
    yield TEXT.encode()
    yield KEY


@pytest.mark.attack(80)
def test_no_canary_in_any_field_of_any_message_comes_back_in_an_error(
    figure: Callable[[str], None],
) -> None:
    tried = fields = hits = 0
    readers: list[Callable[[bytes], object]] = [decode_control, decode_chat, decode_file_message]
    readers.append(ContactBook.from_bytes)
    for model in models():
        fields += len(model.model_fields)
        for data in spoiled(model):
            of_this: Callable[[bytes], object] = partial(decode, model)
            for read in (of_this, *readers):
                try:
                    read(data)
                except E2EEError as error:
                    tried += 1
                    hits += SECRETS.form_in(shown_by(error).encode()) is not None
    assert hits == 0
    assert fields > 50
    figure(f"validation: {tried} errors over {fields} fields, 0 of them shows what was read")


def test_a_validation_error_would_show_the_canary() -> None:
    """What the test above looks for is there before it is dropped."""
    with pytest.raises(MalformedMessage) as caught:
        inspect.unwrap(decode)(next(models()), TEXT.encode())
    assert SECRETS.form_in(shown_by(caught.value).encode()) == "raw"


def misuses(folder: Path) -> dict[str, Callable[[], object]]:
    identity = Identity.from_seed(KEY)
    identity.save(folder / "plain")
    identity.save(folder / "locked", passphrase=TEXT)
    torn = (folder / "plain").read_bytes().replace(b"signature ", b"signature AAAA")
    swapped = (folder / "plain").read_text().splitlines(keepends=True)
    swapped[2] = Identity.generate().use_seed(
        lambda seed: f"device-key {base64.urlsafe_b64encode(seed).decode()}\n"
    )
    for name, data in (("torn", torn), ("swapped", "".join(swapped).encode())):
        (folder / name).touch(0o600)
        (folder / name).write_bytes(data)
    noise = "25519_AESGCM_SHA256"
    anything: Any = KEY
    return {
        "a file that is torn": lambda: Identity.load(folder / "torn"),
        "keys that do not fit": lambda: Identity.load(folder / "swapped"),
        "no such file": lambda: Identity.load(folder / "none", TEXT),
        "a wrong passphrase": lambda: Identity.load(folder / "locked", TEXT + "x"),
        "no text": lambda: Identity.load(folder / "locked", TEXT + "\ud800"),
        "too long a passphrase": lambda: identity.save(folder / "new", passphrase=TEXT * 50),
        "a name that is taken": lambda: identity.save(folder / "plain", passphrase=TEXT),
        "a seed too long": lambda: Identity.from_seed(KEY + b"x"),
        "a time that is none": lambda: Identity.from_seed(KEY, now=-1),
        "words too few": lambda: restore([TEXT] * 3),
        "words that do not fit": lambda: restore(["acrobat"] * 25 + ["velcro"]),
        "a code cut short": lambda: SpokenCode.parse(f"4-{TEXT}"),
        "a link mistyped": lambda: Link.parse(LINK[:-1]),
        "a link of no address": lambda: Link(identity.public_key, KEY, 1, []),
        "a key too long": lambda: Handshake(f"Noise_XX_{noise}", initiator=True, s=KEY + b"x"),
        "a psk too long": lambda: Handshake(
            f"Noise_NNpsk0_{noise}", initiator=True, psks=[KEY + b"x"]
        ),
        "a key for an identity": lambda: Session.initiator(anything),
        "a key for a link": lambda: Session.initiator(identity, invitation=anything),
    }


@pytest.mark.attack(79)
def test_no_misuse_shows_a_secret_in_a_text_or_in_a_variable_of_ours(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    cases = misuses(tmp_path)
    for name, misuse in cases.items():
        with pytest.raises(E2EEError) as caught:
            misuse()
        shown = shown_by(caught.value)
        assert SECRETS.form_in(shown.encode(errors="replace")) is None, name
        assert LINK[20:60] not in shown, name
    figure(f"errors: {len(cases)} misuses of secrets, 0 shown in texts, causes or variables")
