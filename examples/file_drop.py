"""A file dropped from one program into another, file_take.py: whole or not at all.

python file_drop.py IDENTITY_FILE TAKER_ID PORT FILE
"""

import asyncio
import sys
import time
from pathlib import Path

from e2ee import E2EEError, Identity, Session
from e2ee.transport import tcp


async def drop(identity: Identity, taker: str, port: int, path: Path) -> None:
    session = Session.initiator(identity, expected_peer=taker, now=time.time())
    with path.open("rb") as file:
        async with await tcp.connect("127.0.0.1", port, session) as channel:
            while chunk := file.read(65_000):
                await channel.send(chunk)
            await channel.send(b"")  # This was all of it.
            if await channel.receive() != b"kept":
                sys.exit("The other side has not kept it.")


if len(sys.argv) != 5:
    sys.exit(__doc__)
_, own_file, taker, port, path = sys.argv
try:
    asyncio.run(drop(Identity.load(own_file), taker, int(port), Path(path)))
except (E2EEError, OSError) as error:
    sys.exit(f"{error}")
print("kept")
