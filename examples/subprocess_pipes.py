"""A program that starts another, as ``ssh`` would, and talks with it over its input and output.

python subprocess_pipes.py ask IDENTITY_FILE CHILD_ID CHILD_IDENTITY_FILE TEXT
"""

import sys
import time
from subprocess import PIPE, Popen
from typing import IO

from e2ee import E2EEError, HandshakeCompleted, Identity, MessageReceived, Session, State


def converse(incoming: IO[bytes], outgoing: IO[bytes], session: Session, text: str = "") -> None:
    """Ask, where there is a text; answer otherwise."""
    while True:
        outgoing.write(session.data_to_send())
        if session.state is State.CLOSED:
            return
        if not (data := incoming.read(65536)):
            session.receive_eof()  # It raises: the other program has ended, not closed.
        for event in session.receive_data(data):
            if isinstance(event, HandshakeCompleted) and text:
                session.send(text.encode())
            elif isinstance(event, MessageReceived) and text:
                print(event.data.decode())
                session.close()
            elif isinstance(event, MessageReceived):
                session.send(event.data.upper())


try:
    match sys.argv[1:]:
        case ["ask", file, child_id, child_file, text]:
            identity = Identity.load(file)
            session = Session.initiator(identity, expected_peer=child_id, now=time.time())
            command = [sys.executable, __file__, "answer", child_file, identity.id]
            with Popen(command, stdin=PIPE, stdout=PIPE, bufsize=0) as child:
                assert child.stdin is not None
                assert child.stdout is not None
                converse(child.stdout, child.stdin, session, text)
        case ["answer", file, parent_id]:
            identity = Identity.load(file)
            session = Session.responder(identity, expected_peer=parent_id, now=time.time())
            with open(0, "rb", buffering=0) as incoming, open(1, "wb", buffering=0) as outgoing:
                converse(incoming, outgoing, session)
        case _:
            sys.exit(__doc__)
except (E2EEError, BrokenPipeError) as error:
    sys.exit(f"{error}")
