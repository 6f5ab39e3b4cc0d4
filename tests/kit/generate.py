"""Makes the files of the kit: ``python -m tests.kit.generate``.

It gives the same bytes at every run; ``--check`` only says whether the files are these.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from . import (
    certificates,
    chats,
    controls,
    files,
    handshakes,
    hellos,
    keys,
    messages,
    pipes,
    preambles,
    records,
    texts,
    transfers,
)
from .case import FOLDER, Case

SOURCES = (
    preambles,
    handshakes,
    keys,
    certificates,
    records,
    controls,
    texts,
    messages,
    files,
    hellos,
    chats,
    pipes,
    transfers,
)


def made() -> Iterator[Case]:
    """Every case, as it is made today."""
    for source in SOURCES:
        yield from source.cases()


def difference() -> set[str]:
    """Names of files that are not as they are made."""
    texts, present = _texts(), _present()
    return (texts.keys() ^ present) | {
        name for name in texts.keys() & present if (FOLDER / name).read_text("ascii") != texts[name]
    }


def _texts() -> dict[str, str]:
    texts: dict[str, str] = {}
    for case in made():
        assert f"{case.name}.txt" not in texts, case.name
        texts[f"{case.name}.txt"] = case.text()
    return texts


def _present() -> set[str]:
    return {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.txt")}


def main() -> None:
    if "--check" in sys.argv:
        if differ := sorted(difference()):
            raise SystemExit(f"not as they are made: {', '.join(differ)}")
        return
    texts = _texts()
    for name in _present() - texts.keys():
        (FOLDER / name).unlink()
    for name, text in texts.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "ascii")


if __name__ == "__main__":
    main()
