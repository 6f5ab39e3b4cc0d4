"""Targets: files that somebody may have changed. Each is read, or refused with its own error."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from e2ee import Identity
from e2ee import contact_file as contact_file_module
from e2ee import identity as identity_module
from e2ee import passphrase as passphrase_module
from e2ee.contact_file import HEADER, SALT_LENGTH, ContactFile
from e2ee.contacts import ContactBook
from e2ee.errors import ContactFileError, IdentityFileError
from e2ee.identity import LOCKED_HEADER, MAX_FILE_SIZE
from e2ee.passphrase import lock
from e2ee_cli.clean import clean
from e2ee_cli.exits import CliError, Exit
from e2ee_cli.settings import SETTINGS, parsed

from .fixed import person, secret
from .script import Script

NOWHERE = Path("/nowhere")


def identity_file(data: bytes) -> None:
    """The first byte: 0 -- the rest is the file; 1 -- it is what a passphrase has locked.

    Only IdentityFileError may be raised, and what is read is written as the same bytes. Argon2id
    is replaced by a key: it would take all the time.
    """
    script = Script(data)
    is_sealed = bool(script.number() & 1)
    written: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passphrase_module, "_key", lambda *_: secret("passphrase"))
        content = script.rest[:MAX_FILE_SIZE]
        file = content
        if is_sealed:
            header = LOCKED_HEADER + "\n"
            file = (header + lock(content, "passphrase", header)).encode()
        patch.setattr(identity_module, "read_private", lambda *_: file)
        patch.setattr(identity_module, "write_private", lambda _, text, **__: written.append(text))
        try:
            identity = Identity.load(NOWHERE, "passphrase")
        except IdentityFileError:
            return
        identity.save(NOWHERE)
        assert Identity.load(NOWHERE, "passphrase").id == identity.id
    if content.startswith(b"e2ee identity"):
        assert written == [content]


@cache
def _contact_cipher() -> AESGCM:
    return AESGCM(person("alice").derive(b"e2ee contact file v1", bytes(SALT_LENGTH)))


def sealed_contacts(plaintext: bytes) -> bytes:
    """A contact file of Alice's with this inside."""
    return HEADER + bytes(SALT_LENGTH) + _contact_cipher().encrypt(bytes(12), plaintext, HEADER)


def contact_file(data: bytes) -> None:
    """The first byte: 0 -- the rest is the file; 1 -- what is sealed in it; 2 -- its contacts.

    Only ContactFileError may be raised, and a book that is read is written as the same bytes.
    """
    script = Script(data)
    kind = script.number() % 3
    match kind:
        case 0:
            file = script.rest
        case 1:
            file = sealed_contacts(script.rest)
        case _:
            file = sealed_contacts(len(script.rest).to_bytes(4) + script.rest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contact_file_module, "read_private", lambda *_: file)
        patch.setattr(ContactFile, "_is_missing", lambda _: False)
        try:
            book = ContactFile(NOWHERE, person("alice")).read()
        except ContactFileError:
            return
    again = book.to_bytes()
    assert kind == 0 or again in script.rest
    for contact in ContactBook.from_bytes(again).contacts:
        assert book.get(contact.name) == contact
        assert book.of(contact.identity) == contact


def configuration(data: bytes) -> None:
    """Only CliError with the code for wrong usage may be raised, in words that can be shown."""
    values: dict[str, Any]
    try:
        values = parsed(data, "config.toml")
    except CliError as error:
        complaint, code = str(error), error.code
        values = {}
    else:
        complaint, code = "", Exit.USAGE
    assert code is Exit.USAGE
    assert clean(complaint) == complaint
    for key, value in values.items():
        assert SETTINGS[key].check(value) == value
