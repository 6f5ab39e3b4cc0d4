"""The command line: each command's options, and what becomes of its errors.

A command imports what it needs when it runs: most calls need little of it, and completion and
``--help`` none.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Annotated, Literal, NoReturn

import typer

from e2ee.limits import MAX_PORT

from . import contact_commands, core_dumps, history_commands, identity_commands, settings
from .clean import clean
from .completion import ASKED, SCRIPTS, Shell, answer
from .exits import CliError, Exit
from .output import Output
from .reports import JsonOption, report, report_errors
from .settings import DEFAULT_PORT
from .ways import PROFILE_VARIABLE

app = typer.Typer(
    name="e2ee",
    help="End-to-end encrypted chat between two terminals. Begin with: e2ee demo",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.add_typer(contact_commands.app, name="contact")
app.add_typer(identity_commands.app, name="id")
app.add_typer(history_commands.app, name="history")

Peer = Annotated[
    str | None,
    typer.Option(metavar="WHO", help="Only this contact, or this id (e2ee1…)."),
]
Host = Annotated[
    str | None, typer.Option(metavar="HOST", help="Listen on this address or name, not on all.")
]
Port = Annotated[
    int, typer.Option(metavar="PORT", min=0, max=MAX_PORT, help="Port; 0 for any free one.")
]
Require = Annotated[
    Literal["seen", "invited", "verified"] | None,
    typer.Option(metavar="GRADE", help="Only who is at least seen, invited or verified."),
]
Plain = Annotated[bool, typer.Option("--plain", help="Never redraw: for screen readers and logs.")]
History = Annotated[
    bool, typer.Option("--history", help="Keep what is said, encrypted; see e2ee history.")
]
Alias = Annotated[str, typer.Option("--as", metavar="NAME", help="What I call the other person.")]


def _be(profile: str | None) -> None:
    """Before the other options, whose defaults are the profile's."""
    if profile is not None:
        if not profile:
            raise typer.BadParameter("a profile has a name")
        os.environ[PROFILE_VARIABLE] = profile


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.")
    ] = False,
    profile: Annotated[  # noqa: ARG001 -- its callback has it
        str | None,
        typer.Option(
            metavar="NAME",
            help="Be this one of several people; also E2EE_PROFILE.",
            is_eager=True,
            callback=_be,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what I do.")] = False,
    log_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write what I do to the end of this file.")
    ] = None,
) -> None:
    Output.quiet = quiet
    if verbose or log_file is not None:
        from . import logs

        output = Output(as_json=_json_is_asked_for())
        logs.begin(output, verbose=verbose and not quiet, file=log_file)
    Output.tell_observers("started", command=context.invoked_subcommand)
    if show_version:
        from .version import version_line

        typer.echo(version_line())
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def demo(
    wire: Annotated[
        bool, typer.Option("--wire", help="Show the bytes that an eavesdropper sees.")
    ] = False,
) -> None:
    """Chat with a second process on this machine; nothing else is needed.

    At a terminal what I say is read from standard input, a line at a time.
    """
    from . import demo as demonstration
    from .signals import run

    output = Output(as_json=False, always_label=True)
    report_errors(output, lambda: run(demonstration.demo(wire=wire, output=output)))


@app.command()
def listen(
    host: Host = None,
    port: Port = DEFAULT_PORT,
    known: Annotated[
        bool, typer.Option("--known", help="Answer contacts only; give others not a byte.")
    ] = False,
    visible: Annotated[
        bool, typer.Option("--visible", help="Show contacts on this network that I am here.")
    ] = False,
    peer: Peer = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when the first who has come leaves.")
    ] = False,
    require: Require = None,
    plain: Plain = False,
    history: History = False,
    json: JsonOption = False,
) -> None:
    """Wait for people to connect, and chat with each.

    What I say is read from standard input, when somebody has come.
    """
    from . import listen as listening
    from .profile import open_profile
    from .signals import run

    output = Output(as_json=json)

    def work() -> None:
        profile = open_profile(require, output, plain=plain, history=history)
        run(listening.listen(profile, host, port, known=known, seen=visible, peer=peer, once=once))

    report_errors(output, work)


