"""Programs that are killed, and started again: what was said arrives, and is shown once."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

from e2ee import Identity
from e2ee.conversation_file import ConversationFile
from e2ee.ids import decode_id

TEXTS = [f"{number} {'.' * 100}" for number in range(3_000)]


def test_a_caller_that_is_killed_and_started_again_has_lost_nothing_that_it_had_taken(
    people: Any,
) -> None:
    bob, address = people.listen("bob")
    alice = people.start("alice", "connect", address)
    bob.wait_for(lambda: bob.count("connected"))
    # More than it takes at once: some of it is not read when it dies.
    os.set_blocking(alice.process.stdin.fileno(), False)
    fed = alice.process.stdin.raw.write("".join(f"{text}\n" for text in TEXTS).encode())
    assert fed > 20_000
    bob.wait_for(lambda: len(bob.shown) >= 100)
    alice.kill()

    again = people.start("alice", "connect", address)
    again.say(end=True)
    assert again.end() == 0
    taken = len(bob.texts())
    assert 100 <= taken < len(TEXTS)
    rest = people.start("alice", "connect", address)
    rest.say(*TEXTS[taken:], end=True)
    assert rest.end() == 0
    bob.wait_for(lambda: len(bob.shown) >= len(TEXTS))
    assert bob.texts() == TEXTS


def test_a_listener_that_is_killed_shows_nothing_twice_but_what_it_had_not_kept_as_shown(
    people: Any,
) -> None:
    bob, address = people.listen("bob")
    alice = people.start("alice", "connect", address)
    bob.wait_for(lambda: bob.count("connected"))
    alice.say(*TEXTS, end=True)
    bob.wait_for(lambda: len(bob.shown) >= 500)
    bob.kill()
    before = bob.texts()
    assert before == TEXTS[: len(before)]
    kept = number_on_disk(people.home("bob"), bob.shown[0])
    assert kept <= len(before) < len(TEXTS)

    again, _ = people.listen("bob", port=int(address.rpartition(":")[2]))
    assert alice.end() == 0
    again.wait_for(lambda: len(again.shown) >= len(TEXTS) - kept)
    assert TEXTS[:kept] + again.texts() == TEXTS


def number_on_disk(home: Path, text: dict[str, Any]) -> int:
    """The last text of this one's stream that the conversation file has as shown."""
    stream = bytes.fromhex(text["id"].partition(".")[0])
    conversations = ConversationFile(home / "conversations", Identity.load(home / "identity"))
    with closing(conversations) as file, file.journal(decode_id(text["peer"])) as journal:
        return journal.heard(stream)


def test_what_was_said_to_somebody_who_was_away_arrives_once_when_they_are_back(
    people: Any, bad_link: Any
) -> None:
    said = "meet me under the clock"
    bob, address = people.listen("bob")
    with bad_link.Proxy(address) as proxy:
        alice = people.start("alice", "connect", proxy.address, "--timeout", "1")
        alice.wait_for(lambda: alice.count("connected"))
        proxy.freeze()
        alice.say(said, end=True)
        assert alice.end() == 6
    files = [path for path in people.home("alice").iterdir() if path.is_file()]
    assert people.home("alice") / "conversations" in files
    assert not any(b"under the" in path.read_bytes() for path in files)
    assert bob.texts() == []

    for _ in range(2):
        again = people.start("alice", "connect", address)
        again.say(end=True)
        assert again.end() == 0
        bob.wait_for(lambda: bob.shown)
    last = people.start("alice", "connect", address)
    last.say("that was all", end=True)
    assert last.end() == 0
    bob.wait_for(lambda: len(bob.shown) >= 2)
    assert bob.texts() == [said, "that was all"]
