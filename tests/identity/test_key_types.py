"""What stands for one kind of key or secret is never read as another kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from e2ee import E2EEError, Identity, ProtocolError, Session
from e2ee.backup import backup_phrase, restore
from e2ee.contact_file import ContactFile
from e2ee.conversation_file import ConversationFile
from e2ee.errors import InvalidPublicKey
from e2ee.ids import decode_bech32m, decode_id
from e2ee.invitation import Link, SpokenCode
from e2ee.opening import KnownDevice
from e2ee.primitives import DHS, MlKem768
from e2ee.safety_number import SafetyNumber

Figure = Callable[[str], None]

ALICE, BOB = Identity.generate(), Identity.generate()
NUMBER = SafetyNumber(ALICE.public_key, BOB.public_key)

LOCK = "the right passphrase"
TEXTS = {
    "id": BOB.id,
    "link": Link(BOB.public_key, bytes(range(32)), 2**40, [("localhost", 1)]).text,
    "code": "4-acrobat-velcro-sugar",
    "backup": " ".join(backup_phrase(BOB)),
    "safety number": NUMBER.qr_text,
    "safety words": " ".join(NUMBER.words),
    "safety digits": NUMBER.digits,
}
TEXT_PARSERS: dict[str, Callable[[str], object]] = {
    "id": decode_id,
    "link": Link.parse,
    "code": SpokenCode.parse,
    "backup": lambda text: restore(text.split()),
    "safety number": lambda text: decode_bech32m("safety", text),
}


@pytest.mark.attack(11)
def test_each_parser_of_texts_takes_its_own_kind_only(figure: Figure) -> None:
    refused = 0
    for kind, parse in TEXT_PARSERS.items():
        for other, text in TEXTS.items():
            if kind == other:
                parse(text)
                continue
            with pytest.raises(E2EEError):
                parse(text)
            refused += 1
    figure(f"kinds of texts: {refused} of {refused} wrong pairs of text and parser refused")


@pytest.mark.attack(11, 12)
def test_each_reader_of_files_takes_its_own_kind_only(tmp_path: Path, figure: Figure) -> None:
    """All are Bob's, and under his keys."""
    BOB.save(tmp_path / "identity")
    BOB.save(tmp_path / "locked identity", passphrase=LOCK)
    with ContactFile(tmp_path / "contacts", BOB).update():
        pass
    conversations = ConversationFile(tmp_path / "conversations", BOB)
    with conversations.journal(ALICE.public_key):
        pass
    conversations.close()
    readers: dict[str, Callable[[Path], object]] = {
        "identity": Identity.load,
        "locked identity": lambda path: Identity.load(path, LOCK),
        "contacts": lambda path: ContactFile(path, BOB).read(),
        "conversations": lambda path: list(ConversationFile(path, BOB).history(ALICE.public_key)),
    }
    refused = 0
    for kind, read in readers.items():
        for other in readers:
            if kind == other:
                read(tmp_path / other)
            # A passphrase too many is not asked for, and harms nothing.
            elif (kind, other) != ("locked identity", "identity"):
                with pytest.raises(E2EEError):
                    read(tmp_path / other)
                refused += 1
    figure(f"kinds of files: {refused} of {refused} wrong pairs of file and reader refused")


@pytest.mark.attack(11)
def test_a_public_key_of_another_kind_is_refused_or_leads_to_nobody(figure: Figure) -> None:
    """Ed25519 and X25519 keys are both 32 bytes: what takes one for the other fails its tag."""
    device_key = BOB.device_key.public_key().public_bytes_raw()
    kem_key = MlKem768().generate()[1]
    tried = 0
    for dh in DHS.values():
        for key in {ALICE.public_key, device_key, kem_key}:
            if len(key) != dh.length:
                with pytest.raises(E2EEError):
                    dh.load_public(key)
                tried += 1
    for key in (ALICE.public_key, device_key):
        with pytest.raises(InvalidPublicKey):
            MlKem768().encapsulate(key)
        tried += 1
    alice = Session.initiator(ALICE, device=KnownDevice(BOB.public_key, 1), expected_peer=BOB.id)
    bob = Session.responder(BOB, suites=(), admit=lambda _peer, _number: True)
    with pytest.raises(ProtocolError):
        bob.receive_data(alice.data_to_send())
    figure(f"kinds of keys: {tried + 1} of {tried + 1} keys of another kind refused")
