"""Takes files that file_drop.py drops. Each has its name only once it is whole.

python file_take.py IDENTITY_FILE SENDER_ID FOLDER  (prints a port)
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


if len(sys.argv) != 4:
    sys.exit(__doc__)
_, file, sender, folder = sys.argv
try:
    asyncio.run(take(Identity.load(file), sender, Path(folder)))
except E2EEError as error:
    sys.exit(f"{error}")
