"""A service over WebSockets, for one client whose id it knows.

python websocket_service.py serve IDENTITY_FILE CLIENT_ID  (prints a port)
python websocket_service.py call IDENTITY_FILE SERVICE_ID PORT TEXT

A web server may stand before it, with ``wss://`` to the outside: it sees ciphertext only.
"""

import asyncio
import sys
import time

from e2ee import E2EEError, Identity, Session
from e2ee.transport import Channel, websocket


async def serve(identity: Identity, client: str) -> None:
    def session() -> Session:
        return Session.responder(identity, expected_peer=client, now=time.time())

    async def answer(channel: Channel) -> None:
        async for message in channel:
            await channel.send(message.upper())

    async with await websocket.listen(session, answer, host="127.0.0.1") as listener:
        print(listener.port, flush=True)
        await asyncio.Event().wait()  # Until the program is stopped.


async def call(identity: Identity, service: str, port: int, text: str) -> None:
    session = Session.initiator(identity, expected_peer=service, now=time.time())
    async with await websocket.connect(f"ws://127.0.0.1:{port}", session) as channel:
        await channel.send(text.encode())
        print((await channel.receive() or b"no answer").decode())


try:
    match sys.argv[1:]:
        case ["serve", file, client]:
            asyncio.run(serve(Identity.load(file), client))
        case ["call", file, service, port, text]:
            asyncio.run(call(Identity.load(file), service, int(port), text))
        case _:
            sys.exit(__doc__)
except E2EEError as error:
    sys.exit(f"{error}")
