"""One target in a process of its own; called by ``run.py``.

``python -m tests.fuzz.under_atheris PROGRAM TARGET`` and then what libFuzzer takes. PROGRAM is
what libFuzzer runs where it wants itself once more, which it does to minimise a corpus.
"""

from __future__ import annotations

import gc
import sys
import types

import atheris

from .targets import TARGETS

INSTRUMENTED = ("e2ee.", "e2ee_cli.", "second_client_decoder", "tests.fuzz.second")
"""Modules in which a new branch is news. ``atheris.instrument_imports`` overlooks the e2ee_cli of
an editable install."""


def main() -> None:
    _, program, target, *flags = sys.argv
    for found in gc.get_objects():
        if isinstance(found, types.FunctionType) and str(found.__module__).startswith(INSTRUMENTED):
            atheris.instrument_func(found)
    atheris.Setup([program, *flags], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
