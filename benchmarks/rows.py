"""What is compared, and what is aimed at: the rows of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Better(Enum):
    """What a ratio is: our speed by the other's, or our time by the other's."""

    FASTER = "at least"
    SHORTER = "at most"


@dataclass(frozen=True, slots=True)
class Row:
    """``group`` and ``comparison`` say where it was measured, ``ours`` and ``other`` who."""

    text: str
    group: str
    comparison: str
    other: str
    target: float | None = None
    ours: str = "e2ee"
    better: Better = Better.FASTER


ROWS = (
    Row("seal 64 B", "warm", "seal 64 B", "AESGCM", 0.65),
    Row("seal 1 KiB", "warm", "seal 1 KiB", "AESGCM", 0.60),
    Row("seal 16 KiB", "warm", "seal 16 KiB", "AESGCM", 0.75),
    Row("seal 64 KiB", "warm", "seal 64 KiB", "AESGCM", 0.90),
    Row("open 64 B", "warm", "open 64 B", "AESGCM", 0.50),
    Row("open 1 KiB", "warm", "open 1 KiB", "AESGCM", 0.52),
    Row("open 16 KiB", "warm", "open 16 KiB", "AESGCM", 0.72),
    Row("open 64 KiB", "warm", "open 64 KiB", "AESGCM", 0.85),
    Row("seal 16 KiB, cold", "cold", "seal 16 KiB", "AESGCM", 0.75),
    Row("seal 64 KiB, cold", "cold", "seal 64 KiB", "AESGCM", 0.75),
    Row("open 16 KiB, cold", "cold", "open 16 KiB", "AESGCM", 0.75),
    Row("open 64 KiB, cold", "cold", "open 64 KiB", "AESGCM", 0.75),
    Row("seal 16 queued messages of 64 B", "warm", "seal 16 queued", "AESGCM", 3.5),
    Row("open 16 queued messages of 64 B", "warm", "open 16 queued", "AESGCM", 1.8),
    Row("64 MiB in memory", "warm", "bulk", "AESGCM", 0.80),
    Row("64 MiB in memory", "warm", "bulk", "ssl", 2.4),
    Row("64 MiB in memory", "warm", "bulk", "pyOpenSSL"),
    Row("64 MiB in memory, VAES masked", "masked", "bulk", "ssl"),
    Row("handshake XX", "warm", "handshake", "its primitives, XX", 0.72, "e2ee, engine"),
    Row("handshake XX", "warm", "handshake", "ssl", 3.0, "e2ee, engine"),
    Row("handshake XX", "warm", "handshake", "noiseprotocol", None, "e2ee, engine"),
    Row("handshake XX", "warm", "handshake", "dissononce", None, "e2ee, engine"),
    Row("handshake, classical", "warm", "handshake", "ssl", None, "e2ee, classical"),
    Row("handshake, hybrid", "warm", "handshake", "its primitives", 0.72, "e2ee, hybrid"),
    Row("handshake, hybrid", "warm", "handshake", "ssl", 1.2, "e2ee, hybrid"),
    Row("handshake, hybrid", "warm", "handshake", "pyOpenSSL", None, "e2ee, hybrid"),
    Row("64 MiB over TCP", "tcp", "TCP bulk", "ssl", 2.3),
    Row("64 MiB over TCP, VAES masked", "masked", "TCP bulk", "ssl", 1.4),
    Row("64 B to and fro over TCP", "tcp", "TCP ping", "ssl", 0.75, better=Better.SHORTER),
    Row(
        "`e2ee --help`",
        "start",
        "start",
        'python -c "import typer"',
        1.2,
        "e2ee --help",
        Better.SHORTER,
    ),
    Row(
        "`e2ee --version`",
        "start",
        "start",
        'python -c "import typer"',
        0.5,
        "e2ee --version",
        Better.SHORTER,
    ),
)

MEMORY_TARGETS = {"sessions": 4 * 1024, "connections": 8 * 1024}
"""Bytes of each that is idle, at most."""

PASSING = ("64 B", "1 KiB", "16 KiB", "64 KiB")
PASSERS = ("e2ee", "AESGCM", "ssl", "pyOpenSSL", "noiseprotocol", "dissononce")

HANDSHAKES = {
    "e2ee, hybrid": "X25519 and ML-KEM-768, Ed25519 certificates",
    "e2ee, classical": "X25519, Ed25519 certificates",
    "ssl": "X25519, Ed25519 certificates",
    "pyOpenSSL": "X25519 and ML-KEM-768, Ed25519 certificates",
    "e2ee, engine": "X25519, no certificates",
    "noiseprotocol": "X25519, no certificates",
    "dissononce": "X25519, no certificates",
}
