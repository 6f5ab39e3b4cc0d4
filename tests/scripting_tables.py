"""Prints the tables of docs/scripting.md that come from the code.

``python -m tests.scripting_tables`` checks that the page has them as they are now; with
``--write`` it puts them there.
"""

from __future__ import annotations

from e2ee_cli.events import EVENTS
from e2ee_cli.settings import SETTINGS, option, variable
from tests.spec_tables import SPEC, main

PAGE = SPEC.parent / "docs" / "scripting.md"


def settings() -> str:
    lines = ["| key | variable | option | value | default | |", "|---|---|---|---|---|---|"]
    for key, about in SETTINGS.items():
        shown = f"`{option(key)}`" if about.option else ""
        lines.append(
            f"| `{key}` | `{variable(key)}` | {shown} | {about.values} | {about.default} | "
            f"{about.meaning} |"
        )
    return "\n".join(lines)


def events() -> str:
    lines = ["| event | stream | says | fields |", "|---|---|---|---|"]
    for name, event in EVENTS.items():
        stream = "output" if event.result else "error"
        fields = ", ".join(
            f"`{field}`{' (sometimes)' if about.optional else ''}"
            for field, about in event.fields.items()
        )
        lines.append(f"| `{name}` | {stream} | {event.meaning} | {fields} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(PAGE, {"settings": settings, "events": events})
