"""A service under trio: the session is driven by hand, as it does no I/O of its own.

python trio_service.py serve IDENTITY_FILE CLIENT_ID  (prints a port)
python trio_service.py call IDENTITY_FILE SERVICE_ID PORT TEXT
"""

import functools
import math
import sys
import time

import trio

from e2ee import E2EEError, HandshakeCompleted, Identity, MessageReceived, Session, State


async def converse(stream: trio.SocketStream, session: Session, text: str = "") -> None:
    """Ask, where there is a text; answer otherwise."""
    with trio.CancelScope(deadline=trio.current_time() + 15) as handshake:
        await stream.send_all(session.data_to_send())
        while session.state is not State.CLOSED:
            if not (data := await stream.receive_some()):
                session.receive_eof()  # It raises: the connection was cut, not closed.
            for event in session.receive_data(data):
                if isinstance(event, HandshakeCompleted):
                    handshake.deadline = math.inf
                    if text:
                        session.send(text.encode())
                elif isinstance(event, MessageReceived) and text:
                    print(event.data.decode())
                    session.close()
                elif isinstance(event, MessageReceived):
                    session.send(event.data.upper())
            await stream.send_all(session.data_to_send())


async def serve(identity: Identity, client: str) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        session = Session.responder(identity, expected_peer=client, now=time.time())
        try:
            await converse(stream, session)
        except (E2EEError, trio.BrokenResourceError) as error:
            print(error, file=sys.stderr)

    async with trio.open_nursery() as nursery:
        listen = functools.partial(trio.serve_tcp, answer, 0, host="127.0.0.1")
        listeners = await nursery.start(listen)
        print(listeners[0].socket.getsockname()[1], flush=True)


async def call(identity: Identity, service: str, port: int, text: str) -> None:
    session = Session.initiator(identity, expected_peer=service, now=time.time())
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await converse(stream, session, text)


try:
    match sys.argv[1:]:
        case ["serve", file, client]:
            trio.run(serve, Identity.load(file), client)
        case ["call", file, service, port, text]:
            trio.run(call, Identity.load(file), service, int(port), text)
        case _:
            sys.exit(__doc__)
except (E2EEError, trio.BrokenResourceError) as error:
    sys.exit(f"{error}")
