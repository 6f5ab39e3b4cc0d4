"""Completion in a shell: scripts that ask this program, and what it answers them.

A script calls ``e2ee`` with the words before the cursor and the one at it, and ``ASKED`` in the
environment. The answer has a line for each word that would fit: the word, a tab, what it means. A
line that begins with a tab says that the name of a file would fit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from .ways import PROFILE_VARIABLE

Shell = Literal["bash", "zsh", "fish"]

ASKED = "_E2EE_COMPLETE"

CONTACT, FILE = {"NAME", "PEER", "WHO"}, {"FILE", "DIR"}
"""What the metavar of a value may have for a word: which says what to complete it with."""

NO_CONTACT = {"--profile", "--as"}
"""Options with other names than those of contacts."""

# No answer is ever evaluated: names of contacts may hold anything that a shell would run.
SCRIPTS: dict[Shell, str] = {
    "bash": r"""_e2ee() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            $'\t'*) compopt -o default ;;
            *) COMPREPLY+=("$(printf '%q' "${line%%$'\t'*}")") ;;
        esac
    done < <(_E2EE_COMPLETE=1 "$1" "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _e2ee e2ee""",
    "zsh": r"""#compdef e2ee
_e2ee() {
    local line
    local -a values shown
    while IFS= read -r line; do
        if [[ $line == $'\t'* ]]; then
            _files
            return
        fi
        values+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  }")
    done < <(_E2EE_COMPLETE=1 "${words[1]}" "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    compadd -l -d shown -a values
}
if [[ ${funcstack[1]} == _e2ee ]]; then
    _e2ee
else
    compdef _e2ee e2ee
fi""",
    "fish": r"""function __e2ee_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines (env _E2EE_COMPLETE=1 $words 2>/dev/null)
    if string match -q \t'*' -- $lines[1]
        __fish_complete_path (commandline -ct)
    else if set -q lines[1]
        printf '%s\n' $lines
    end
end
complete -c e2ee -f -a '(__e2ee_complete)'""",
}


class _Place(NamedTuple):
    """Where the cursor is: in which command, behind how many arguments, behind which option."""

    command: Any
    given: int
    option: Any


def answer(command: Any, words: Sequence[str]) -> str:
    """``command`` -- the program's. ``words`` -- behind its name, the last one unfinished."""
    *before, unfinished = words or [""]
    place = _place(command, before)
    if place.option is None and unfinished.startswith("-"):
        fitting = _names(place.command)
    else:
        fitting = _values(place)
    return "".join(f"{line}\n" for line in fitting if line.startswith((unfinished, "\t")))


def _place(command: Any, words: Sequence[str]) -> _Place:
    place = _Place(command, 0, None)
    for word in words:
        if place.option is not None:
            if "--profile" in place.option.opts:
                os.environ[PROFILE_VARIABLE] = word
            place = place._replace(option=None)
        elif word.startswith("-"):
            found = (o for o in _options(place.command) if word in o.opts and not o.is_flag)
            place = place._replace(option=next(found, None))
        elif word in _below(place.command):
            place = _Place(_below(place.command)[word], 0, None)
        else:
            place = place._replace(given=place.given + 1)
    return place


def _names(command: Any) -> Iterator[str]:
    for option in _options(command):
        yield from (f"{name}\t{option.help}" for name in option.opts)
    yield "--help\tShow this message and exit."


def _values(place: _Place) -> Iterator[str]:
    arguments = [p for p in place.command.params if p.param_type_name == "argument"]
    if place.option is not None:
        yield from _values_of(place.option)
    elif place.given < len(arguments) or (arguments and arguments[-1].nargs == -1):
        yield from _values_of(arguments[min(place.given, len(arguments) - 1)])
    for name, command in _below(place.command).items() if place.option is None else ():
        if not command.hidden:
            yield f"{name}\t{command.get_short_help_str(60)}"


def _values_of(parameter: Any) -> Iterator[str]:
    kinds = set(re.findall("[A-Z]+", parameter.metavar or ""))
    yield from (f"{choice}\t" for choice in parameter.type_descriptor.choices or ())
    if kinds & CONTACT and NO_CONTACT.isdisjoint(parameter.opts):
        yield from (f"{name}\tcontact" for name in _contacts())
    if kinds & FILE:
        yield "\t"


def _options(command: Any) -> list[Any]:
    return [p for p in command.params if p.param_type_name == "option" and not p.hidden]


def _below(command: Any) -> dict[str, Any]:
    below: dict[str, Any] = getattr(command, "commands", {})
    return below


def _contacts() -> list[str]:
    """Names, where they can be had without a passphrase; nothing is made for them."""
    from e2ee import E2EEError, Identity  # noqa: PLC0415 -- most completions need no contacts

    from .book import Book  # noqa: PLC0415
    from .exits import CliError  # noqa: PLC0415
    from .home import identity_path  # noqa: PLC0415

    try:
        return [contact.name for contact in Book(Identity.load(identity_path())).read().contacts]
    except (E2EEError, CliError):
        return []
