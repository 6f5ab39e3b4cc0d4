"""Where the program begins: ``e2ee``, or ``python -m e2ee_cli``."""

import signal
from typing import NoReturn


def main() -> NoReturn:
    # Until the program runs, and after, Ctrl-C just ends it: no traceback out of an import.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .main import main as run  # noqa: PLC0415 -- the imports are what takes time

    run()


if __name__ == "__main__":
    main()
