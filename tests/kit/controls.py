"""Cases of control messages, key updates, refreshes and closes: SPEC.md sections 9.5 to 9.9."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator

from .case import Case
from .keys import LOW_ORDER_U, point, unreduced
from .records import opened
from .second_client import Draws, second
from .stage import Change, GivenKem, LowOrder, Stage, flipped

CLASSICAL, HYBRID = 0x0003, 0x0001
Draw = Callable[[Draws], None]
Prepare = Callable[[Stage], bytes]


def cases() -> Iterator[Case]:
    yield from _forms()
    yield from _key_updates()
    yield from _refreshes()
    yield from _closes()


# 9.5, and the one form of section 6.


_FORMS: dict[str, bytes] = {
    "empty": b"",
    "a_blank": b" ",
    "null": b"null",
    "a_string": b'"ping"',
    "a_number": b"7",
    "a_list": b'[{"kind":"ping"}]',
    "no_member": b"{}",
    "no_kind": b'{"message":"AA=="}',
    "unknown_kind": b'{"kind":"hello"}',
    "kind_is_empty": b'{"kind":""}',
    "kind_in_capitals": b'{"kind":"PING"}',
    "kind_is_a_number": b'{"kind":1}',
    "kind_is_null": b'{"kind":null}',
    "kind_is_a_list": b'{"kind":["ping"]}',
    "kind_with_nul": b'{"kind":"ping\\u0000"}',
    "kind_with_an_escape": b'{"kind":"p\\u0069ng"}',
    "kind_twice_alike": b'{"kind":"ping","kind":"ping"}',
    "kind_twice": b'{"kind":"close","kind":"ping"}',
    "member_more": b'{"kind":"ping","a":1}',
    "member_before": b'{"a":1,"kind":"ping"}',
    "blank_in_front": b' {"kind":"ping"}',
    "blank_within": b'{"kind": "ping"}',
    "blank_behind": b'{"kind":"ping"} ',
    "newline_behind": b'{"kind":"ping"}\n',
    "nul_behind": b'{"kind":"ping"}\0',
    "byte_order_mark": b'\xef\xbb\xbf{"kind":"ping"}',
    "comma_behind": b'{"kind":"ping",}',
    "two_objects": b'{"kind":"ping"}{"kind":"pong"}',
    "cut": b'{"kind":"ping"',
    "single_quotes": b"{'kind':'ping'}",
    "comment": b'{"kind":"ping"/**/}',
    "utf_16": '{"kind":"ping"}'.encode("utf-16-le"),
    "not_utf_8": b'{"kind":"ping","\xff":1}',
    "overlong": b'{"kind":"\xc1\xb0ing"}',
    "surrogate": b'{"kind":"\xed\xa0\x80"}',
    "lone_surrogate_as_an_escape": b'{"kind":"\\ud800"}',
    "deep_lists": b"[" * 30_000,
    "deep_objects": b'{"kind":' * 5_000,
    "huge_integer": b'{"kind":' + b"9" * 20_000 + b"}",
    "offer_without_message": b'{"kind":"refresh_offer"}',
    "offer_message_empty": b'{"kind":"refresh_offer","message":""}',
    "offer_message_null": b'{"kind":"refresh_offer","message":null}',
    "offer_message_without_padding": b'{"kind":"refresh_offer","message":"AA"}',
    "offer_message_with_trailing_bits": b'{"kind":"refresh_offer","message":"AB=="}',
    "offer_message_in_the_other_alphabet": b'{"kind":"refresh_offer","message":"+/+/"}',
    "offer_message_of_4097": b'{"kind":"refresh_offer","message":"'
    + second.b64(bytes(4097)).encode()
    + b'"}',
    "offer_members_in_another_order": b'{"message":"AA==","kind":"refresh_offer"}',
    "answer_without_message": b'{"kind":"refresh_answer"}',
    "switch_with_message": b'{"kind":"refresh_switch","message":"AA=="}',
    "close_with_reason": b'{"kind":"close","reason":"left"}',
    "key_update_with_key": b'{"kind":"key_update","key":"AA=="}',
}


def _forms() -> Iterator[Case]:
    for number, (name, content) in enumerate(_FORMS.items()):
        stage = opened("initiator" if number % 2 else "responder")
        stage.give(stage.control(content), fail="malformed")
        yield stage.finished(f"control/{name}", "Not the one form of any control message.", "9.5")
    stage = opened()
    half = len(b'{"kind":"ping"}') // 2
    first = stage.control(b'{"kind":"ping"}'[:half])
    stage.give(first, fail="malformed")
    yield stage.finished("control/in_two_records", "Half a control message.", "9.5")
    stage = opened()
    stage.give(stage.control(b'{"kind":"pong"}{"kind":"pong"}'), fail="malformed")
    yield stage.finished("control/two_in_a_record", "A record holds exactly one.", "9.5")
    for role in ("initiator", "responder"):
        stage = opened(role)
        stage.give(stage.control(b'{"kind":"ping"}') + stage.control(b'{"kind":"ping"}'))
        stage.give(stage.control(b'{"kind":"pong"}'))
        stage.call("ping")
        yield stage.finished(
            f"valid/control_ping_{role}", "One pong for all pings that came before it.", "9.5"
        )


# 9.6


def _key_updates() -> Iterator[Case]:
    for role in ("initiator", "responder"):
        stage = opened(role)
        for word in (b"before", b"between", b"after"):
            stage.peer.send(word)
            stage.peer.update_key()
            stage.give()
            stage.call("send", word.hex())
            stage.call("update-key")
        stage.peer.send(b"last")
        stage.give()
        yield stage.finished(
            f"valid/key_update_{role}", "Each direction updates its key by itself.", "9.6"
        )
        stage = opened(role)
        aead = stage.peer.sending.aead
        stage.peer.update_key()
        stage.give()
        stage.peer.sending.aead = aead
        stage.give(stage.message(b"old key"), fail="decryption-failed")
        yield stage.finished(
            f"key_update/not_done_{role}", "It is announced, and the old key used on.", "9.6"
        )
        stage = opened(role)
        stage.peer.update_key()
        stage.peer.sending.n = 0
        stage.give(stage.take() + stage.message(b"0"), fail="decryption-failed")
        yield stage.finished(
            f"key_update/counter_begins_anew_{role}", "The counter has to go on.", "9.6"
        )
        stage = opened(role)
        stage.peer.update_key()
        announced = stage.take()
        stage.give(announced)
        stage.give(announced, fail="decryption-failed")
        yield stage.finished(f"key_update/replayed_{role}", "The same key update twice.", "9.6")


# 9.7


def _refreshes() -> Iterator[Case]:
    for suite, name in ((CLASSICAL, "classical"), (HYBRID, "hybrid")):
        for role in ("initiator", "responder"):
            yield from _valid_refreshes(role, suite, name)
            yield from _bad_refreshes(role, suite, name)
    yield from _bad_keys()


def _valid_refreshes(role: str, suite: int, name: str) -> Iterator[Case]:
    stage = opened(role, suite)
    stage.peer.refresh()
    stage.give()
    stage.call("send", b"under the new key".hex())
    stage.give()
    stage.peer.send(b"under the new key too")
    stage.give()
    yield stage.finished(f"valid/refresh_by_the_peer_{name}_{role}", "A refresh.", "9.7")
    stage = opened(role, suite)
    stage.call("refresh")
    stage.give()
    stage.call("send", b"under the new key".hex())
    stage.peer.send(b"under the new key too")
    stage.give()
    yield stage.finished(f"valid/refresh_by_this_side_{name}_{role}", "A refresh.", "9.7")
    stage = opened(role, suite)
    stage.peer.refresh()
    offer = stage.take()
    stage.call("refresh")
    answer = stage.take()
    stage.give(offer)
    if answer or stage.peer.out:
        stage.give(answer + stage.take())
    stage.call("send", b"after it".hex())
    stage.peer.send(b"after it")
    stage.give()
    yield stage.finished(
        f"valid/refresh_by_both_{name}_{role}",
        "Both offer, and the offer of the session's initiator stands.",
        "9.7",
    )


def _with_message(stage: Stage, kind: str, message: bytes) -> bytes:
    text = second.b64(message).encode()
    return stage.control(b'{"kind":"' + kind.encode() + b'","message":"' + text + b'"}')


def _offer(stage: Stage, payload: bytes = b"") -> bytes:
    """The Noise message of an offer of the peer."""
    stage.peer.offer = stage.peer._refresh_handshake(initiator=True)
    message: bytes = stage.peer.offer.write(payload)
    return message


def _answer(stage: Stage, payload: bytes = b"", draw: Draw = lambda _: None) -> bytes:
    """The Noise message of the peer's answer to an offer that the side under test makes now."""
    stage.hears = False
    stage.call("refresh")
    _, content = second.open_plaintext(stage.peer.receiving.decrypt(b"", stage.sent[2:]))
    offered = base64.urlsafe_b64decode(json.loads(content)["message"])
    draw(stage.peer.draws)
    handshake = stage.peer._refresh_handshake(initiator=False)
    handshake.read(offered)
    message: bytes = handshake.write(payload)
    return message


