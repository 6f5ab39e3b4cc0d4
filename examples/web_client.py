"""Two clients that talk through a web server which cannot listen in: see web_relay.py.

python web_client.py wait IDENTITY_FILE PEER_ID ws://SERVER/ROOM
python web_client.py ask IDENTITY_FILE PEER_ID ws://SERVER/ROOM TEXT
"""

import asyncio
import sys
import time

from e2ee import E2EEError, Identity, Session
from e2ee.transport import Channel, Timeouts, websocket

LONG = Timeouts(handshake=600)  # The other one may come to the room after us.


async def wait(identity: Identity, peer: str, room: str) -> None:
    session = Session.responder(identity, expected_peer=peer, now=time.time())
    stream = await websocket.connect_stream(room)
    async with await Channel.open(stream, session, timeouts=LONG) as channel:
        async for message in channel:
            await channel.send(message.upper())


async def ask(identity: Identity, peer: str, room: str, text: str) -> None:
    session = Session.initiator(identity, expected_peer=peer, now=time.time())
    async with await websocket.connect(room, session, timeouts=LONG) as channel:
        await channel.send(text.encode())
        async for answer in channel:
            print(answer.decode())
            break


try:
    match sys.argv[1:]:
        case ["wait", file, peer, room]:
            asyncio.run(wait(Identity.load(file), peer, room))
        case ["ask", file, peer, room, text]:
            asyncio.run(ask(Identity.load(file), peer, room, text))
        case _:
            sys.exit(__doc__)
except E2EEError as error:
    sys.exit(f"{error}")
