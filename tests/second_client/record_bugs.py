"""Bugs behind the opening: in records, messages, controls, keys, refresh and close.

SPEC.md sections 9 and 10.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Self

from tests.second_client.bugs import (
    AFTER_CLOSE,
    BAD_LENGTH,
    BAD_PADDING,
    IN_A_MESSAGE,
    NO_ANSWER_HERE,
    NO_SWITCH_HERE,
    NOT_A_CONTROL,
    NOT_CANONICAL,
    TAG,
    TOLD,
    TOO_LARGE,
    TOO_SHORT,
    TRUNCATED,
    Answer,
    Bug,
    Instead,
    after,
    before,
    cut,
    given,
    no_offer_here,
    nothing,
    result,
    said,
    twice,
)
from tests.second_client.client import (
    CONTROL,
    DATA,
    MAX_CONTENT,
    CipherState,
    Client,
    Handshake,
    encode,
    hkdf,
)

# For which calls.


def in_record(_: CipherState, ad: bytes, plaintext: bytes) -> bool:
    return ad == b""


def message(text: bytes) -> Callable[..., bool]:
    """The record that ends with this message."""
    return lambda client, content_type, content: content_type == DATA and content.endswith(text)


def control(*kinds: str) -> Callable[..., bool]:
    return lambda client, kind, **members: kind in kinds


def of_refresh(_: Handshake, protocol: str, *args: Any, **options: Any) -> bool:
    return "NN" in protocol


def nth_of_refresh(n: int) -> Callable[..., bool]:
    return lambda handshake, payload: "psk" in handshake.pattern[0] and handshake.message == n - 1


# Records.


def counts(change: Callable[[int], int]) -> Instead:
    """The next nonce is another."""

    def instead(right: Instead, state: CipherState, ad: bytes, plaintext: bytes) -> Any:
        sealed = right(state, ad, plaintext)
        state.n = change(state.n)
        return sealed

    return instead


def begins_at(n: int) -> Instead:
    return before(lambda state, ad, plaintext: setattr(state, "n", n))


def nonce(pack: Callable[[int], bytes]) -> Instead:
    return lambda right, state, n: pack(n)


def puts(change: Callable[[bytes], bytes]) -> Instead:
    """What stands on the wire is made of the sealed text so."""
    return lambda right, client, sealed: client.out.extend(change(sealed))


def prefixed(number: Callable[[int], int], order: str = ">H") -> Instead:
    return puts(lambda sealed: struct.pack(order, number(len(sealed))) + sealed)


def seals(content_type: int, content: bytes) -> Callable[..., Any]:
    """Another record."""
    return lambda client, *args, **members: client._seal(content_type, content)


def sends(data: bytes) -> Callable[..., Any]:
    """Bytes that were not sealed."""
    return lambda client, *args, **members: client.out.extend(data)


def puts_half_and_no_more(right: Instead, client: Client, sealed: bytes) -> None:
    right(client, sealed)
    del client.out[-9:]
    client.out = Full(client.out)


class Full(bytearray):
    """Takes no more."""

    def __iadd__(self, data: object) -> Self:
        return self


def swaps_records(right: Instead, client: Client, data: bytes) -> None:
    """The record goes out behind the next one."""
    at = len(client.out)
    right(client, data)
    first = bytes(client.out[at:])
    del client.out[at:]
    right(client, b"after it")
    client.out += first


def repeats_bytes(right: Instead, client: Client, *args: Any) -> None:
    at = len(client.out)
    right(client, *args)
    client.out += client.out[at:]


def drops_bytes(right: Instead, client: Client, *args: Any) -> None:
    at = len(client.out)
    right(client, *args)
    del client.out[at:]


def returns_bytes(right: Instead, client: Client, data: bytes) -> Any:
    """What came is sent back."""
    client.out += data
    return right(client, data)


# Messages and controls.


def streams(change: Callable[[bytes], bytes]) -> Instead:
    """The stream of messages has this instead of length and message."""
    return lambda right, client, message: client.send_cut(change(message), MAX_CONTENT)


def interleaves(right: Instead, client: Client, message: bytes) -> None:
    stream = struct.pack(">I", len(message)) + message
    client.record(DATA, stream[:5])
    right(client, b"another")
    client.record(DATA, stream[5:])


def says(content: bytes) -> Instead:
    """Another content in the place of a control message."""
    return lambda right, client, kind, **members: client.record(CONTROL, content)


# Keys.


def without_rekey(right: Instead, client: Client) -> None:
    client._seal(CONTROL, encode(kind="key_update"))


def rekeys_first(right: Instead, client: Client) -> None:
    client.sending.rekey()
    client._seal(CONTROL, encode(kind="key_update"))


def rekeys_receiving(right: Instead, client: Client) -> None:
    client._seal(CONTROL, encode(kind="key_update"))
    client.receiving.rekey()


def rekeys(make: Callable[[CipherState], bytes]) -> Instead:
    return lambda right, state: state._set(make(state))


def resets_nonce(right: Instead, state: CipherState) -> None:
    right(state)
    state.n = 0


def seals_zeros(state: CipherState, n: int) -> bytes:
    return state.aead.encrypt(state._nonce(n), bytes(32), b"")


# Refresh.


def refreshes_with(**options: Callable[[Client], Any]) -> Instead:
    """The refresh handshake is begun with something else."""

    def instead(right: Instead, client: Client, initiator: bool) -> Handshake:
        usual: dict[str, Any] = {
            "protocol": client.refresh_protocol,
            "initiator": initiator,
            "prologue": b"e2ee refresh v1\0" + client.epoch[0],
            "psk": hkdf(client.epoch[0], client.epoch[1], b"e2ee refresh psk v1", 32),
        }
        changed = {name: value(client) for name, value in options.items()}
        return Handshake(**(usual | changed))

    return instead


def keeps_sending_key(right: Instead, client: Client, *args: Any) -> None:
    key = client.sending
    right(client, *args)
    client.sending = key


def keeps_epoch(right: Instead, client: Client, handshake: Handshake, first: bool) -> Any:
    epoch = client.epoch
    states = right(client, handshake, first)
    client.epoch = epoch
    return states


def keeps_counters(right: Instead, client: Client, handshake: Handshake, first: bool) -> Any:
    sending, receiving = right(client, handshake, first)
    sending.n = client.sending.n
    return sending, receiving


def takes_the_other_role(right: Instead, client: Client, handshake: Handshake, first: bool) -> Any:
    return right(client, handshake, not first)


def switches_early(right: Instead, client: Client, kind: str, data: bytes) -> None:
    """The new sending key comes before the switch."""
    sending, client.receiving = client._new_epoch(read(client, data), True)
    client.sending = sending
    client.control("refresh_switch")
    client._refresh_done()


def read(client: Client, data: bytes) -> Handshake:
    client.offer.read(data)
    return client.offer


def answers_under_new_key(right: Instead, client: Client, data: bytes) -> None:
    client.offer = client._refresh_handshake(initiator=False)
    client.offer.read(data)
    answer = client.offer.write(b"")
    client.sending, client.next_receiving = client._new_epoch(client.offer, False)
    client.control("refresh_answer", message=answer)
    client.refreshing = "ANSWERED"


def input_is(kind: str, *states: str) -> Callable[..., bool]:
    return lambda client, given, data: given == kind and client.refreshing in states


def answers_anyway(right: Instead, client: Client, kind: str, data: bytes) -> None:
    client.refreshing = "IDLE"
    right(client, kind, data)


def offers_again(client: Client, *args: Any) -> None:
    client.control("refresh_offer", message=client._refresh_handshake(initiator=True).write(b""))


def offers_and_switches(client: Client, kind: str) -> None:
    offers_again(client)
    client.control("refresh_switch")


SEALING, PUT, PLAINTEXT = "Client._seal", "Client._put", "Client._plaintext"
ENCRYPT, SEND, SAY = "CipherState.encrypt", "Client.send", "Client.control"
REKEY, UPDATE = "CipherState.rekey", "Client.update_key"
REFRESH, HANDSHAKE = "Client.refresh", "Client._refresh_handshake"
INPUT, ANSWER = "Client._refresh_input", "Client._refresh_answer"
EPOCH, CLOSE = "Client._new_epoch", "Client.close"
SECOND = message(b"second")

BUGS: dict[str, Bug] = {
    # Nonces.
    "records: the first nonce is 1": Bug(
        ENCRYPT, begins_at(1), {"M> H> X> M< H< X<": said(TAG, "opened")}, when=in_record, turn=1
    ),
    "records: the nonce is reused": Bug(
        ENCRYPT, counts(lambda n: n - 1), {"M> H> X> M< H< X<": said(TAG, "first")}, when=in_record
    ),
    "records: one nonce left out": Bug(
        ENCRYPT,
        counts(lambda n: n + 1),
        {"M> H> X> M< H< X<": said(TAG, "first")},
        when=in_record,
        turn=1,
    ),
    "records: the nonce counts bytes": Bug(
        ENCRYPT, counts(lambda n: n + 15), {"M> M<": said(TAG, "first")}, when=in_record
    ),
    "the nonce of AES-GCM little-endian": Bug(
        "CipherState._nonce",
        nonce(lambda n: bytes(4) + n.to_bytes(8, "little")),
        {"M> K>": said(TAG), "M<": cut(TRUNCATED, "opened"), "K<": cut(TRUNCATED)},
        when=lambda state, n: state.cipher == "AESGCM",
    ),
    "the nonce of ChaCha20-Poly1305 big-endian": Bug(
        "CipherState._nonce",
        nonce(lambda n: bytes(4) + n.to_bytes(8, "big")),
        {"H>": said(TAG), "H<": cut(TRUNCATED, "opened")},
        when=lambda state, n: state.cipher == "ChaChaPoly",
    ),
    "the nonce before its zeros": Bug(
        "CipherState._nonce",
        nonce(lambda n: n.to_bytes(8, "big") + bytes(4)),
        {"M>": said(TAG), "M<": cut(TRUNCATED, "opened")},
        when=lambda state, n: 0 < n < 2**63,
    ),
    # Records.
    "a record sealed with its length": Bug(
        ENCRYPT,
        given(lambda state, ad, text: (state, struct.pack(">H", len(text) + 16), text)),
        {"M> M<": said(TAG, "opened")},
        when=in_record,
    ),
    "a record whose tag is cut": Bug(
        ENCRYPT,
        result(lambda sealed: sealed[:-4]),
        {"M> M<": said(TAG, "first")},
        when=in_record,
        turn=3,
    ),
    "a record that is not sealed": Bug(
        ENCRYPT,
        lambda right, state, ad, text: text + right(state, ad, text)[-16:],
        {"M> M<": said(TAG, "first")},
        when=in_record,
        turn=3,
    ),
    "one bit of a record wrong": Bug(
        PUT,
        given(lambda client, sealed: (client, sealed[:-1] + bytes([sealed[-1] ^ 1]))),
        {"M> M<": said(TAG, "first")},
        turn=3,
    ),
    "a length that is one too long": Bug(
        PUT, prefixed(lambda size: size + 1), {"M> M<": said(TAG, "opened")}, turn=1
    ),
    "a length that is one too short": Bug(
        PUT, prefixed(lambda size: size - 1), {"M> M<": said(TAG, "opened")}, turn=1
    ),
    "a length that counts itself": Bug(
        PUT, prefixed(lambda size: size + 2), {"M> M<": said(TAG, "opened")}
    ),
    "a length in little-endian order": Bug(
        PUT, prefixed(lambda size: size, "<H"), {"M> M<": cut(TRUNCATED, "opened")}
    ),
    "a length of four bytes": Bug(
        PUT, prefixed(lambda size: size, ">I"), {"M> M<": said(BAD_LENGTH, "opened")}
    ),
    "a length of 0": Bug(
        PUT, prefixed(lambda size: 0), {"M> M<": said(BAD_LENGTH, "first")}, turn=2
    ),
    "a length of 18": Bug(
        PUT, prefixed(lambda size: 18), {"M> M<": said(BAD_LENGTH, "first")}, turn=2
    ),
    "a length of 65,535 that is not there": Bug(
        PUT, prefixed(lambda size: 65535), {"M> M<": said(TAG, "refreshed 2")}, turn=10
    ),
    "no length": Bug(
        PUT, puts(lambda sealed: b"\0\0" + sealed), {"M> M<": said(BAD_LENGTH, "first")}, turn=2
    ),
    "a record sent twice": Bug(
        SEALING, repeats_bytes, {"M> K> L> C> M< K< L< C<": said(TAG, "first")}, turn=1
    ),
    "a record left out": Bug(SEALING, drops_bytes, {"M> M<": said(TAG, "opened")}, turn=1),
    "two records swapped": Bug(SEND, swaps_records, {"M> M<": said(TAG, "opened")}, turn=1),
    "half a record, and the end": Bug(
        PUT,
        puts_half_and_no_more,
        {"M> M<": cut(TRUNCATED, "first")},
        turn=4,
    ),
    "bytes between the records": Bug(
        PUT, after(sends(bytes(5))), {"M> M<": said(BAD_LENGTH, "first")}, turn=1
    ),
    "what the session sent comes back": Bug(
        "Client.receive",
        returns_bytes,
        {"M> M<": said(TAG, "first")},
        when=lambda client, data: client.state == "OPEN",
    ),
    # Plaintexts.
    "an unknown content type": Bug(
        PLAINTEXT,
        result(lambda text: b"\2" + text[1:]),
        {"M> M<": said("MalformedMessage: a record of unknown content type", "first")},
        when=SECOND,
    ),
    "content type 255": Bug(
        PLAINTEXT,
        result(lambda text: b"\xff" + text[1:]),
        {"M> M<": said("MalformedMessage: a record of unknown content type", "first")},
        when=SECOND,
    ),
    "the content type behind the length": Bug(
        PLAINTEXT,
        result(lambda text: text[1:3] + text[:1] + text[3:]),
        {"M> M<": said(BAD_PADDING, "first")},
        when=SECOND,
    ),
    "no content type": Bug(
        PLAINTEXT, result(lambda text: text[1:]), {"M> M<": said(BAD_PADDING, "first")}, when=SECOND
    ),
    "a content length that is one too long": Bug(
        PLAINTEXT,
        result(lambda text: text[:2] + bytes([text[2] + 1]) + text[3:]),
        {"M> M<": said(BAD_PADDING, "first")},
        when=SECOND,
    ),
    "a content length that is one too short": Bug(
        PLAINTEXT,
        result(lambda text: text[:2] + bytes([text[2] - 1]) + text[3:]),
        {"M> M<": said(BAD_PADDING, "first")},
        when=SECOND,
    ),
    "a content length in little-endian order": Bug(
        PLAINTEXT,
        result(lambda text: text[:1] + text[2:0:-1] + text[3:]),
        {"M> M<": said(BAD_PADDING, "first")},
        when=SECOND,
    ),
    "a content length of 0": Bug(
        PLAINTEXT,
        result(lambda text: text[:1] + bytes(2) + text[3:]),
        {"M> M<": said(BAD_PADDING, "first")},
        when=SECOND,
    ),
    "a content length of 65,535": Bug(
        PLAINTEXT,
        result(lambda text: text[:1] + b"\xff\xff" + text[3:]),
        {"M> M<": said(BAD_PADDING, "first")},
        when=SECOND,
    ),
    "padding whose last byte is not zero": Bug(
        PLAINTEXT,
        result(lambda text: text + bytes(99) + b"\1"),
        {"M> M<": said(BAD_PADDING, "first")},
        when=SECOND,
    ),
    "padding whose first byte is not zero": Bug(
        PLAINTEXT,
        result(lambda text: text + b"\x80" + bytes(99)),
        {"M> M<": said(BAD_PADDING, "first")},
        when=SECOND,
    ),
    "padding that counts itself": Bug(
        PLAINTEXT,
        result(lambda text: text + b"\4" * 4),
        {"M> M<": said(BAD_PADDING, "first")},
        when=SECOND,
    ),
    "a control message as data": Bug(
        SAY,
        lambda right, client, kind: client.record(DATA, encode(kind=kind)),
        {"M> M<": said(TOO_LARGE, "first")},
        when=control("ping"),
    ),
    "data as a control message": Bug(
        "Client.record",
        given(lambda client, kind, content: (client, CONTROL, content)),
        {"M> M<": said(NOT_A_CONTROL, "first")},
        when=message(b"second"),
    ),
    # Messages.
    "a message without its length": Bug(
        SEND, streams(lambda data: data), {"M> M<": said(TOO_LARGE, "first")}, turn=2
    ),
    "the length of a message in little-endian order": Bug(
        SEND,
        streams(lambda data: struct.pack("<I", len(data)) + data),
        {"M> M<": said(TOO_LARGE, "first")},
        turn=2,
    ),
    "the length of a message in two bytes": Bug(
        SEND,
        streams(lambda data: struct.pack(">H", len(data)) + data),
        {"M> M<": said(IN_A_MESSAGE, "refreshed 3")},
        turn=5,
    ),
    "the length of a message counts itself": Bug(
        SEND,
        streams(lambda data: struct.pack(">I", len(data) + 4) + data),
        {"M> M<": Answer(TOO_LARGE, ("opened", "first", "refreshed 1", "second\x00\x00\x00\x05"))},
        turn=2,
    ),
    "the length of a message one too long": Bug(
        SEND,
        streams(lambda data: struct.pack(">I", len(data) + 1) + data),
        {"M> M<": said(IN_A_MESSAGE, "fifth")},
        turn=6,
    ),
    "the length of a message one too short": Bug(
        SEND,
        streams(lambda data: struct.pack(">I", len(data) - 1) + data),
        {"M> M<": Answer(TOO_LARGE, ("opened", "first", "secon", "refreshed 1"))},
        turn=2,
    ),
    "a message of 16 MiB and one byte": Bug(
        SEND,
        streams(lambda data: struct.pack(">I", 2**24 + 1)),
        {"M> M<": said(TOO_LARGE, "first")},
        turn=2,
    ),
    "a message of 4 GiB less one byte": Bug(
        SEND, streams(lambda data: b"\xff" * 4), {"M> M<": said(TOO_LARGE, "first")}, turn=2
    ),
    "a message within another": Bug(
        SEND,
        interleaves,
        {"M> M<": Answer(TOO_LARGE, ("opened", "first", "s\x00\x00\x00\x07a"))},
        turn=2,
    ),
    "a message without its end": Bug(
        SEND,
        streams(lambda data: struct.pack(">I", 2**20) + data),
        {"M> M<": said(IN_A_MESSAGE, "fifth")},
        turn=6,
    ),
    # Control messages.
    "a control of an unknown kind": Bug(
        SAY, says(b'{"kind":"bye"}'), {"M> M<": said(NOT_A_CONTROL, "first")}, when=control("ping")
    ),
    "a control kind in capital letters": Bug(
        SAY, says(b'{"kind":"PING"}'), {"M> M<": said(NOT_A_CONTROL, "first")}, when=control("ping")
    ),
    "a control with white space": Bug(
        SAY,
        says(b'{"kind": "ping"}'),
        {"M> M<": said(NOT_CANONICAL, "first")},
        when=control("ping"),
    ),
    "a control with a newline behind it": Bug(
        SAY,
        says(b'{"kind":"ping"}\n'),
        {"M> M<": said(NOT_CANONICAL, "first")},
        when=control("ping"),
    ),
    "a control with an escape": Bug(
        SAY,
        says(b'{"kind":"p\\u0069ng"}'),
        {"M> M<": said(NOT_CANONICAL, "first")},
        when=control("ping"),
    ),
    "a control with one more member": Bug(
        SAY,
        says(b'{"kind":"ping","id":1}'),
        {"M> M<": said(NOT_A_CONTROL, "first")},
        when=control("ping"),
    ),
    "a control with its kind twice": Bug(
        SAY,
        says(b'{"kind":"ping","kind":"ping"}'),
        {"M> M<": said(NOT_CANONICAL, "first")},
        when=control("ping"),
    ),
    "a control without kind": Bug(
        SAY, says(b"{}"), {"M> M<": said(NOT_A_CONTROL, "first")}, when=control("ping")
    ),
    "a control that is a list": Bug(
        SAY, says(b'["ping"]'), {"M> M<": said(NOT_A_CONTROL, "first")}, when=control("ping")
    ),
    "a control that is no JSON": Bug(
        SAY, says(b"ping"), {"M> M<": said(NOT_A_CONTROL, "first")}, when=control("ping")
    ),
    "a control that is not UTF-8": Bug(
        SAY, says(b'{"kind":"\xff"}'), {"M> M<": said(NOT_A_CONTROL, "first")}, when=control("ping")
    ),
    "a control with a byte order mark": Bug(
        SAY,
        says(b'\xef\xbb\xbf{"kind":"ping"}'),
        {"M> M<": said(NOT_A_CONTROL, "first")},
        when=control("ping"),
    ),
    "a control that nests deep": Bug(
        SAY, says(b"[" * 60_000), {"M> M<": said(NOT_A_CONTROL, "first")}, when=control("ping")
    ),
    "an empty control": Bug(
        SAY, says(b""), {"M> M<": said(NOT_A_CONTROL, "first")}, when=control("ping")
    ),
    "two controls in one record": Bug(
        SAY,
        says(b'{"kind":"ping"}{"kind":"ping"}'),
        {"M> M<": said(NOT_A_CONTROL, "first")},
        when=control("ping"),
    ),
    "half a control in a record": Bug(
        SAY, says(b'{"kind":'), {"M> M<": said(NOT_A_CONTROL, "first")}, when=control("ping")
    ),
    "a pong with content": Bug(
        SAY,
        says(b'{"kind":"pong","of":"ping"}'),
        {"M> M<": said(NOT_A_CONTROL, "first")},
        when=control("pong"),
    ),
    # Key updates.
    "a key update without new key": Bug(
        UPDATE, without_rekey, {"M> H> X> M< H< X<": said(TAG, "first")}
    ),
    "a key update with two new keys": Bug(
        REKEY, twice, {"M> H> M< H<": said(TAG, "first")}, turn=1
    ),
    "a key update under its own new key": Bug(
        UPDATE, rekeys_first, {"M> H> M< H<": said(TAG, "first")}
    ),
    "a key update of the other direction": Bug(
        UPDATE, rekeys_receiving, {"M> M<": cut(TRUNCATED, "first")}
    ),
    "a new key that nobody was told of": Bug(
        UPDATE, lambda right, client: client.sending.rekey(), {"M> H> M< H<": said(TAG, "first")}
    ),
    "a key update that begins to count anew": Bug(
        REKEY, resets_nonce, {"M> H> M< H<": said(TAG, "first")}, turn=1
    ),
    "a new key made under nonce 0": Bug(
        REKEY,
        rekeys(lambda state: seals_zeros(state, 0)[:32]),
        {"M> H> M< H<": said(TAG, "first")},
        turn=1,
    ),
    "a new key made under the next nonce": Bug(
        REKEY,
        rekeys(lambda state: seals_zeros(state, state.n)[:32]),
        {"M> H> M< H<": said(TAG, "first")},
        turn=1,
    ),
    "a new key with the tag in it": Bug(
        REKEY,
        rekeys(lambda state: seals_zeros(state, 2**64 - 1)[-32:]),
        {"M> H> M< H<": said(TAG, "first")},
        turn=1,
    ),
    "a new key of zeros": Bug(
        REKEY, rekeys(lambda state: bytes(32)), {"M> H> M< H<": said(TAG, "first")}, turn=1
    ),
    "the session's key update is not followed": Bug(
        REKEY, nothing, {"M> M<": cut(TRUNCATED, "second")}, turn=2
    ),
    # Refresh.
    "refresh: offered twice": Bug(
        REFRESH,
        after(offers_again),
        {
            "M>": said(
                no_offer_here("initiator"),
                "second",
            ),
            "M<": said(
                no_offer_here("responder"),
                "second",
            ),
        },
        turn=1,
    ),
    "refresh: an answer without offer": Bug(
        REFRESH,
        lambda right, client: client.control("refresh_answer", message=bytes(1152)),
        {"M> M<": said(NO_ANSWER_HERE, "second")},
        turn=1,
    ),
    "refresh: a switch without answer": Bug(
        REFRESH,
        lambda right, client: client.control("refresh_switch"),
        {"M> M<": said(NO_SWITCH_HERE, "second")},
        turn=1,
    ),
    "refresh: a switch behind the own offer": Bug(
        REFRESH,
        after(lambda client: client.control("refresh_switch")),
        {"M> M<": said(TAG, "refreshed 1")},
        turn=1,
    ),
    "refresh: an answer to the own offer": Bug(
        REFRESH,
        after(lambda client: client.control("refresh_answer", message=bytes(1152))),
        {"M> M<": said(NO_ANSWER_HERE, "second")},
        turn=1,
    ),
    "refresh: answered twice": Bug(
        SAY, twice, {"M> M<": said(TAG, "refreshed 2")}, when=control("refresh_answer"), turn=1
    ),
    "refresh: switched twice": Bug(
        SAY, twice, {"M> M<": said(TAG, "refreshed 1")}, when=control("refresh_switch"), turn=1
    ),
    "refresh: never switched": Bug(
        SAY, nothing, {"M> M<": said(TAG, "second")}, when=control("refresh_switch")
    ),
    "refresh: never answered, but the new key used": Bug(
        SAY, nothing, {"M> M<": said(TAG, "third")}, when=control("refresh_answer")
    ),
    "refresh: the switch under the new key": Bug(
        INPUT,
        switches_early,
        {"M> M<": said(TAG, "second")},
        when=input_is("refresh_answer", "OFFERED", "CROSSED"),
        turn=1,
    ),
    "refresh: the answer under the new key": Bug(
        ANSWER, answers_under_new_key, {"M> M<": said(TAG, "third")}, turn=1
    ),
    "refresh: the old key after the switch": Bug(
        INPUT,
        keeps_sending_key,
        {"M> M<": said(TAG, "refreshed 1")},
        when=input_is("refresh_answer", "OFFERED", "CROSSED"),
        turn=1,
    ),
    "refresh: the old key after the answer": Bug(
        ANSWER, keeps_sending_key, {"M> M<": said(TAG, "refreshed 2")}, turn=1
    ),
    "refresh: the nonces go on": Bug(
        EPOCH, keeps_counters, {"M> H> M< H<": said(TAG, "refreshed 1")}, turn=2
    ),
    "refresh: the keys swapped": Bug(
        EPOCH, takes_the_other_role, {"M> M<": said(TAG, "refreshed 1")}, turn=2
    ),
    "refresh: the keys swapped by who answers": Bug(
        EPOCH, takes_the_other_role, {"M> M<": said(TAG, "refreshed 2")}, turn=3
    ),
    "refresh: the epoch does not change": Bug(
        EPOCH, keeps_epoch, {"M> M<": cut(TRUNCATED, "third")}, turn=2
    ),
    "refresh: the prologue without its label": Bug(
        HANDSHAKE,
        refreshes_with(prologue=lambda client: client.epoch[0]),
        {"M> H> X> M< H< X<": said(TAG, "second")},
    ),
    "refresh: an empty prologue": Bug(
        HANDSHAKE, refreshes_with(prologue=lambda client: b""), {"M> M<": said(TAG, "second")}
    ),
    "refresh: the prologue of the opening": Bug(
        HANDSHAKE,
        refreshes_with(prologue=lambda client: client.hello),
        {"M> M<": said(TAG, "second")},
    ),
    "refresh: the hash of the opening for ever": Bug(
        HANDSHAKE,
        refreshes_with(prologue=lambda client: b"e2ee refresh v1\0" + client.handshake_hash),
        {"M> M<": cut(TRUNCATED, "third")},
        turn=2,
    ),
    "refresh: a psk of zeros": Bug(
        HANDSHAKE, refreshes_with(psk=lambda client: bytes(32)), {"M> M<": said(TAG, "second")}
    ),
    "refresh: the exporter secret as psk": Bug(
        HANDSHAKE,
        refreshes_with(psk=lambda client: client.epoch[1]),
        {"M> M<": said(TAG, "second")},
    ),
    "refresh: the psk with another label": Bug(
        HANDSHAKE,
        refreshes_with(
            psk=lambda client: hkdf(client.epoch[0], client.epoch[1], b"e2ee exporter v1\0", 32)
        ),
        {"M> M<": said(TAG, "second")},
    ),
    "refresh: salt and secret of the psk swapped": Bug(
        HANDSHAKE,
        refreshes_with(
            psk=lambda client: hkdf(client.epoch[1], client.epoch[0], b"e2ee refresh psk v1", 32)
        ),
        {"M> M<": said(TAG, "second")},
    ),
    "refresh: without the hybrid half": Bug(
        HANDSHAKE,
        refreshes_with(protocol=lambda client: "Noise_NNpsk0_25519_AESGCM_SHA256"),
        {"M> M<": said(TOO_SHORT, "second")},
    ),
    "refresh: with the other cipher": Bug(
        HANDSHAKE,
        refreshes_with(protocol=lambda client: "Noise_NNhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256"),
        {"M> M<": said(TAG, "second")},
    ),
    "refresh: a payload in the offer": Bug(
        "Handshake.write",
        given(lambda handshake, _: (handshake, b"x")),
        {"M> M<": said("UnexpectedMessage: a refresh message carries no payload", "second")},
        when=nth_of_refresh(1),
    ),
    "refresh: a payload in the answer": Bug(
        "Handshake.write",
        given(lambda handshake, _: (handshake, b"x")),
        {"M> M<": said("UnexpectedMessage: a refresh message carries no payload", "third")},
        when=nth_of_refresh(2),
    ),
    "refresh: an empty message": Bug(
        SAY,
        says(b'{"kind":"refresh_offer","message":""}'),
        {"M> M<": said(NOT_A_CONTROL, "second")},
        when=control("refresh_offer"),
    ),
    "refresh: a message that is too short": Bug(
        SAY,
        says(b'{"kind":"refresh_offer","message":"AAAA"}'),
        {"M> M<": said(TOO_SHORT, "second")},
        when=control("refresh_offer"),
    ),
    "refresh: a message of 4,097 bytes": Bug(
        SAY,
        says(encode(kind="refresh_offer", message=bytes(4097))),
        {"M> M<": said(NOT_A_CONTROL, "second")},
        when=control("refresh_offer"),
    ),
    "refresh: a message of zeros": Bug(
        SAY,
        says(encode(kind="refresh_offer", message=bytes(1248))),
        {"M> M<": said(TAG, "second")},
        when=control("refresh_offer"),
    ),
    "refresh: base64 that is not in its one form": Bug(
        SAY,
        says(b'{"kind":"refresh_offer","message":"AB=="}'),
        {"M> M<": said(NOT_A_CONTROL, "second")},
        when=control("refresh_offer"),
    ),
    "refresh: base64 of the other alphabet": Bug(
        SAY,
        says(b'{"kind":"refresh_offer","message":"+/+/"}'),
        {"M> M<": said(NOT_CANONICAL, "second")},
        when=control("refresh_offer"),
    ),
    "refresh: offers cross, and both are answered": Bug(
        INPUT,
        answers_anyway,
        {"M>": said(NO_ANSWER_HERE, "fourth")},
        when=input_is("refresh_offer", "OFFERED"),
    ),
    "refresh: offers cross, and who answers offers again": Bug(
        INPUT,
        lambda right, client, kind, data: offers_again(client),
        {
            "M<": said(
                no_offer_here("responder"),
                "fourth",
            )
        },
        when=input_is("refresh_offer", "OFFERED"),
    ),
    # Close.
    "no close": Bug(CLOSE, nothing, {"M> K> L> C> X>": cut(TRUNCATED, "long")}),
    "a close that is not answered": Bug(
        SAY, nothing, {"M< K< L< C< X<": cut(TRUNCATED, "long")}, when=control("close")
    ),
    "closed twice": Bug(
        CLOSE,
        after(seals(CONTROL, encode(kind="close"))),
        {"M> K> L> C> X>": said(AFTER_CLOSE, "closed")},
    ),
    "a message after the close": Bug(
        CLOSE, after(seals(DATA, b"\0\0\0\4late")), {"M>": said(AFTER_CLOSE, "closed")}
    ),
    "a message after the answer to a close": Bug(
        SAY,
        after(seals(DATA, b"\0\0\0\4late")),
        {"M<": said(AFTER_CLOSE, "closed")},
        when=control("close"),
    ),
    "a ping after the close": Bug(
        CLOSE, after(seals(CONTROL, encode(kind="ping"))), {"M>": said(AFTER_CLOSE, "closed")}
    ),
    "a byte after the close": Bug(
        SAY, after(sends(b"\0")), {"M> M<": said(AFTER_CLOSE, "closed")}, when=control("close")
    ),
    "a close in the middle of a message": Bug(
        SAY,
        before(seals(DATA, b"\0\0\0\4la")),
        {"M> M<": said(IN_A_MESSAGE, "long")},
        when=control("close"),
    ),
    "a close in the middle of a length": Bug(
        SAY,
        before(seals(DATA, b"\0\0")),
        {"M> M<": said(IN_A_MESSAGE, "long")},
        when=control("close"),
    ),
    "a close with a reason": Bug(
        SAY,
        says(b'{"kind":"close","reason":"left"}'),
        {"M> M<": said(NOT_A_CONTROL, "long")},
        when=control("close"),
    ),
    "a close that is not sealed": Bug(
        SAY,
        lambda right, client, kind: client._put(encode(kind=kind).ljust(32)),
        {"M> M<": said(TAG, "long")},
        when=control("close"),
    ),
    "a refresh offered and switched to who has closed": Bug(
        SAY,
        before(offers_and_switches),
        {"M<": said(NO_SWITCH_HERE, "long")},
        when=control("close"),
    ),
    "an answer without offer to who has closed": Bug(
        SAY,
        before(lambda client, kind: client.control("refresh_answer", message=bytes(1152))),
        {"M<": said(NO_ANSWER_HERE, "long")},
        when=control("close"),
    ),
}


def floods(count: int, content_type: int, content: bytes) -> Instead:
    """So many records more, before what is said."""
    return before(
        lambda client, *args, **members: [client._seal(content_type, content) for _ in range(count)]
    )


def in_pieces(right: Instead, client: Client, message: bytes) -> None:
    """One byte in each record, with all that may stand between."""
    for byte in struct.pack(">I", len(message)) + message:
        client._seal(DATA, bytes([byte]))
        client._seal(DATA, b"")
        client.control("ping")
        client.update_key()


ALL = {"M> M<": said("", "closed")}

HARMLESS: dict[str, Bug] = {
    "a thousand pongs that nobody asked for": Bug(
        SAY, floods(1000, CONTROL, encode(kind="pong")), ALL, when=control("ping")
    ),
    "a thousand pings": Bug(
        SAY, floods(1000, CONTROL, encode(kind="ping")), ALL, when=control("ping")
    ),
    "a thousand empty records": Bug(SAY, floods(1000, DATA, b""), ALL, when=control("ping")),
    "no pong": Bug(SAY, nothing, ALL, when=control("pong")),
    "messages in records of one byte": Bug(
        SEND, in_pieces, ALL, when=lambda client, message: len(message) < 10
    ),
    "all the padding that there can be": Bug(
        PLAINTEXT, result(lambda text: text.ljust(65519, b"\0")), ALL
    ),
    "refresh: an offer is never answered": Bug(
        ANSWER,
        nothing,
        {
            "M>": Answer("", (*TOLD[:5], "fourth", "refreshed 2", *TOLD[8:])),
            "M<": Answer("", (*TOLD[:5], "fourth", *TOLD[8:])),
        },
    ),
    "data before the other's confirmation": Bug(
        "Client._message_2",
        after(lambda client, message: client._seal(DATA, b"\0\0\0\5early")),
        {"L> C>": Answer("", ("opened", "early", *TOLD[1:]))},
    ),
    "data before the confirmation of who calls": Bug(
        "Client._message_1",
        after(lambda client, message: client._seal(DATA, b"\0\0\0\5early")),
        {"K<": Answer("", ("opened", "early", *TOLD[1:]))},
    ),
}
"""What looks like a bug, and is allowed: the whole script is told, and nothing else but what stands
here."""
