"""A file dropped from one program into another. It has its name only once it is whole.

python file_drop.py take IDENTITY_FILE SENDER_ID FOLDER  (prints a port)
python file_drop.py drop IDENTITY_FILE TAKER_ID PORT FILE
"""

import asyncio
import contextlib
import secrets
import sys
import time
from pathlib import Path

from e2ee import E2EEError, Identity, Session
from e2ee.transport import Channel, tcp


async def take(identity: Identity, sender: str, folder: Path) -> None:
    async def keep(channel: Channel) -> None:
        part = folder / f"{secrets.token_hex(8)}.part"  # No name that the sender would choose.
        with contextlib.suppress(E2EEError), part.open("xb") as file:
            while chunk := await channel.receive():  # It raises where the connection was cut.
                file.write(chunk)
            if chunk is not None:  # An empty message says that this was all of it.
                file.flush()
                part.rename(path := part.with_suffix(".file"))
                await channel.send(b"kept")
                print(path, flush=True)
        part.unlink(missing_ok=True)

    def session() -> Session:
        return Session.responder(identity, expected_peer=sender, now=time.time())

    async with await tcp.listen(session, keep, host="127.0.0.1") as listener:
        print(listener.port, flush=True)
        await asyncio.Event().wait()  # Until the program is stopped.


async def drop(identity: Identity, taker: str, port: int, path: Path) -> None:
    session = Session.initiator(identity, expected_peer=taker, now=time.time())
    with path.open("rb") as file:
        async with await tcp.connect("127.0.0.1", port, session) as channel:
            while chunk := file.read(65_000):
                await channel.send(chunk)
            await channel.send(b"")
            print((await channel.receive() or b"not kept").decode())


try:
    match sys.argv[1:]:
        case ["take", file, sender, folder]:
            asyncio.run(take(Identity.load(file), sender, Path(folder)))
        case ["drop", file, taker, port, path]:
            asyncio.run(drop(Identity.load(file), taker, int(port), Path(path)))
        case _:
            sys.exit(__doc__)
except (E2EEError, OSError) as error:
    sys.exit(f"{error}")
