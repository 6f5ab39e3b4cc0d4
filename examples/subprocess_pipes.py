"""A program that starts another, and talks with it over its standard input and output.

python subprocess_pipes.py ask IDENTITY_FILE CHILD_ID CHILD_IDENTITY_FILE TEXT

It starts itself as the other one. In earnest that is ``ssh`` to a machine where it runs: whatever
is on the way sees ciphertext only, and the program at the end is known by its id.
"""

import subprocess
import sys
import time
from typing import IO

from e2ee import E2EEError, HandshakeCompleted, Identity, MessageReceived, Session, State


def converse(incoming: IO[bytes], outgoing: IO[bytes], session: Session, text: str = "") -> None:
    """Ask, where there is a text; answer otherwise."""
    while True:
        outgoing.write(session.data_to_send())
        outgoing.flush()
        if session.state is State.CLOSED:
            return
        if not (data := incoming.read1(65536)):  # type: ignore[attr-defined] # Buffered ones do.
            session.receive_eof()  # It raises: the other program has ended, not closed.
        for event in session.receive_data(data):
            if isinstance(event, HandshakeCompleted) and text:
                session.send(text.encode())
            elif isinstance(event, MessageReceived) and text:
                print(event.data.decode())
                session.close()
            elif isinstance(event, MessageReceived):
                session.send(event.data.upper())


def ask(identity: Identity, child_id: str, command: list[str], text: str) -> None:
    session = Session.initiator(identity, expected_peer=child_id, now=time.time())
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        converse(child.stdout, child.stdin, session, text)


try:
    match sys.argv[1:]:
        case ["ask", file, child_id, child_file, text]:
            identity = Identity.load(file)
            command = [sys.executable, __file__, "answer", child_file, identity.id]
            ask(identity, child_id, command, text)
        case ["answer", file, parent_id]:
            session = Session.responder(
                Identity.load(file), expected_peer=parent_id, now=time.time()
            )
            converse(sys.stdin.buffer, sys.stdout.buffer, session)
        case _:
            sys.exit(__doc__)
except (E2EEError, BrokenPipeError) as error:
    sys.exit(f"{error}")