def _bad_refreshes(role: str, suite: int, name: str) -> Iterator[Case]:
    def made(what: str, about: str, stage: Stage) -> Case:
        return stage.finished(f"refresh/{what}_{name}_{role}", about, "9.7")

    def refused(what: str, about: str, prepare: Prepare, fail: str) -> Case:
        stage = opened(role, suite)
        stage.give(prepare(stage), fail=fail)
        return made(what, about, stage)

    for what, (about, prepare, fail) in _OUT_OF_ORDER.items():
        yield refused(what, about, prepare, fail)
    if role == "initiator":
        yield refused(
            "second_crossing_offer",
            "One offer that crosses ours is ignored, and no more.",
            _crossing_twice,
            "unexpected",
        )
    else:
        yield refused(
            "answer_to_a_dropped_offer",
            "Our offer was dropped for the initiator's, and is answered all the same.",
            _answer_to_dropped,
            "unexpected",
        )
    for kind in ("refresh_offer", "refresh_answer"):
        what = kind[8:]
        for field, at in _places(suite, kind).items():
            yield refused(
                f"{what}_{field}_changed",
                f"One bit of {field} is another.",
                _spoilt(kind, _flipping(at)),
                "decryption-failed",
            )
        yield refused(
            f"{what}_one_byte_less",
            "The Noise message is shorter than it can be.",
            _spoilt(kind, lambda message: message[:-1]),
            "bad-length",
        )
        yield refused(
            f"{what}_one_byte_more",
            "A byte follows the Noise message.",
            _spoilt(kind, lambda message: message + b"\0"),
            "decryption-failed",
        )
        yield refused(
            f"{what}_with_payload",
            "The payload of a refresh is empty.",
            _spoilt(kind, lambda message: message, b"x"),
            "unexpected",
        )
        yield refused(
            f"{what}_of_zeros",
            "All zero.",
            _spoilt(kind, lambda message: bytes(len(message))),
            "bad-key" if kind == "refresh_answer" else "decryption-failed",
        )
    yield refused(
        "offer_of_another_session",
        "The offer was made for another epoch's hash and secret.",
        _of_another_epoch,
        "decryption-failed",
    )
    yield refused(
        "answer_is_our_offer",
        "Our offer comes back as the answer.",
        _reflected_offer,
        "decryption-failed",
    )


