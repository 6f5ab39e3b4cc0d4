"""Limits of the program that no other test shows: each at its value and one above it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from zeroconf import DNSIncoming, DNSOutgoing  # type: ignore[attr-defined]

from e2ee.errors import OverLimit
from e2ee.journal import MemoryJournal, Outgoing
from e2ee.limits import MAX_HOST_LENGTH
from e2ee_cli import calling, chat, file_desk, invite, join, mdns, passphrases
from e2ee_cli.correspondent import Correspondent
from e2ee_cli.discovery import NumberTaken
from e2ee_cli.exits import CliError
from e2ee_cli.file_names import MAX_NUMBERED, numbered
from e2ee_cli.invite import LONGEST_LIFE, NUMBER_TRIES, parse_lifetime
from e2ee_cli.mdns import Question

Figure = Callable[[str], None]


@pytest.mark.attack(26)
def test_so_many_people_and_no_more(monkeypatch: pytest.MonkeyPatch, figure: Figure) -> None:
    monkeypatch.setattr(chat, "MAX_PEOPLE", 3)

    def person(number: int, *, here: bool) -> Any:
        correspondent = SimpleNamespace(connected=here, unconfirmed=0)
        return SimpleNamespace(
            correspondent=correspondent,
            desk=SimpleNamespace(transfer=None),
            contact=SimpleNamespace(identity=number),
            belongings=SimpleNamespace(close=lambda: closed.append(number)),
        )

    closed: list[int] = []
    room: Any = SimpleNamespace(_current=None)
    for here in (0, 1, 2, 3):
        people = {number: person(number, here=number < here) for number in range(3)}
        room.people, room._people = list(people.values()), people
        if here < 3:
            chat.Chat._make_room(room)
            assert len(people) == 2
            assert closed == [here]
            closed.clear()
        else:
            with pytest.raises(OverLimit):
                chat.Chat._make_room(room)
    figure("limits: whoever is away makes room; one person more than may be here is refused")


@pytest.mark.attack(26)
def test_so_many_texts_wait_before_the_next_line_is_read(figure: Figure) -> None:
    limit = chat.MAX_WAITING
    journal = MemoryJournal()

    async def waits_at(count: int) -> bool:
        while journal.count_unconfirmed() < count:
            journal.add(Outgoing(journal.next_id(), "", 0))
        correspondent = Correspondent(journal, show=no_show, tell=lambda _: None)
        task = asyncio.create_task(correspondent.has_room(limit))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        done = task.done()
        task.cancel()
        return not done

    async def no_show(*_: Any) -> None: ...

    waiting = [asyncio.run(waits_at(count)) for count in (0, 1, limit - 1, limit, limit + 1)]
    assert waiting == [False, False, False, True, True]
    figure(f"limits: the next line is read while fewer than {limit:,} texts wait")


@pytest.mark.attack(26)
def test_so_many_files_are_offered_at_once(figure: Figure) -> None:
    for count in (0, 1, file_desk.AT_ONCE - 1, file_desk.AT_ONCE, file_desk.AT_ONCE + 1):
        offered: list[int] = []
        wishes = [SimpleNamespace(path=n, disk=None, row=None) for n in range(count)]

        def offer(path: int, _disk: object, offered: list[int] = offered) -> int:
            offered.append(path)
            return path

        desk: Any = SimpleNamespace(_wishes=wishes, transfer=SimpleNamespace(offer=offer))
        file_desk.FileDesk._offer(desk)
        assert offered == list(range(min(count, file_desk.AT_ONCE)))
    figure(f"limits: of {count} files {len(offered)} are offered at once")


@pytest.mark.attack(26)
def test_so_many_names_are_tried_for_a_file(figure: Figure) -> None:
    names = list(numbered("a.txt"))
    assert len(names) == len(set(names)) == MAX_NUMBERED
    assert names[-1] == f"a ({MAX_NUMBERED - 1}).txt"
    figure(f"limits: {MAX_NUMBERED:,} names tried for a file, and no more")


@pytest.mark.attack(26)
def test_the_longest_life_of_a_link(figure: Figure) -> None:
    assert parse_lifetime("52w") == LONGEST_LIFE
    assert parse_lifetime("51w") == LONGEST_LIFE * 51 // 52
    for longer in ("53w", "365d", "8737h", "0m"):
        with pytest.raises(CliError):
            parse_lifetime(longer)
    figure("limits: a link for 52 weeks made, for an hour or a day more refused")


@pytest.mark.attack(26)
@pytest.mark.parametrize("taken", [0, NUMBER_TRIES - 1, NUMBER_TRIES])
def test_so_many_numbers_are_tried_and_none_above_the_highest(
    taken: int, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    highest = invite.HIGHEST_NUMBER
    tried: list[int] = []

    @contextlib.asynccontextmanager
    async def advertised(number: int, *_: object) -> AsyncIterator[None]:
        tried.append(number)
        if len(tried) <= taken:
            raise NumberTaken
        yield

    async def is_found() -> bool:
        offers = [invite._new_offer()]
        discoverable: list[bool] = []
        async with invite._found_by_number(offers, 1, ["127.0.0.1"]) as found:
            discoverable.append(found)
        return discoverable == [True]

    monkeypatch.setattr(invite, "advertised", advertised)
    for at, number in ((0, 1), (-1, highest)):
        tried.clear()
        monkeypatch.setattr(invite.secrets, "randbelow", lambda below, at=at: range(below)[at])
        assert asyncio.run(is_found()) == (taken < NUMBER_TRIES)
        assert tried == [number] * min(taken + 1, NUMBER_TRIES)
    tries = f"{len(tried)} numbers from 1 to {highest} tried"
    figure(f"limits: {tries} for a code where others have the first {taken}")


@pytest.mark.attack(26)
@pytest.mark.parametrize(("draw", "chance"), [(min, 1), (max, 1.5)])
def test_the_longest_pause_between_two_calls(
    draw: Callable[..., float], chance: float, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    longest = calling.LONGEST_PAUSE
    monkeypatch.setattr(calling, "random", SimpleNamespace(uniform=draw))
    pauses = [pause / chance for pause in islice(calling.new_pauses(), 100)]
    doubled = [calling.FIRST_PAUSE * 2**number for number in range(100)]
    assert pauses == pytest.approx([min(pause, longest) for pause in doubled])
    assert pauses[8] < longest == pauses[9]
    figure(f"limits: pauses between two calls double up to {chance * longest:g} s, and no further")


@pytest.mark.attack(26)
def test_of_a_file_no_more_is_read_than_can_be_of_use(tmp_path: Path, figure: Figure) -> None:
    output: Any = None
    path = tmp_path / "file"
    readers: tuple[tuple[int, Callable[[str, Any], str]], ...] = (
        (join.MAX_FILE, join._read),
        (passphrases.MAX_LINE, passphrases.read_passphrase),
    )
    for limit, read in readers:
        for size in (1, limit - 1, limit, limit + 1):
            path.write_text("x" * size)
            assert len(read(str(path), output)) == min(size, limit)
    figure(f"limits: {join.MAX_FILE:,} bytes read of a file for a link, however long it is")


# The local network.


@pytest.mark.attack(26)
def test_a_name_that_no_question_can_have_is_not_asked_for(figure: Figure) -> None:
    """It would end the search, or spoil it: it came from a stranger, in one packet."""
    asked: list[str] = []

    def send(query: DNSOutgoing) -> None:
        for packet in query.packets():
            asked.extend(question.name for question in DNSIncoming(packet).questions)

    async def ask(names: list[str]) -> None:
        Question(network).ask(*((name, mdns.A) for name in names))

    network: Any = SimpleNamespace(zeroconf=SimpleNamespace(async_send=send))
    whole, longest = "x" * mdns.MAX_LABEL, "x" * (MAX_HOST_LENGTH - 3 * (mdns.MAX_LABEL + 1) - 1)
    right = ["x.", f"{whole[1:]}.", f"{whole}.", f"{whole}.{whole}.{whole}.{longest}."]
    for name in (
        *(f"{whole}x.", "\ufffd" * mdns.MAX_LABEL + ".", "", ".", "a..b.", ".a."),
        *(f"{whole}.{whole}.{whole}.{longest}x.", "\ufffd." * MAX_HOST_LENGTH),
    ):
        asked.clear()
        asyncio.run(ask([name, *right]))
        assert asked == right
    sizes = f"{MAX_HOST_LENGTH} bytes, and of parts of {mdns.MAX_LABEL}"
    figure(f"limits: names of {sizes}, asked for on the network, and of one more not")
