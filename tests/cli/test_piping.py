"""What a peer may say in a pipe, and when; with a channel, an input and an output in memory."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ee.errors import MalformedMessage, UnexpectedMessage
from e2ee.messages import End, Hello, Leave, Text, Written, encode
from e2ee.pipe_messages import MARK, MAX_DATA, decode_pipe
from e2ee_cli import piping
from e2ee_cli.exits import CliError, Exit

END, WRITTEN = encode(End()), encode(Written())


class FakeChannel:
    """Gives these messages, and then waits for ever; with ``closes`` it has closed, and
    with ``answers`` it confirms when there is something to confirm.
    """

    def __init__(self, *messages: bytes, closes: bool = False, answers: bool = False) -> None:
        self.messages = list(messages)
        self.closes = closes
        self.answers = answers
        self.end_sent = asyncio.Event()
        self.sent: list[bytes] = []

    async def receive(self) -> bytes | None:
        await asyncio.sleep(0)
        if self.answers and self.messages[:1] == [WRITTEN]:
            await self.end_sent.wait()
        if not self.messages and not self.closes:
            await asyncio.get_running_loop().create_future()
        return self.messages.pop(0) if self.messages else None

    async def send(self, message: bytes) -> None:
        self.sent.append(bytes(message))
        if message == END:
            self.end_sent.set()

    async def close(self) -> None:
        self.sent.append(b"close")


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> bytearray:
    written = bytearray()
    monkeypatch.setattr(piping, "write_stdout", written.extend)
    monkeypatch.setattr(piping, "end_stdout", lambda: written.extend(b"<end>"))
    return written


def run(channel: FakeChannel, monkeypatch: pytest.MonkeyPatch, *, ends: bool = True) -> None:
    """A pipe whose input is ``in`` and, with ``ends``, no more."""
    never = threading.Event()
    inputs = [[memoryview(b"\x02in")]]

    class Input:
        def read(self) -> list[memoryview]:
            if not inputs and not ends:
                never.wait()
            return inputs.pop() if inputs else []

    async def work() -> None:
        async with asyncio.timeout(20):
            await piping.Pipe(channel).run()

    monkeypatch.setattr(piping, "Input", Input)
    try:
        asyncio.run(work())
    finally:
        never.set()


def test_all_is_said_that_has_to_be(output: bytearray, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = FakeChannel(b"\x02one", b"\x02\x02\x00", END, WRITTEN, answers=True)
    run(channel, monkeypatch)
    assert output == b"one\x02\x00<end>"
    assert sorted(channel.sent[:-1]) == sorted([b"\x02in", END, WRITTEN])
    assert channel.sent.index(END) > channel.sent.index(b"\x02in")
    assert channel.sent[-1] == b"close"


@pytest.mark.parametrize(
    "wrong",
    [
        [b""],
        [b"\x02"],
        [b"\x02" + bytes(MAX_DATA + 1)],
        [b"\x01chunk"],
        [b"text"],
        [END, END],
        [END, b"\x02more"],
        [WRITTEN],
        [encode(Text(id=1, body="hello"))],
        [encode(Hello(purposes=("pipe",)))],
        [b'{"kind":"whatever"}'],
        [b'{"kind":"end" }'],
    ],
)
def test_what_a_peer_may_not_say_ends_the_pipe(
    wrong: list[bytes], output: bytearray, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = FakeChannel(b"\x02good", *wrong)
    with pytest.raises(CliError) as caught:
        run(channel, monkeypatch, ends=False)
    assert caught.value.code == Exit.NETWORK
    assert output.removesuffix(b"<end>") == b"good"
    assert ("came from there is not whole" in str(caught.value)) == (END not in wrong)


def test_a_close_before_the_ends_is_a_broken_pipe(
    output: bytearray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for messages in ([b"\x02x"], [b"\x02x", END]):
        output.clear()
        with pytest.raises(CliError, match="may not be whole") as caught:
            run(FakeChannel(*messages, closes=True), monkeypatch)
        assert caught.value.code == Exit.NETWORK
        assert output.startswith(b"x")


@pytest.mark.parametrize("reason", ["output", "input", "stopped", "something-new"])
def test_a_peer_that_leaves_is_not_taken_for_one_that_has_it_all(
    reason: str, output: bytearray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CliError, match="has left") as caught:
        run(FakeChannel(END, encode(Leave(reason=reason))), monkeypatch, ends=False)
    assert caught.value.code == Exit.NOT_CONFIRMED
    assert reason != "something-new" or reason not in str(caught.value)


def test_an_input_that_fails_after_the_other_direction_has_ended_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Event()

    class Input:
        def read(self) -> list[memoryview]:
            ended.wait(20)
            raise CliError("cannot read the input", Exit.FILES)

    class Channel(FakeChannel):
        async def send(self, message: bytes) -> None:
            await super().send(message)
            if message == WRITTEN:
                asyncio.get_running_loop().call_soon(ended.set)

    monkeypatch.setattr(piping, "Input", Input)
    monkeypatch.setattr(piping, "end_stdout", lambda: None)
    channel = Channel(END)
    with pytest.raises(CliError, match="cannot read the input"):
        asyncio.run(piping.Pipe(channel).run())
    assert channel.sent == [WRITTEN, encode(Leave(reason="input")), b"close"]


@given(st.binary(max_size=100) | st.binary(max_size=100).map(lambda data: bytes([MARK]) + data))
def test_any_message_is_bytes_of_the_pipe_or_refused(message: bytes) -> None:
    with contextlib.suppress(MalformedMessage, UnexpectedMessage):
        decoded = decode_pipe(message)
        assert isinstance(decoded, memoryview)
        assert bytes([MARK]) + decoded == message