@app.command()
def connect(
    target: Annotated[
        str,
        typer.Argument(
            metavar="NAME | HOST[:PORT]", help="A contact, or an address.", show_default=False
        ),
    ],
    peer: Peer = None,
    wait: Annotated[
        Literal["sent", "delivered"],
        typer.Option(metavar="HOW", help="End when all is sent, or delivered."),
    ] = "delivered",
    timeout: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Wait so long for that; else exit code 6."),
    ] = None,
    require: Require = None,
    plain: Plain = False,
    history: History = False,
    json: JsonOption = False,
) -> None:
    """Connect to somebody who listens, and chat.

    What I say is read from standard input, a line at a time. Its end is the end of the chat.
    """
    from . import connect as connecting
    from .profile import open_profile
    from .signals import run

    output = Output(as_json=json)

    def work() -> None:
        profile = open_profile(require, output, plain=plain, history=history)
        run(connecting.connect(profile, target, peer=peer, wait=wait, patience=timeout))

    report_errors(output, work)


@app.command()
def nearby(json: JsonOption = False) -> None:
    """Which contacts show on this network that they are listening."""
    from .book import Book
    from .home import own_identity
    from .signals import run
    from .who_is_nearby import show_nearby

    output = Output(as_json=json)
    report_errors(output, lambda: run(show_nearby(Book(own_identity(output)), output)))


@app.command()
def doctor(json: JsonOption = False) -> None:
    """Look for what may keep me from chatting, and say what to do. Changes nothing."""
    from . import doctor as diagnosis
    from .signals import run

    output = Output(as_json=json)
    report_errors(output, lambda: run(diagnosis.doctor(output)))


@app.command()
def send(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Files and folders.", show_default=False)
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="NAME | HOST[:PORT]", help="A contact, or an address.", show_default=False
        ),
    ],
    peer: Peer = None,
    require: Require = None,
    json: JsonOption = False,
) -> None:
    """Send files and folders to somebody who runs e2ee receive."""
    from . import send as sending
    from .profile import open_profile
    from .signals import run

    output = Output(as_json=json)

    def work() -> None:
        profile = open_profile(require, output)
        run(sending.send(profile, files, target, peer=peer, as_json=json))

    report_errors(output, work)


@app.command()
def receive(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Where they go.")] = ".",
    host: Host = None,
    port: Port = DEFAULT_PORT,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take everything from contacts, without a question.")
    ] = False,
    peer: Peer = None,
    require: Require = None,
    json: JsonOption = False,
) -> None:
    """Wait for somebody to send files, and take what I want of them.

    Whether I want a file is asked at a terminal: yes or no is read from standard input.
    """
    from . import receive as receiving
    from .profile import open_profile
    from .signals import run

    output = Output(as_json=json)

    def work() -> None:
        profile = open_profile(require, output)
        run(receiving.receive(profile, folder, host, port, peer=peer, yes=yes, as_json=json))

    report_errors(output, work)


@app.command()
def pipe(
    context: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME | HOST[:PORT]",
            help="A contact, or an address.",
            show_default=False,
        ),
    ] = None,
    listen: Annotated[bool, typer.Option("--listen", help="Wait for the other side.")] = False,
    host: Host = None,
    port: Port = DEFAULT_PORT,
    known: Annotated[
        bool, typer.Option("--known", help="Answer contacts only; give others not a byte.")
    ] = False,
    peer: Peer = None,
    require: Require = None,
    json: JsonOption = False,
) -> None:
    """Join standard input and output with those of e2ee pipe on another machine.

    Standard input is read to its end, as bytes. --host, --port and --known need --listen.
    """
    from . import pipe as piping
    from .output import Terse
    from .profile import open_profile
    from .signals import run

    output = Terse(as_json=json)

    def work() -> None:
        given = [name for name in ("host", "port", "known") if _is_given(context, name)]
        piping.check_usage(target, listen=listen, for_listening=given)
        profile = open_profile(require, output)
        if target is not None:
            run(piping.pipe_to(profile, target, peer=peer))
        else:
            run(piping.wait_for_pipe(profile, host, port, known=known, peer=peer))

    report_errors(output, work)


@app.command()
def join(
    code: Annotated[
        str | None,
        typer.Argument(help="The spoken code. Without it I ask: safer.", show_default=False),
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="Ask for a link, not for a code.")] = False,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Read the code or the link from this file.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="HOST[:PORT]", help="Where the inviter is, if not on this network."),
    ] = None,
    alias: Alias = "",
    require: Require = None,
    plain: Plain = False,
    history: History = False,
    json: JsonOption = False,
) -> None:
    """Come in by somebody's invitation, and chat.

    Standard input is read: the code or the link, where nothing else gives it, and then what I
    say, a line at a time. Its end is the end of the chat.
    """
    from . import join as joining
    from .profile import open_profile
    from .signals import run

    output = Output(as_json=json)

    def work() -> None:
        profile = open_profile(require, output, plain=plain, history=history)
        run(joining.join(profile, code, by_link=link, file=file, at=at, name=alias))

    report_errors(output, work)


