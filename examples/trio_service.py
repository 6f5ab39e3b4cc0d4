"""A service under trio: the session is driven by hand, as it does no I/O of its own.

python trio_service.py IDENTITY_FILE CLIENT_ID  (prints a port)
"""

import math
import sys
import time

import trio

from e2ee import E2EEError, HandshakeCompleted, Identity, MessageReceived, Session, State


async def answer(stream: trio.SocketStream, session: Session) -> None:
    with trio.fail_after(15) as handshake:
        while session.state is not State.CLOSED:
            await stream.send_all(session.data_to_send())
            if not (data := await stream.receive_some()):
                session.receive_eof()  # It raises: the connection was cut, not closed.
            for event in session.receive_data(data):
                if isinstance(event, HandshakeCompleted):
                    handshake.deadline = math.inf
                elif isinstance(event, MessageReceived):
                    session.send(event.data.upper())
        await stream.send_all(session.data_to_send())


async def serve(identity: Identity, client: str) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        session = Session.responder(identity, expected_peer=client, now=time.time())
        try:
            await answer(stream, session)
        except trio.TooSlowError:
            print("The client did not finish its handshake in time.", file=sys.stderr)
        except (E2EEError, trio.BrokenResourceError) as error:
            print(error, file=sys.stderr)

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    print(listener.socket.getsockname()[1], flush=True)
    await trio.serve_listeners(handle, [listener])


if len(sys.argv) != 3:
    sys.exit(__doc__)
try:
    trio.run(serve, Identity.load(sys.argv[1]), sys.argv[2])
except E2EEError as error:
    sys.exit(f"{error}")
