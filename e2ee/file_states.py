"""What each state of a transfer makes of each message, and how many may run. SPEC.md section 19.2.

Both sides have the same states; the table below has what the peer may say. What one does oneself
leads on too: the receiver's accept from OFFERED to ACCEPTED (a folder's to RUNNING), the sender's
start and end to RUNNING and ENDED, the receiver's done to GONE, an abort of one's own to ABORTING.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from e2ee.errors import UnexpectedMessage

WINDOW = 2**20
"""Bytes of file data that a sender may have on its way without acknowledgement, of all transfers
together: a chat line waits behind no more, and a stalled disk stops the sender."""

MAX_OFFERS = 100
"""Files and folders that one side may have offered without their end having come."""

MAX_RUNNING = 16
"""Files of one side that may have started and not ended, those of folders included."""

MAX_MEMBERS = 8
"""Files of one folder that may be offered and not done."""


class Part(Enum):
    SENT_FILE = "file, sender"
    SENT_FOLDER = "folder, sender"
    RECEIVED_FILE = "file, receiver"
    RECEIVED_FOLDER = "folder, receiver"


class State(Enum):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    RUNNING = "running"
    ENDED = "ended"
    """All is sent, or has come; not yet done."""
    ABORTING = "aborting"
    """We have sent file_abort, and wait for the peer's; what it sent before that is ignored."""
    GONE = "gone"


TABLE: dict[tuple[Part, State, str], State] = {
    (Part.SENT_FILE, State.OFFERED, "file_accept"): State.ACCEPTED,
    (Part.SENT_FILE, State.OFFERED, "file_decline"): State.GONE,
    (Part.SENT_FILE, State.RUNNING, "file_ack"): State.RUNNING,
    (Part.SENT_FILE, State.ENDED, "file_ack"): State.ENDED,
    (Part.SENT_FILE, State.ENDED, "file_done"): State.GONE,
    (Part.SENT_FILE, State.ABORTING, "file_accept"): State.ABORTING,
    (Part.SENT_FILE, State.ABORTING, "file_decline"): State.GONE,
    (Part.SENT_FILE, State.ABORTING, "file_ack"): State.ABORTING,
    (Part.SENT_FILE, State.ABORTING, "file_done"): State.GONE,
    (Part.SENT_FOLDER, State.OFFERED, "file_accept"): State.RUNNING,
    (Part.SENT_FOLDER, State.OFFERED, "file_decline"): State.GONE,
    (Part.SENT_FOLDER, State.ENDED, "file_done"): State.GONE,
    (Part.SENT_FOLDER, State.ABORTING, "file_accept"): State.ABORTING,
    (Part.SENT_FOLDER, State.ABORTING, "file_decline"): State.GONE,
    (Part.SENT_FOLDER, State.ABORTING, "file_done"): State.GONE,
    (Part.RECEIVED_FILE, State.ACCEPTED, "file_start"): State.RUNNING,
    (Part.RECEIVED_FILE, State.RUNNING, "data"): State.RUNNING,
    (Part.RECEIVED_FILE, State.RUNNING, "file_end"): State.ENDED,
    (Part.RECEIVED_FILE, State.ABORTING, "file_start"): State.ABORTING,
    (Part.RECEIVED_FILE, State.ABORTING, "data"): State.ABORTING,
    (Part.RECEIVED_FILE, State.ABORTING, "file_end"): State.ABORTING,
    (Part.RECEIVED_FOLDER, State.RUNNING, "folder_file"): State.RUNNING,
    (Part.RECEIVED_FOLDER, State.ABORTING, "folder_file"): State.ABORTING,
    **{
        (part, state, "file_abort"): State.GONE
        for part in Part
        for state in State
        if state is not State.GONE
        and not (part in {Part.SENT_FOLDER, Part.RECEIVED_FOLDER} and state is State.ACCEPTED)
    },
}
"""A triple that is not here is a breach of protocol."""

FOLDERS_ONLY = frozenset({"file_decline", "file_abort"})
"""What is said of a folder as a whole, and never of a file in it."""


class Transfer(Protocol):
    """What a step needs to know of a transfer."""

    state: State

    @property
    def part(self) -> Part: ...

    @property
    def in_folder(self) -> bool: ...


def step(transfer: Transfer, kind: str) -> State:
    """The state that a message of this kind leads to. Raises UnexpectedMessage."""
    following = TABLE.get((transfer.part, transfer.state, kind))
    if following is None or (transfer.in_folder and kind in FOLDERS_ONLY):
        raise UnexpectedMessage(
            f"the peer sent {kind} for a transfer that is {transfer.state.value}"
        )
    return following