invite_app = typer.Typer()
app.add_typer(invite_app, name="invite")


@invite_app.callback(invoke_without_command=True)
def invite(
    context: typer.Context,
    link: Annotated[
        bool, typer.Option("--link", help="By a link to paste, not by a code to speak.")
    ] = False,
    expires: Annotated[
        str, typer.Option(metavar="TIME", help="A link is good for: 30m, 12h, 1d, 2w.")
    ] = "1d",
    at: Annotated[
        str | None,
        typer.Option(metavar="HOST[:PORT]", help="Tell the other person this address."),
    ] = None,
    host: Host = None,
    port: Port = DEFAULT_PORT,
    alias: Alias = "",
    require: Require = None,
    plain: Plain = False,
    history: History = False,
    json: JsonOption = False,
) -> None:
    """Let somebody in who shares nothing with me yet, and chat.

    What I say is read from standard input, when somebody has come.
    """
    if (command := context.invoked_subcommand) is not None:
        given = [name for name in context.params if _is_given(context, name)]
        if given:
            option = {"alias": "as"}.get(given[0], given[0])
            raise typer.BadParameter(f"--{option} has no place before {command}")
        return
    from . import invite as inviting
    from .profile import open_profile
    from .signals import run

    output = Output(as_json=json)

    def work() -> None:
        lifetime = inviting.parse_lifetime(expires)
        profile = open_profile(require, output, plain=plain, history=history)
        if link:
            run(inviting.invite_by_link(profile, host, port, at=at, lifetime=lifetime, name=alias))
        else:
            run(inviting.invite_by_code(profile, host, port, at=at, name=alias))

    report_errors(output, work)


@invite_app.command("list")
def list_links(json: JsonOption = False) -> None:
    """The links that are pending."""
    from . import invite as inviting
    from .book import Book
    from .home import own_identity

    output = Output(as_json=json)
    report_errors(output, lambda: inviting.list_links(Book(own_identity(output)), output))


@invite_app.command("revoke")
def revoke_link(
    link: Annotated[str, typer.Argument(metavar="LINK", help="Its eight digits in the list.")],
    json: JsonOption = False,
) -> None:
    """Make a pending link useless."""
    from . import invite as inviting
    from .book import Book
    from .home import own_identity

    output = Output(as_json=json)
    report_errors(output, lambda: inviting.revoke_link(Book(own_identity(output)), link, output))


@app.command()
def schema() -> None:
    """The JSON Schema of what --json says."""
    from json import dumps

    from .events import schema as json_schema

    typer.echo(dumps(json_schema(), indent=2))


@app.command()
def completion(shell: Annotated[Shell, typer.Argument(help="For which shell.")]) -> None:
    """A script that completes e2ee's words: eval "$(e2ee completion bash)"."""
    typer.echo(SCRIPTS[shell])


def main() -> NoReturn:
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        # What the terminal's encoding lacks is shown as an escape, not as a traceback.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # For errors from before a command has begun.
    output = Output(as_json=_json_is_asked_for())
    began = time.monotonic()
    command = typer.main.get_command(app)
    if ASKED in os.environ:
        sys.stdout.write(answer(command, sys.argv[1:]))
        sys.exit(Exit.OK)
    if "--help" not in sys.argv:  # Which is there whatever the configuration says.
        core_dumps.forbid()
        settings.apply(command, lenient="doctor" in sys.argv)  # Which says what is wrong.
    try:
        code = command(standalone_mode=False) or 0
    except typer.TyperException as error:
        code = error.exit_code
        context = getattr(error, "ctx", None)
        called = "e2ee" if context is None else context.command_path
        # It may have several lines, say the class of an error, and name what was typed.
        text = clean(" ".join(error.format_message().split())).replace("Value error, ", "")
        end = " See" if text.endswith("?") else "; see"
        message = f"{text.rstrip('.')}{end} {called} --help"
        report(output, message, code, type(error).__name__)
    except CliError as error:
        code = error.code
        report(output, str(error), code, type(error).__name__)
    except OSError as error:  # From --help and --version; commands report their own.
        code = Exit.FILES
        message = f"cannot write to standard output: {error.strerror}"
        report(output, message, code, type(error).__name__)
    Output.tell_observers("ended", code=int(code), seconds=round(time.monotonic() - began, 3))
    sys.exit(code)


def _is_given(context: typer.Context, name: str) -> bool:
    """On the command line, whatever its default is."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _json_is_asked_for() -> bool:
    return "--json" in sys.argv


def _open_missing_streams() -> None:
    """Where a standard stream is closed, the next file or socket would take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, "r" if number == 0 else "w"))  # noqa: SIM115
