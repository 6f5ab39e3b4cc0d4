"""Every case of the kit, against the package and against the second client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from . import generate, real_readers, second_chat, second_readers
from .case import FOLDER, Case, Step, cases
from .real_chat import RealChat
from .real_core import RealCore
from .real_hello import RealHello
from .real_pipe import RealPipe
from .real_transfers import RealTransfers
from .second_chat import SecondChat
from .second_client import ANY, SecondClient

Figure = Callable[[str], None]

ROWS = {
    "backup": (37,),
    "certificate": (9, 11, 37, 38, 40, 41, 43, 44),
    "chat": (13, 37),
    "chat_message": (37, 38, 39, 40, 41, 43, 44, 45, 46),
    "close": (23,),
    "code": (17, 37),
    "contact_file": (37, 43),
    "control": (37, 38, 39, 40, 41, 43, 44),
    "file_message": (37, 40, 41, 43, 45, 46, 90, 93),
    "handshake": (3, 6, 7, 17, 19, 25),
    "hello": (13, 37),
    "id": (9, 37),
    "identity_file": (37, 83),
    "key": (8, 9, 10),
    "key_update": (24,),
    "link": (9, 37),
    "payload": (37, 40, 41),
    "pipe": (13, 37),
    "pipe_message": (37,),
    "preamble": (2,),
    "record": (6, 19, 20, 21, 22, 24, 25, 26),
    "refresh": (8, 10, 13, 19, 24, 31),
    "safety_number": (17, 37),
    "transfer": (13, 26, 93, 95),
    "valid": (27,),
}
"""What the cases of a folder are evidence for."""

Channel = RealChat | RealHello | RealPipe | RealTransfers
CHANNELS: dict[str, Callable[[Case], Channel]] = {
    "chat": RealChat,
    "hello": RealHello,
    "pipe": RealPipe,
    "transfer": RealTransfers,
}
"""What the package has for each kind of channel."""

Side = RealCore | Channel | SecondClient | SecondChat

FOLDERS = sorted(path.name for path in FOLDER.iterdir())
every_folder = pytest.mark.parametrize(
    "folder",
    [pytest.param(name, marks=[pytest.mark.attack(row) for row in ROWS[name]]) for name in FOLDERS],
)


def _differences(case: Case, side: Side) -> list[str]:
    """Where this side does not do what the case says: at most once."""
    for step in case.steps():
        done = side.do(step.action, step.value)
        if done.failure == ANY and step.failure is not None:
            done = replace(done, failure=step.failure)  # It tells fewer errors apart.
        if done != step:
            return [f"{case.name}: {_short(done)} instead of {_short(step)}"]
    return []


def _short(step: Step) -> str:
    sent = [len(message) for message in step.sent]
    return f"{step.action} -> {step.events} {sent} bytes, {step.failure or 'no failure'}"


def _result(case: Case) -> tuple[str, str]:
    return case.lines[-1]


def _checked(folder: str, chunks: tuple[int, ...]) -> list[str]:
    differences = []
    for case in cases(folder):
        sides: list[RealCore | Channel] = []
        if case["kind"] == "session":
            sides += [RealCore(case, chunk) for chunk in chunks]
        elif case["kind"] in CHANNELS:
            sides.append(CHANNELS[case["kind"]](case))
        elif (read := real_readers.read(case)) != _result(case):
            differences.append(f"{case.name}: {read}")
        for side in sides:
            with side.drawing():
                differences += _differences(case, side)
    return differences


@every_folder
def test_the_package_does_what_each_case_says(folder: str, figure: Figure) -> None:
    assert _checked(folder, (2**20, 61)) == []
    count = len(cases(folder))
    figure(f"kit, {folder}: {count} of {count} cases, whole and in chunks of 61 bytes")


@pytest.mark.nightly
@every_folder
def test_the_package_does_what_each_case_says_byte_by_byte(folder: str, figure: Figure) -> None:
    assert _checked(folder, (1,)) == []
    count = len(cases(folder))
    figure(f"kit, {folder}: {count} of {count} cases, byte by byte")


@pytest.mark.attack(48)
@pytest.mark.parametrize(
    "folder", [name for name in FOLDERS if name not in second_readers.UNREAD_FOLDERS]
)
def test_the_second_client_does_what_each_case_says(folder: str, figure: Figure) -> None:
    differences, count = [], 0
    for case in cases(folder):
        if case["kind"] == "session":
            differences += _differences(case, SecondClient(case))
        elif case["kind"] == "chat" and second_chat.can_run(case):
            chat = SecondChat(case)
            with chat.drawing():
                differences += _differences(case, chat)
        elif second_readers.can_read(case):
            read, expected = second_readers.read(case), _result(case)
            same = read[0] == expected[0] and (read[0] == "fail" or read == expected)
            if not same:
                differences.append(f"{case.name}: {read}")
        else:
            continue
        count += 1
    assert differences == []
    figure(f"kit, {folder}, second client: {count} of {len(cases(folder))} cases")


def test_the_files_are_made_again_byte_for_byte(figure: Figure) -> None:
    assert generate.difference() == set()
    kept = cases()
    failures = sum(bool(case.all("fail")) for case in kept)
    figure(f"kit: {len(kept)} files, {failures} with one failure, {len(kept) - failures} valid")
