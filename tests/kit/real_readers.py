"""What the package makes of a case that is one text, one message or one file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from e2ee import Identity, errors
from e2ee.backup import restore
from e2ee.contact_file import ContactFile
from e2ee.file_messages import decode_file_message
from e2ee.ids import decode_id
from e2ee.invitation import Link, SpokenCode
from e2ee.messages import Unsupported, decode_chat
from e2ee.pipe_messages import decode_pipe
from e2ee.safety_number import SafetyNumber

from .case import Case
from .real_core import identity


def _text(case: Case) -> str:
    return case.octets("input").decode()


def _id(case: Case) -> str:
    return decode_id(_text(case)).hex()


def _link(case: Case) -> str:
    link = Link.parse(_text(case))
    keys = f"{link.identity_key.hex()} {link.lookup_id.hex()} {link.psk.hex()}"
    where = " ".join(f"{host} {port}" for host, port in link.addresses)
    return f"{keys} {link.expires} {where}"


def _code(case: Case) -> str:
    code = SpokenCode.parse(_text(case))
    return f"{code.number} {code.password.decode()}"


def _safety_number(case: Case) -> str:
    number = SafetyNumber(case.octets("own"), case.octets("other"))
    return "same" if number.matches(_text(case)) else "different"


def _backup(case: Case) -> str:
    return restore(_text(case).split()).use_seed(bytes.hex)


def _chat_message(case: Case) -> str:
    message = decode_chat(case.octets("input"))
    return f"unsupported {message.kind}" if isinstance(message, Unsupported) else message.kind


def _file_message(case: Case) -> str:
    return decode_file_message(case.octets("input")).kind


def _pipe_message(case: Case) -> str:
    message = decode_pipe(case.octets("input"))
    return "data" if isinstance(message, memoryview) else message.kind


def _with_file(case: Case, read: Callable[[Path], str]) -> str:
    """What is read from a file of its own, with the mode of the case."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(case.octets("input"))
        path.chmod(int(case.get("mode") or "0600", 8))
        return read(path)


def _identity_file(case: Case) -> str:
    passphrase = case.get("passphrase")

    def read(path: Path) -> str:
        given = None if passphrase is None else bytes.fromhex(passphrase).decode()
        loaded = Identity.load(path, given)
        device_key = loaded.device_key.public_key().public_bytes_raw()
        return f"{loaded.public_key.hex()} {device_key.hex()}"

    return _with_file(case, read)


def _contact_file(case: Case) -> str:
    def read(path: Path) -> str:
        book = ContactFile(path, identity(case)).read()
        return " ".join(contact.identity.hex() for contact in book.contacts)

    return _with_file(case, read)


READERS: dict[str, Callable[[Case], str]] = {
    "id": _id,
    "link": _link,
    "code": _code,
    "safety-number": _safety_number,
    "backup": _backup,
    "chat-message": _chat_message,
    "file-message": _file_message,
    "pipe-message": _pipe_message,
    "identity-file": _identity_file,
    "contact-file": _contact_file,
}

NAMES: dict[type[errors.E2EEError], str] = {
    errors.InvalidId: "invalid",
    errors.InvalidInvitation: "invalid",
    errors.InvalidBackup: "invalid",
    errors.UsageError: "invalid",
    errors.IdentityFileError: "unusable-file",
    errors.IdentityLocked: "locked",
    errors.WrongPassphrase: "wrong-passphrase",
    errors.ContactFileError: "unusable-file",
    errors.MalformedMessage: "malformed",
    errors.UnexpectedMessage: "unexpected",
}


def read(case: Case) -> tuple[str, str]:
    """``valid`` and what is in it, or ``fail`` and the error's name in README.md."""
    try:
        return "valid", READERS[case["kind"]](case)
    except errors.E2EEError as error:
        return "fail", NAMES[type(error)]
