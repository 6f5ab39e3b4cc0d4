"""A service with blocking sockets, and a thread for each client.

python threads_service.py serve IDENTITY_FILE CLIENT_ID  (prints a port)
python threads_service.py call IDENTITY_FILE SERVICE_ID PORT TEXT
"""

import contextlib
import socket
import sys
import threading
import time

from e2ee import E2EEError, Identity, Session
from e2ee.transport.blocking import BlockingChannel


def answer(connection: socket.socket, identity: Identity, client: str) -> None:
    session = Session.responder(identity, expected_peer=client, now=time.time())
    with contextlib.suppress(E2EEError), BlockingChannel.open(connection, session) as channel:
        for message in channel:
            channel.send(message.upper())


def serve(identity: Identity, client: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            threading.Thread(target=answer, args=(server.accept()[0], identity, client)).start()


def call(identity: Identity, service: str, port: int, text: str) -> None:
    session = Session.initiator(identity, expected_peer=service, now=time.time())
    with BlockingChannel.open(socket.create_connection(("127.0.0.1", port)), session) as channel:
        channel.send(text.encode())
        answer = channel.receive()
    if answer is None:
        sys.exit("The service has left without an answer.")
    print(answer.decode())


try:
    match sys.argv[1:]:
        case ["serve", file, client]:
            serve(Identity.load(file), client)
        case ["call", file, service, port, text]:
            call(Identity.load(file), service, int(port), text)
        case _:
            sys.exit(__doc__)
except (E2EEError, OSError) as error:
    sys.exit(f"{error}")
