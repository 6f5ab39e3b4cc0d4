"""``e2ee connect``: call a contact, or somebody who listens at an address, and chat."""

from __future__ import annotations

from .calling import stay_connected
from .chat import Chat, Wait
from .dialling import call
from .profile import Profile


async def connect(
    profile: Profile, target: str, *, peer: str | None, wait: Wait, patience: float | None
) -> None:
    """``target`` -- a contact, by name or id, or an address. ``peer`` -- who has to answer there,
    by name or id. ``wait``, ``patience`` -- as for Chat.
    """
    chat = Chat(profile, wait=wait, patience=patience)
    encounter = await call(profile, target, peer=peer)
    await chat.run(stay_connected(chat, encounter), leave_at_end_of_input=True)
