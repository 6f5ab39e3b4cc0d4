"""The inputs that are kept, one in hexadecimal on each line.

``TARGET.hex`` has what together reaches all that fuzzing has reached, and is written by it;
``TARGET.found.hex``, by hand, what once broke a promise, and stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"


def read(target: str) -> list[bytes]:
    """All inputs of a target."""
    paths = (FOLDER / f"{target}.hex", FOLDER / f"{target}.found.hex")
    return [
        bytes.fromhex(line)
        for path in paths
        if path.exists()
        for line in path.read_text().splitlines()
    ]


def write(target: str, inputs: Iterable[bytes]) -> None:
    """Shortest first, each once."""
    ordered = sorted(set(inputs), key=lambda data: (len(data), data))
    (FOLDER / f"{target}.hex").write_text("".join(f"{data.hex()}\n" for data in ordered))


def unpack(inputs: Iterable[bytes], folder: Path) -> None:
    """As a fuzzer wants them: a file each."""
    for number, data in enumerate(inputs):
        (folder / f"{number:05}").write_bytes(data)


def pack(folder: Path) -> set[bytes]:
    """What a fuzzer has left there."""
    return {path.read_bytes() for path in folder.iterdir()}
