"""Where the program begins: ``e2ee``, or ``python -m e2ee_cli``."""

import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    # Until the program runs, and after, Ctrl-C just ends it: no traceback out of an import.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from e2ee import E2EEError  # noqa: F401, PLC0415 -- it tells our package from another's
    except ImportError as error:
        sys.exit(
            "e2ee: another project's package, called e2ee, is in the place of ours; uninstall "
            f"both, then install e2ee-session. {error}"
        )
    if sys.argv[1:] == ["--version"]:
        _show_version()
    from .main import main as run  # noqa: PLC0415 -- the imports are what takes time

    run()


def _show_version() -> None:
    """At once: the rest of the program takes ten times as long to load. Returns if it cannot."""
    from .version import version_line  # noqa: PLC0415 -- as above

    try:
        print(version_line(), flush=True)
    except (OSError, AttributeError):
        return  # Nobody reads, or there is no stdout: it is for the program to say so.
    sys.exit()


if __name__ == "__main__":
    main()
