"""What the program says: lines from the peer on stdout, everything else on stderr.

With ``--json`` each line, on either, is one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from .clean import clean


class Output:
    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._label = "" if as_json or not sys.stdout.isatty() else "peer: "

    def peer_line(self, body: str) -> None:
        """A text from the peer. At a terminal it is marked, so that it cannot pose as ours.

        Raises BrokenPipeError where nobody reads stdout any more.
        """
        line = _json(event="message", text=body) if self._as_json else self._label + clean(body)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def status(self, event: str, human: str, **fields: Any) -> None:
        """Something that the program has to say; ``human`` may have several lines, or none."""
        if self._as_json:
            print(_json(event=event, **fields), file=sys.stderr, flush=True)
        elif human:
            print(human, file=sys.stderr, flush=True)


def _json(**fields: Any) -> str:
    # ASCII only: what a peer sends cannot reach a terminal as anything but \u escapes.
    return json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
