"""A web server that joins two clients, and carries nothing but ciphertext between them.

uvicorn --app-dir examples web_relay:app

Two who open a WebSocket at the same path talk with each other: see web_client.py. What they say is
end-to-end encrypted between their ids, and this program has no key.
"""

import asyncio
import contextlib

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

waiting: dict[str, tuple[WebSocket, asyncio.Future[WebSocket]]] = {}
"""By its room: who came first, and what to tell of who comes second."""


async def join(websocket: WebSocket) -> None:
    await websocket.accept()
    room = websocket.path_params["room"]
    if room in waiting:
        other, met = waiting.pop(room)
        met.set_result(websocket)
    else:
        met = asyncio.get_running_loop().create_future()
        waiting[room] = websocket, met
        other = await met
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # One of them has left.
        async for data in websocket.iter_bytes():
            await other.send_bytes(data)
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await other.close()


app = Starlette(routes=[WebSocketRoute("/{room}", join)])