def _flipping(at: int) -> Change:
    return lambda message: flipped(message, at)


def _spoilt(kind: str, change: Change, payload: bytes = b"") -> Prepare:
    """An offer or an answer whose Noise message is changed in its record."""
    make = _offer if kind == "refresh_offer" else _answer
    return lambda stage: _with_message(stage, kind, change(make(stage, payload)))


def _of_another_epoch(stage: Stage) -> bytes:
    stage.peer.epoch = bytes(32), stage.peer.epoch[1]
    return _with_message(stage, "refresh_offer", _offer(stage))


def _reflected_offer(stage: Stage) -> bytes:
    stage.hears = False
    stage.call("refresh")
    _, content = second.open_plaintext(stage.peer.receiving.decrypt(b"", stage.sent[2:]))
    return stage.control(content.replace(b"refresh_offer", b"refresh_answer"))


def _places(suite: int, kind: str) -> dict[str, int]:
    """Where each field of the Noise message ends."""
    if suite == CLASSICAL:
        return {"e": 31, "tag": 47}
    if kind == "refresh_offer":
        return {"e": 31, "e1": 1215, "e1_tag": 1231, "tag": 1247}
    return {"e": 31, "kem_ciphertext": 1119, "kem_tag": 1135, "tag": 1151}


def _deaf_after_offer(stage: Stage) -> None:
    """The side under test has answered, and the peer has not heard it."""
    stage.hears = False
    stage.give(_with_message(stage, "refresh_offer", _offer(stage)))


