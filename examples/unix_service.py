"""A service on a Unix socket, for one other program on this machine whose id it knows.

python unix_service.py serve IDENTITY_FILE CLIENT_ID PATH  (prints the path)
python unix_service.py call IDENTITY_FILE SERVICE_ID PATH TEXT

The file's mode keeps other users out; the ids also hold where the socket is passed on, as by ssh.
"""

import asyncio
import sys
import time

from e2ee import E2EEError, Identity, Session
from e2ee.transport import Channel, unix


async def serve(identity: Identity, client: str, path: str) -> None:
    def session() -> Session:
        return Session.responder(identity, expected_peer=client, now=time.time())

    async def answer(channel: Channel) -> None:
        async for message in channel:
            await channel.send(message.upper())

    async with await unix.listen(session, answer, path=path) as listener:
        print(listener.path, flush=True)
        await asyncio.Event().wait()  # Until the program is stopped.


async def call(identity: Identity, service: str, path: str, text: str) -> None:
    session = Session.initiator(identity, expected_peer=service, now=time.time())
    async with await unix.connect(path, session) as channel:
        await channel.send(text.encode())
        print((await channel.receive() or b"no answer").decode())


try:
    match sys.argv[1:]:
        case ["serve", file, client, path]:
            asyncio.run(serve(Identity.load(file), client, path))
        case ["call", file, service, path, text]:
            asyncio.run(call(Identity.load(file), service, path, text))
        case _:
            sys.exit(__doc__)
except E2EEError as error:
    sys.exit(f"{error}")
