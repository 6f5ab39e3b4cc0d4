"""A service with blocking sockets, and a thread for each client.

python threads_service.py serve IDENTITY_FILE CLIENT_ID  (prints a port)
python threads_service.py call IDENTITY_FILE SERVICE_ID PORT TEXT
"""

import contextlib
import socket
import sys
import threading
import time

from e2ee import E2EEError, HandshakeCompleted, Identity, MessageReceived, Session, State


def converse(connection: socket.socket, session: Session, text: str = "") -> None:
    """Ask, where there is a text; answer otherwise."""
    deadline = time.monotonic() + 15
    connection.sendall(session.data_to_send())
    while session.state is not State.CLOSED:
        handshaking = session.state is State.HANDSHAKE
        connection.settimeout(max(deadline - time.monotonic(), 0.001) if handshaking else 90)
        if not (data := connection.recv(65536)):
            session.receive_eof()  # It raises: the connection was cut, not closed.
        for event in session.receive_data(data):
            if isinstance(event, HandshakeCompleted) and text:
                session.send(text.encode())
            elif isinstance(event, MessageReceived) and text:
                print(event.data.decode())
                session.close()
            elif isinstance(event, MessageReceived):
                session.send(event.data.upper())
        connection.sendall(session.data_to_send())


def answer(connection: socket.socket, identity: Identity, client: str) -> None:
    with connection, contextlib.suppress(E2EEError, OSError):
        converse(connection, Session.responder(identity, expected_peer=client, now=time.time()))


def serve(identity: Identity, client: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=(connection, identity, client)).start()


try:
    match sys.argv[1:]:
        case ["serve", file, client]:
            serve(Identity.load(file), client)
        case ["call", file, service, port, text]:
            caller = Session.initiator(Identity.load(file), expected_peer=service, now=time.time())
            with socket.create_connection(("127.0.0.1", int(port))) as connection:
                converse(connection, caller, text)
        case _:
            sys.exit(__doc__)
except (E2EEError, OSError) as error:
    sys.exit(f"{error}")
