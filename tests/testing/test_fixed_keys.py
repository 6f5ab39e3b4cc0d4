"""Fixed keys give the same bytes in every run, and are of no use outside of a test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from e2ee import HandshakeCompleted, Identity, KeysRefreshed, Session, State, Suite, UsageError
from e2ee.code_offer import CodeOffer
from e2ee.errors import NotE2EE, ProtocolError
from e2ee.invitation import SpokenCode
from e2ee.journal import MemoryJournal
from e2ee.suites import MEETING_SUITES
from e2ee.testing.attacker import Script
from e2ee.testing.fixed_keys import TEST_MAGIC, fixed_keys
from e2ee.testing.pair import Pair


def meeting(suite: Suite) -> tuple[Session, Session]:
    alice, bob = Identity.generate(), Identity.generate(now=1_800_000_000)
    return Session.initiator(alice, suite=suite), Session.responder(bob, suites=[suite])


def by_code() -> tuple[Session, Session]:
    code = SpokenCode.generate(4)
    return (
        Session.initiator(Identity.from_seed(bytes(32)), invitation=code),
        Session.responder(Identity.generate().rotated(0), suites=(), code=CodeOffer(code)),
    )


def everything(seed: str, kind: str) -> list[object]:
    """All that two sessions put on the wire and tell, with messages, a refresh and a close."""
    with fixed_keys(seed):
        suites = {suite.name: suite for suite in MEETING_SUITES}
        sessions = by_code() if kind == "code" else meeting(suites[kind])
        script = Script()
        pair = Pair(sessions, attacker=script)
        pair.deliver()
        pair.initiator.session.send(b"hello")
        pair.responder.session.refresh()
        pair.deliver()
        pair.initiator.session.close()
        pair.deliver()
        assert isinstance(pair.initiator.events[0], HandshakeCompleted)
        assert KeysRefreshed() in pair.initiator.events
        return [*script.seen, *pair.initiator.events, *pair.responder.events]


KINDS = [*(suite.name for suite in MEETING_SUITES), "code"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_is_one_conversation_to_the_byte(kind: str) -> None:
    assert everything("seed", kind) == everything("seed", kind)
    assert everything("seed", kind) != everything("another", kind)


def test_what_a_seed_gives_is_the_same_in_every_version() -> None:
    """Programs have these ids in their tests."""
    with fixed_keys("a program's own test"):
        assert Identity.generate().id == (
            "e2ee19kxa0g8nynjfn2qv4ln0qc98evj2zhy8j4ffz9hmltf5qwmqfglq3q7yg0"
        )
        assert str(SpokenCode.generate(4)) == "4-fryingpan-dimple-wikipedia"
        assert MemoryJournal().stream.hex() == "2070931e889a93eb6b48bc2ebafa14f2"


def test_a_session_with_fixed_keys_has_no_handshake_with_any_other() -> None:
    alice, bob = Identity.generate(), Identity.generate()
    sessions = Session.initiator(alice), Session.responder(bob)
    with fixed_keys("seed"):
        fixed = Session.initiator(alice), Session.responder(bob)
        with pytest.raises(NotE2EE):
            fixed[1].receive_data(sessions[0].data_to_send())
        opened = fixed[0].data_to_send()
    assert opened.startswith(TEST_MAGIC)
    with pytest.raises(NotE2EE):
        sessions[1].receive_data(opened)


def test_a_session_that_began_with_fixed_keys_takes_no_answer_outside_of_the_block() -> None:
    with fixed_keys("seed"):
        pair = Pair()
        assert pair.step()
        answer = pair.responder.session.data_to_send() or bytes(pair.initiator.incoming.pending)
    with pytest.raises(ProtocolError):
        pair.initiator.session.receive_data(answer)


def test_an_identity_with_fixed_keys_is_nobody_after_the_block() -> None:
    with fixed_keys("seed"):
        fixed = Identity.generate()
    other = Identity.generate()
    pair = Pair((Session.initiator(fixed), Session.responder(other)))
    with pytest.raises(UsageError, match="block that it was made in is over"):
        pair.deliver()
    assert pair.responder.events == []
    pair = Pair((Session.initiator(other), Session.responder(fixed)))
    with pytest.raises(UsageError, match="block that it was made in is over"):
        pair.deliver()
    assert pair.initiator.events == []


def test_an_identity_of_before_is_who_it_was() -> None:
    before = Identity.generate()
    with fixed_keys("seed"):
        Identity.generate()
    pair = Pair((Session.initiator(before), Session.responder(Identity.generate())))
    pair.deliver()
    assert pair.initiator.session.state is State.OPEN


def test_an_identity_with_fixed_keys_is_not_saved(tmp_path: Path) -> None:
    with fixed_keys("seed"):
        identity = Identity.generate()
        with pytest.raises(UsageError, match="everybody can compute"):
            identity.save(tmp_path / "identity")
    assert not list(tmp_path.iterdir())


def test_after_the_block_keys_are_random_again(tmp_path: Path) -> None:
    with fixed_keys("seed"):
        inside = Identity.generate()
    outside = [Identity.generate() for _ in range(2)]
    assert len({inside.id, *(identity.id for identity in outside)}) == 3
    outside[0].save(tmp_path / "identity")
    first, second = Pair(), Pair()
    assert bytes(first.responder.incoming.pending) != bytes(second.responder.incoming.pending)
    first.deliver()
    assert first.initiator.session.state is State.OPEN


def test_a_block_that_raises_leaves_nothing_fixed() -> None:
    with pytest.raises(ZeroDivisionError), fixed_keys("seed"):
        raise ZeroDivisionError
    assert Identity.generate().id != Identity.generate().id
    assert Session.initiator(Identity.generate()).data_to_send().startswith(b"e2ee")


PROGRAM = """
from e2ee import UsageError
from e2ee.testing.fixed_keys import fixed_keys
try:
    with fixed_keys("seed"):
        print("keys are fixed")
except UsageError as error:
    print(error)
"""


@pytest.mark.parametrize("value", [None, ""])
def test_a_program_that_no_test_has_started_gets_no_fixed_keys(value: str | None) -> None:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    if value is not None:
        environment["PYTEST_CURRENT_TEST"] = value
    assert run(environment) == (
        "keys are fixed in tests only: PYTEST_CURRENT_TEST is not set, so none is running\n"
    )


def test_a_program_that_a_test_has_started_gets_them() -> None:
    assert run(dict(os.environ)) == "keys are fixed\n"


def run(environment: dict[str, str]) -> str:
    program = [sys.executable, "-c", PROGRAM]
    return subprocess.run(
        program, env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout


@pytest.mark.parametrize("seed", [None, 5, b"seed"])
def test_a_seed_is_a_string(seed: Any) -> None:
    with pytest.raises(UsageError, match="string"), fixed_keys(seed):
        pass