def _after_offer(kind: str) -> Prepare:
    def prepare(stage: Stage) -> bytes:
        _deaf_after_offer(stage)
        if kind == "refresh_switch":
            return stage.control(b'{"kind":"refresh_switch"}')
        return _with_message(stage, kind, bytes(48))

    return prepare


def _unasked(kind: str) -> Prepare:
    def prepare(stage: Stage) -> bytes:
        stage.peer.control(kind, **({"message": bytes(48)} if kind != "refresh_switch" else {}))
        return stage.take()

    return prepare


def _switch_to_an_offer(stage: Stage) -> bytes:
    stage.hears = False
    stage.call("refresh")
    return stage.control(b'{"kind":"refresh_switch"}')


def _switch_left_out(stage: Stage) -> bytes:
    stage.peer.refresh()
    stage.give()
    stage.take()
    return stage.message(b"under the new key")


def _switch_twice(stage: Stage) -> bytes:
    stage.peer.refresh()
    stage.give()
    stage.give()
    return stage.control(b'{"kind":"refresh_switch"}')


def _old_key_after_switch(stage: Stage) -> bytes:
    stage.peer.refresh()
    old = stage.peer.sending
    stage.give()
    stage.give()
    stage.peer.sending = old
    return stage.message(b"under the old key")


def _old_key_after_answer(stage: Stage) -> bytes:
    old = stage.peer.sending
    stage.call("refresh")
    stage.give()
    stage.peer.sending = old
    return stage.message(b"under the old key")


def _answer_twice(stage: Stage) -> bytes:
    stage.call("refresh")
    stage.give()
    return _with_message(stage, "refresh_answer", bytes(48))


def _crossing_twice(stage: Stage) -> bytes:
    stage.hears = False
    stage.call("refresh")
    stage.give(_with_message(stage, "refresh_offer", b"not looked into"))
    return _with_message(stage, "refresh_offer", b"not looked into")


def _answer_to_dropped(stage: Stage) -> bytes:
    stage.hears = False
    stage.call("refresh")
    stage.give(_with_message(stage, "refresh_offer", _offer(stage)))
    return _with_message(stage, "refresh_answer", bytes(48))


def _switch_after_our_close(stage: Stage) -> bytes:
    stage.hears = False
    stage.call("close")
    stage.give(_with_message(stage, "refresh_offer", _offer(stage)))
    return stage.control(b'{"kind":"refresh_switch"}')


_OUT_OF_ORDER: dict[str, tuple[str, Prepare, str]] = {
    "answer_without_offer": ("Nothing was offered.", _unasked("refresh_answer"), "unexpected"),
    "switch_without_offer": ("Nothing was offered.", _unasked("refresh_switch"), "unexpected"),
    "offer_after_offer": ("A switch is due.", _after_offer("refresh_offer"), "unexpected"),
    "answer_after_offer": ("A switch is due.", _after_offer("refresh_answer"), "unexpected"),
    "switch_to_an_offer": ("An answer is due.", _switch_to_an_offer, "unexpected"),
    "switch_left_out": (
        "The new key is used, and was not switched to.",
        _switch_left_out,
        "decryption-failed",
    ),
    "switch_twice": ("A second switch, under the new key.", _switch_twice, "unexpected"),
    "old_key_after_switch": (
        "A record after the switch, under the key before it.",
        _old_key_after_switch,
        "decryption-failed",
    ),
    "old_key_after_answer": (
        "A record after the answer, under the key before it.",
        _old_key_after_answer,
        "decryption-failed",
    ),
    "answer_twice": ("A second answer, under the new key.", _answer_twice, "unexpected"),
    "switch_after_our_close": (
        "After our close an offer is ignored, so that a switch has no place.",
        _switch_after_our_close,
        "unexpected",
    ),
}


