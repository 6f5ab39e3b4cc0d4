"""Cases of the handshake in each opening: SPEC.md sections 3 and 4.2 to 4.6."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from .case import Case
from .second_client import CODE, KNOWN, LINK, second
from .stage import (
    ADDRESSES,
    DAY,
    NOW,
    PEER,
    SPOKEN,
    STRANGER,
    TESTED,
    Person,
    Stage,
    flipped,
    secret,
)

OPENINGS = {
    "meeting": 0x0001,
    "chacha": 0x0002,
    "classical": 0x0003,
    "known": KNOWN,
    "link": LINK,
    "code": CODE,
}
SECTIONS = {"known": "4.3", "link": "4.4", "code": "4.5"}
Fields = dict[str, int]

_PAYLOAD = {"payload": 512, "payload_tag": 16}
_STATIC = {"s": 32, "s_tag": 16}
_ANSWER = {"answer": 8}
_M1_IN_CLEAR = {"e": 32, "e1": 1184}
_M1_PSK = {"e": 32, "e1": 1184, "e1_tag": 16, "payload_tag": 16}
_M1_KNOWN = {"e": 32, "e1": 1184, "e1_tag": 16, **_STATIC, **_PAYLOAD}
_KEM = {"kem_ciphertext": 1088, "kem_tag": 16}
_M2 = {"e": 32, **_KEM, **_STATIC, **_PAYLOAD}
_M2_KNOWN = {"e": 32, **_KEM, **_PAYLOAD}
_M2_CLASSICAL = {"e": 32, **_STATIC, **_PAYLOAD}
_M3 = {**_STATIC, **_PAYLOAD}
_CONFIRMATION = {"confirmation": 32}

FLIGHTS: dict[tuple[str, str], list[tuple[str, Fields]]] = {
    ("meeting", "initiator"): [("message_2", _ANSWER | _M2)],
    ("meeting", "responder"): [
        ("message_1", {"hello": 8, **_M1_IN_CLEAR}),
        ("message_3", _M3),
    ],
    ("chacha", "initiator"): [("message_2", _ANSWER | _M2)],
    ("chacha", "responder"): [
        ("message_1", {"hello": 8, **_M1_IN_CLEAR}),
        ("message_3", _M3),
    ],
    ("classical", "initiator"): [("message_2", _ANSWER | _M2_CLASSICAL)],
    ("classical", "responder"): [("message_1", {"hello": 8, "e": 32}), ("message_3", _M3)],
    ("known", "initiator"): [("message_2", _ANSWER | _M2_KNOWN)],
    ("known", "responder"): [
        ("message_1", {"hello": 8, **_M1_KNOWN}),
        ("confirmation", _CONFIRMATION),
    ],
    ("link", "initiator"): [("message_2", _ANSWER | _M2), ("confirmation", _CONFIRMATION)],
    ("link", "responder"): [
        ("message_1", {"hello": 8, "lookup_id": 16, **_M1_PSK}),
        ("message_3", _M3),
    ],
    ("code", "initiator"): [
        ("share", _ANSWER | {"share": 32, "commitment": 32}),
        ("message_2", _M2),
        ("confirmation", _CONFIRMATION),
    ],
    ("code", "responder"): [
        ("share", {"hello": 8, "sid": 16, "number": 2, "share": 32, "commitment": 32}),
        ("message_1", _M1_PSK),
        ("message_3", _M3),
    ],
}
"""What the side under test receives in each opening, flight by flight."""

NOT_AUTHENTICATED_YET = {
    ("meeting", "message_1"),
    ("chacha", "message_1"),
    ("classical", "message_1"),
}
"""A change in these is noticed by the other side, and tells this one nothing but silence."""


def cases() -> Iterator[Case]:
    yield from _valid()
    for (opening, role), flights in FLIGHTS.items():
        for number, (flight, fields) in enumerate(flights):
            yield from _changed(opening, role, number, flight, fields)
            yield from _cut_or_longer(opening, role, number)
    yield from _replayed_and_reflected()
    yield from _without_the_secret()
    yield from _admission()
    yield from _somebody_else()


def section(opening: str) -> str:
    return SECTIONS.get(opening, "4.2")


def _valid() -> Iterator[Case]:
    for opening, suite in OPENINGS.items():
        for role in ("initiator", "responder"):
            stage = Stage(role, suite).open()
            stage.call("send", b"hello".hex())
            stage.peer.send(b"hello yourself")
            stage.give()
            stage.call("close")
            stage.give()
            stage.end()
            yield stage.finished(
                f"valid/{opening}_{role}",
                "An opening, a message each way, and both closes.",
                section(opening),
            )


def _failure(opening: str, role: str, flight: str, field: str) -> str:
    """What comes of a changed field."""
    if field in ("lookup_id", "number"):
        return "invitation-refused"
    if opening == "code" and (role == "initiator" or flight != "message_3"):
        return "new-code-needed"
    return "breach" if field == "confirmation" else "decryption-failed"


def _changed(opening: str, role: str, number: int, flight: str, fields: Fields) -> Iterator[Case]:
    if (opening, flight) in NOT_AUTHENTICATED_YET:
        return
    at = 0
    for field, size in fields.items():
        if field not in ("hello", "answer") and not (opening == "chacha" and "tag" not in field):
            stage = Stage(role, OPENINGS[opening])
            stage.flights(number)
            fail = _failure(opening, role, flight, field)
            data = flipped(stage.take(), at + size - 1, 3)
            if flight == "share" and field != "number":
                _until_the_first_tag(stage, data, role)
            else:
                stage.give(data, fail=fail)
            yield stage.finished(
                f"handshake/{opening}_{role}_{flight}_{field}_changed",
                f"One bit of {field} is another.",
                section(opening),
            )
        at += size


def _until_the_first_tag(stage: Stage, share: bytes, role: str) -> None:
    """A change in what CPace hashes shows in the first tag after it, on the other side or here."""
    stage.give(share)
    if role == "initiator":
        stage.end("new-code-needed")
    else:
        stage.give(fail="new-code-needed")


def _cut_or_longer(opening: str, role: str, number: int) -> Iterator[Case]:
    flights = FLIGHTS[opening, role]
    flight = flights[number][0]
    stage = Stage(role, OPENINGS[opening])
    stage.flights(number)
    stage.give(stage.take()[:-1])
    stage.end(_cut(opening, role, number))
    yield stage.finished(
        f"handshake/{opening}_{role}_{flight}_cut",
        "The last byte is missing, and then the stream ends.",
        section(opening),
    )
    stage = Stage(role, OPENINGS[opening])
    stage.flights(number)
    stage.give(stage.take() + b"\0")
    if number + 1 == len(flights):
        stage.end("truncated")
    else:
        after = flights[number + 1]
        stage.give(fail=_failure(opening, role, after[0], next(iter(after[1]))))
    yield stage.finished(
        f"handshake/{opening}_{role}_{flight}_longer",
        "A byte too many: it is read as the first byte of what follows.",
        section(opening),
    )


def _cut(opening: str, role: str, number: int) -> str:
    if role == "initiator" and opening == "link":
        return "invitation-refused"
    if role == "initiator" and opening == "code" and number > 0:
        return "new-code-needed"
    return "truncated"


def _replayed_and_reflected() -> Iterator[Case]:
    last = {"meeting": 1, "classical": 1, "known": 1, "link": 1, "code": 2}
    for opening, number in last.items():
        recorded = Stage("responder", OPENINGS[opening], fresh=True)
        flights = []
        while recorded.peer.out:
            flights.append(bytes(recorded.peer.out))
            recorded.give()
        stage = Stage("responder", OPENINGS[opening])
        for data in flights[:number]:
            stage.give(data)
        stage.give(flights[number], fail="breach" if opening == "known" else "decryption-failed")
        yield stage.finished(
            f"handshake/{opening}_responder_replayed",
            "What an initiator sent in another session, all of it: our ephemeral key is another.",
            "14",
        )
    for opening, suite in OPENINGS.items():
        stage = Stage("initiator", suite)
        stage.give(stage.sent, fail="breach")
        yield stage.finished(
            f"handshake/{opening}_initiator_reflected",
            "All that we send comes back; most of it is too short for an answer.",
            "4",
        )
    stage = Stage("initiator", CODE)
    own = stage.sent
    stage.give(own[:8] + own[26:], fail="bad-key")
    yield stage.finished(
        "handshake/code_initiator_own_share", "Our own share and commitment come back.", "7.5"
    )
    stage = Stage("initiator", CODE)
    own = stage.sent
    stage.give()
    stage.give(own[8:] + _junk(len(stage.take()) - len(own[8:])), fail="new-code-needed")
    yield stage.finished(
        "handshake/code_initiator_message_2_reflected",
        "Message 2 begins with the bytes that followed our hello.",
        "4.5",
    )


def _junk(size: int) -> bytes:
    return hashlib.shake_256(b"e2ee kit junk").digest(size)


class _OtherPsk(second.Link):  # type: ignore[misc]
    """A link whose psk its holder does not know, though its lookup id he does."""

    @property
    def psk(self) -> bytes:
        return secret("another psk")


def _without_the_secret() -> Iterator[Case]:
    for opening, suite in OPENINGS.items():
        number = 1 if opening == "code" else 0
        stage = Stage("initiator", suite)
        stage.flights(number)
        size = len(stage.take())
        answer = b"" if number else stage.peer.hello
        fail = "new-code-needed" if opening == "code" else "decryption-failed"
        stage.give(answer + _junk(size - len(answer)), fail=fail)
        yield stage.finished(
            f"handshake/{opening}_initiator_message_2_junk",
            "Somebody without any key answers with junk of the right length.",
            section(opening),
        )
    for name, prologue in (("empty", b""), ("another_suite", second.preamble(1, 0, 0x0003))):
        stage = Stage("initiator", 0x0001, prologue=prologue)
        stage.give(fail="decryption-failed")
        yield stage.finished(
            f"handshake/meeting_initiator_prologue_{name}",
            "The responder accepts, and its prologue is another.",
            "4.1",
        )
        stage = Stage("responder", KNOWN, prologue=prologue)
        stage.give(fail="decryption-failed")
        yield stage.finished(
            f"handshake/known_responder_prologue_{name}",
            "The initiator's prologue is another.",
            "4.1",
        )
    usual = Stage("responder", LINK).link
    other = _OtherPsk(usual.identity_key, usual.secret, usual.expires, usual.addresses)
    stage = Stage("responder", LINK, link=other)
    stage.give(fail="decryption-failed")
    yield stage.finished(
        "handshake/link_responder_psk",
        "The initiator knows the lookup id, which everybody can see, and not the psk.",
        "4.4",
    )
    stage = Stage("responder", LINK, settings={"pending-link": ""})
    stage.give(fail="invitation-refused")
    yield stage.finished(
        "handshake/link_responder_unknown", "No link is pending: used, or revoked.", "4.4"
    )
    for name, password in (
        ("words", b"acrobat-velcro-swim"),
        ("order", b"velcro-acrobat-sugar"),
        ("capital_letters", b"ACROBAT-velcro-sugar"),
        ("with_its_number", b"4-acrobat-velcro-sugar"),
        ("empty", b""),
    ):
        stage = Stage("responder", CODE, code=second.Code(4, password))
        stage.give()
        stage.give(fail="new-code-needed")
        yield stage.finished(
            f"handshake/code_responder_password_{name}",
            f"The initiator's password is {password.decode() or 'empty'!r}.",
            "4.5",
        )
    stage = Stage("responder", CODE, code=second.Code(5, b"acrobat-velcro-sugar"))
    stage.give(fail="invitation-refused")
    yield stage.finished("handshake/code_responder_number", "Another number.", "4.5")
    stage = Stage("initiator", CODE, code=second.Code(4, b"acrobat-velcro-swim"))
    stage.give()
    stage.end("new-code-needed")
    yield stage.finished(
        "handshake/code_initiator_password",
        f"The responder's words are others than those of {SPOKEN}: it closes.",
        "4.5",
    )


def _admission() -> Iterator[Case]:
    """Section 4.3: whom a responder admits, and what the others get."""
    peer = Person(PEER)
    contact = f"{peer.identity_key.hex()} {peer.static_key.hex()}"
    identity, device = contact.split()
    refused = {
        "no_contact": ("The caller is no contact.", {"contact": ""}),
        "another_contact": (
            "Somebody else is a contact.",
            {"contact": f"{Person(STRANGER).identity_key.hex()} {device} 0"},
        ),
        "blocked": ("The caller is blocked.", {"contact": f"{contact} 6", "blocked": identity}),
        "same_number": ("The number of the last call again.", {"contact": f"{contact} 7"}),
        "smaller_number": ("A number below the last one.", {"contact": f"{contact} 8"}),
        "largest_number_was_used": (
            "The device has used up its numbers.",
            {"contact": f"{contact} {2**53 - 1}"},
        ),
    }
    manners = {"mute": (KNOWN,), "meeting_too": (0x0001, KNOWN), "link_too": (LINK, KNOWN)}
    for name, (about, settings) in refused.items():
        for word, accepts in manners.items():
            stage = Stage("responder", KNOWN, accepts=accepts, settings=settings)
            stage.give(fail="not-admitted")
            yield stage.finished(f"handshake/known_responder_{name}_{word}", about, "4.3")
    for accepts, word in (((0x0001, KNOWN), "meeting_too"), ((0x0003, KNOWN), "classical_too")):
        stage = Stage("responder", KNOWN, accepts=accepts)
        stage.give(flipped(stage.take(), -1), fail="decryption-failed")
        yield stage.finished(
            f"handshake/known_responder_message_1_tag_{word}",
            "A message 1 that cannot be read is answered with a suite of a meeting.",
            "4.3",
        )
        late = {"now": str(NOW + 400 * DAY)}
        stage = Stage("responder", KNOWN, accepts=accepts, settings=late)
        stage.give(fail="bad-certificate")
        yield stage.finished(
            f"handshake/known_responder_expired_certificate_{word}",
            "The caller's certificate has expired, and whatever is wrong has one answer.",
            "4.3",
        )
        stage = Stage("responder", KNOWN, accepts=accepts, responder_static=secret("old device"))
        stage.give(fail="decryption-failed")
        yield stage.finished(
            f"handshake/known_responder_old_device_key_{word}",
            "The initiator knows a device key that is not ours any more.",
            "4.3",
        )
    for name, settings in (
        ("new_device", {"contact": identity}),
        ("second_device", {"contact": f"{identity} {secret('device 2').hex()} 90"}),
        ("largest_number", {"contact": f"{contact} {2**53 - 2}"}),
    ):
        number = 2**53 - 1 if name == "largest_number" else 7
        stage = Stage("responder", KNOWN, settings=settings, sequence=number).open()
        yield stage.finished(f"valid/known_responder_{name}", "The caller is admitted.", "4.3")


def _last_flight(opening: str, role: str) -> int:
    """The number of the flight with the peer's certificate."""
    if opening == "known":
        return 0
    flights = len(FLIGHTS[opening, role])
    return (
        flights - 1 if role == "responder" or opening in ("meeting", "classical") else flights - 2
    )


