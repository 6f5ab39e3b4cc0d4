"""The program's pipe as the side under test, with standard streams and threads that are none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from e2ee import ProtocolError
from e2ee.pipe_messages import MARK
from e2ee_cli import piping
from e2ee_cli.exits import CliError, Exit

from .case import Case, Step
from .memory_channel import MemoryChannel, settle
from .real_readers import NAMES


class _Worker:
    """Does what it is told at once, unless that is to wait."""

    def begin(self, call: Callable[[], Any]) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            result = call()
        except OSError as error:
            done.set_exception(error)
            return done
        if isinstance(result, asyncio.Future):
            return result
        done.set_result(result)
        return done

    def end(self) -> None:
        pass


class _Pipe(piping.Pipe):  # type: ignore[misc]
    """It remembers why it ended."""

    failure: str | None = None

    async def _on(self, message: bytes | None) -> None:
        try:
            await super()._on(message)
        except CliError:
            self.failure = "broken"
            raise
        except ProtocolError as error:
            self.failure = NAMES[type(error)]
            raise


class RealPipe:
    """A pipe over a channel in memory. Its standard streams are lists."""

    def __init__(self, case: Case) -> None:
        self.loop = asyncio.new_event_loop()
        self.channel, self.events = MemoryChannel(), list[str]()
        self.pipe, self.task = _Pipe(self.channel), self.loop.create_future()
        self.input = self.loop.create_future()
        self.takes_output = True

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        with (
            mock.patch.object(piping, "Worker", _Worker),
            mock.patch.object(piping, "Input", return_value=mock.Mock(read=self._read)),
            mock.patch.object(piping, "widen_pipes"),
            mock.patch.object(piping, "write_stdout", self._write),
            mock.patch.object(piping, "end_stdout", side_effect=self._end_output),
        ):
            try:
                yield
            finally:
                self._end()

    def _end(self) -> None:
        self.task.cancel()
        self.loop.run_until_complete(asyncio.wait({self.task}))
        if not self.task.cancelled():
            self.task.exception()  # It was seen: in a step, or because this side failed.
        self.loop.close()

    def _read(self) -> asyncio.Future[Any]:
        self.input = self.loop.create_future()
        return self.input

    def _write(self, data: memoryview) -> None:
        if not self.takes_output:
            raise BrokenPipeError
        self.events.append(f"data {data.hex()}")

    def _end_output(self) -> None:
        self.events.append("end")

    def do(self, action: str, value: str) -> Step:
        """What came of one action."""
        self.events, self.channel.sent = [], []
        if action == "start":
            self.task = self.loop.create_task(self.pipe.run())
        elif action == "receive":
            self.channel.arriving.put_nowait(bytes.fromhex(value))
        elif action == "end":
            self.channel.arriving.put_nowait(None)
        else:
            self._call(*value.split())
        settle(self.loop)
        if self.channel.closed:
            self.events.append("closed")
        failure = self.pipe.failure
        if failure is not None:
            assert isinstance(self.task.exception(), CliError)
        return Step(action, value, tuple(self.events), tuple(self.channel.sent), failure)

    def _call(self, what: str, *rest: str) -> None:
        match what, *rest:
            case ["send", data]:
                self.input.set_result([memoryview(bytes([MARK]) + bytes.fromhex(data))])
            case ["end"]:
                self.input.set_result([])
            case ["fail", "input"]:
                self.input.set_exception(CliError("cannot read the input", Exit.FILES))
            case ["fail", "output"]:
                self.takes_output = False
            case ["fail", "stopped"]:
                self.task.cancel()
            case _:
                raise AssertionError(what)