def _bad_keys() -> Iterator[Case]:
    for role in ("initiator", "responder"):
        for name in ("0", "order_8_first", "p_minus_1"):
            key = LowOrder(point(LOW_ORDER_U[name]))
            stage = opened(role)
            stage.peer.draws.ephemerals[0] = key
            offer = _with_message(stage, "refresh_offer", _offer(stage))
            stage.give(offer, fail="bad-key")
            yield stage.finished(f"refresh/offer_low_order_{name}_{role}", "ee is all zero.", "9.7")
            stage = opened(role)
            stage.peer.draws.ephemerals[0] = key
            answer = _answer(stage)
            stage.give(_with_message(stage, "refresh_answer", answer), fail="bad-key")
            yield stage.finished(
                f"refresh/answer_low_order_{name}_{role}", "ee is all zero.", "9.7"
            )
        stage = opened(role, HYBRID)
        stage.peer.draws.kems[0] = GivenKem(unreduced(3, 3329))
        stage.give(_with_message(stage, "refresh_offer", _offer(stage)), fail="bad-key")
        yield stage.finished(
            f"refresh/offer_ml_kem_not_reduced_{role}",
            "A coefficient of the ML-KEM public key is not reduced modulo 3,329.",
            "9.7",
        )
        stage = opened(role, HYBRID)
        answer = _answer(stage, draw=_junk_ciphertext)
        stage.give(_with_message(stage, "refresh_answer", answer), fail="decryption-failed")
        yield stage.finished(
            f"refresh/answer_ml_kem_junk_{role}", "The ciphertext holds another secret.", "9.7"
        )


def _junk_ciphertext(draws: Draws) -> None:
    shared, sealed = draws.encapsulations[0]
    draws.encapsulations[0] = shared, flipped(sealed, 100)


# 9.9


_AFTER_CLOSE: dict[str, Prepare] = {
    "byte": lambda _: b"\0",
    "message": lambda stage: stage.message(b"one more"),
    "close": lambda stage: stage.control(b'{"kind":"close"}'),
    "ping": lambda stage: stage.control(b'{"kind":"ping"}'),
    "empty_record": lambda stage: stage.data(b""),
}


def _closes() -> Iterator[Case]:
    for role in ("initiator", "responder"):
        for name, content in {
            "in_a_length": b"\0",
            "after_a_length": b"\0\0\0\1",
            "in_a_message": b"\0\0\0\5hell",
            "after_one_message_in_another": b"\0\0\0\1a\0\0\0\2b",
        }.items():
            stage = opened(role)
            stage.give(stage.data(content) + stage.control(b'{"kind":"close"}'), fail="unexpected")
            yield stage.finished(f"close/{name}_{role}", "A close within a message.", "9.9")
        for name, after in _AFTER_CLOSE.items():
            stage = opened(role)
            stage.give(stage.control(b'{"kind":"close"}'))
            stage.give(after(stage), fail="unexpected")
            yield stage.finished(
                f"close/{name}_after_close_{role}", "A byte after a peer's close.", "9.9"
            )
        stage = opened(role)
        stage.end("truncated")
        yield stage.finished(f"close/eof_without_close_{role}", "The stream is cut.", "9.9")
        stage = opened(role)
        stage.call("close")
        stage.end("truncated")
        yield stage.finished(f"close/eof_after_our_close_{role}", "Our close is not theirs.", "9.9")
        stage = opened(role)
        stage.give(stage.message(b"whole") + stage.data(b"\0\0\0\5hal"))
        stage.end("truncated")
        yield stage.finished(f"close/eof_in_a_message_{role}", "Half a message.", "9.9")
        stage = opened(role)
        stage.call("refresh")
        stage.end("truncated")
        yield stage.finished(f"close/eof_after_our_offer_{role}", "No answer comes.", "9.9")
        stage = opened(role)
        _deaf_after_offer(stage)
        stage.end("truncated")
        yield stage.finished(f"close/eof_after_our_answer_{role}", "No switch comes.", "9.9")
        stage = opened(role)
        stage.hears = False
        stage.call("close")
        stage.give(stage.message(b"still heard"))
        stage.give(stage.control(b'{"kind":"ping"}'))
        stage.give(stage.control(b'{"kind":"close"}'))
        stage.end()
        yield stage.finished(
            f"valid/close_by_this_side_first_{role}",
            "After our close we hear on, and send nothing, not even a pong.",
            "9.9",
        )
