"""A client under trio, of trio_service.py or any other service here that listens on a port.

python trio_client.py IDENTITY_FILE SERVICE_ID PORT TEXT
"""

import sys
import time

import trio

from e2ee import E2EEError, HandshakeCompleted, Identity, MessageReceived, Session, State


async def ask(stream: trio.SocketStream, session: Session, text: str) -> str | None:
    answer = None
    while session.state is not State.CLOSED:
        await stream.send_all(session.data_to_send())
        if not (data := await stream.receive_some()):
            session.receive_eof()  # It raises: the connection was cut, not closed.
        for event in session.receive_data(data):
            if isinstance(event, HandshakeCompleted):
                session.send(text.encode())
            elif isinstance(event, MessageReceived):
                answer = event.data.decode()
                session.close()
    return answer


async def call(identity: Identity, service: str, port: int, text: str) -> str | None:
    session = Session.initiator(identity, expected_peer=service, now=time.time())
    with trio.fail_after(15):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            return await ask(stream, session, text)


if len(sys.argv) != 5:
    sys.exit(__doc__)
_, file, service, port, text = sys.argv
try:
    answer = trio.run(call, Identity.load(file), service, int(port), text)
except trio.TooSlowError:
    sys.exit("The service did not answer in time.")
except (E2EEError, OSError, trio.BrokenResourceError) as error:
    sys.exit(f"{error}")
if answer is None:
    sys.exit("The service has left without an answer.")
print(answer)
