"""A service over TCP under asyncio, for the clients whose ids it knows.

python asyncio_service.py serve IDENTITY_FILE CLIENTS_FILE  (an id on each line; prints a port)
python asyncio_service.py call IDENTITY_FILE SERVICE_ID PORT TEXT
"""

import asyncio
import sys
import time
from pathlib import Path

from e2ee import E2EEError, Identity, Session
from e2ee.transport import Channel, tcp


async def serve(identity: Identity, clients: list[str]) -> None:
    async def answer(channel: Channel) -> None:
        if channel.peer.id not in clients:
            return  # The channel is closed for us.
        async for message in channel:
            await channel.send(message.upper())

    def session() -> Session:
        return Session.responder(identity, now=time.time())

    async with await tcp.listen(session, answer, host="127.0.0.1") as listener:
        print(listener.port, flush=True)
        await asyncio.Event().wait()  # Until the program is stopped.


async def call(identity: Identity, service: str, port: int, text: str) -> None:
    session = Session.initiator(identity, expected_peer=service, now=time.time())
    async with await tcp.connect("127.0.0.1", port, session) as channel:
        await channel.send(text.encode())
        answer = await channel.receive()
    if answer is None:
        sys.exit("The service does not know us.")
    print(answer.decode())


try:
    match sys.argv[1:]:
        case ["serve", file, clients]:
            asyncio.run(serve(Identity.load(file), Path(clients).read_text().split()))
        case ["call", file, service, port, text]:
            asyncio.run(call(Identity.load(file), service, int(port), text))
        case _:
            sys.exit(__doc__)
except (E2EEError, OSError) as error:
    sys.exit(f"{error}")