def _somebody_else() -> Iterator[Case]:
    stranger = Person(STRANGER)
    link = second.Link(stranger.identity_key, secret("link"), NOW + DAY, ADDRESSES)
    myself = Person(TESTED)
    for opening, role in FLIGHTS:
        if opening == "chacha":
            continue
        late = (opening, role) == ("code", "initiator")
        settings = {"expected-peer": stranger.identity_key.hex()}
        if (opening, role) == ("link", "initiator"):
            settings = {"link": link.text()}
        stage = Stage(role, OPENINGS[opening], settings=settings)
        stage.flights(_last_flight(opening, role))
        stage.give(fail="new-code-needed" if late else "wrong-peer")
        yield stage.finished(
            f"handshake/{opening}_{role}_wrong_peer",
            "The peer proves an identity, and another one was asked for.",
            "5",
        )
        contact = f"{myself.identity_key.hex()} {myself.static_key.hex()} 0"
        settings = {"contact": contact} if (opening, role) == ("known", "responder") else {}
        stage = Stage(role, OPENINGS[opening], settings=settings, me=myself)
        stage.flights(_last_flight(opening, role))
        stage.give(fail="new-code-needed" if late else "own-key")
        yield stage.finished(
            f"handshake/{opening}_{role}_own_key",
            "The peer proves our own device key, with our certificate.",
            "5",
        )
