"""``e2ee history …``: the options of the commands on what was kept of chats."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .output import Output
from .reports import JsonOption, report_errors


class _ShowFirst(TyperGroup):
    """``show`` need not be named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, "--help"}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ShowFirst,
    help="What was kept of chats. `e2ee history bob` is short for `e2ee history show bob`.",
)

Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="A contact's name or id.", show_default=False)
]


@app.command()
def show(
    name: Name = None,
    search: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only what has this in it.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only from this day on: 2026-11-24.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """What was said, with one contact or with all."""
    output = Output(as_json=json)

    def work() -> None:
        from . import recollection

        recollection.show(output, name, search, since)

    report_errors(output, work)


@app.command()
def delete(
    name: Name = None,
    everybody: Annotated[bool, typer.Option("--all", help="With every contact.")] = False,
    before: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only before this day: 2026-11-24.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete what was kept, for good."""
    output = Output(as_json=False)

    def work() -> None:
        from . import recollection

        recollection.delete(output, name, before, everybody=everybody, ask_first=not yes)

    report_errors(output, work)
