"""Transports: streams of bytes, and the channel that runs a session on any of them."""

from e2ee.transport.channel import Channel, Timeouts
from e2ee.transport.stream import Stream

__all__ = ["Channel", "Stream", "Timeouts"]
