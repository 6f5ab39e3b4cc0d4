"""Whether tests execute every line of the core, and take every branch.

``python -m tests.core_coverage`` runs the quick tests that do, for a minute or two, and fails when
something is missed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = {
    "contacts": ["bad_values", "book", "contact_file"],
    "conversation": ["conversation_file", "exactly_once", "journal", "states_of_the_specification"],
    "embedding": ["wrong_types"],
    "files": ["any_interleaving_of_transfers", "states_of_transfers"],
    "handshake": ["protocol_names", "traps"],
    "identity": ["bare_errors", "identity_file", "key_types", "locked_file", "nearby_tag"],
    "invitation": ["cpace", "texts"],
    "kit": ["kit"],
    "package": ["another_e2ee"],
    "session": [
        *(
            "attacks",
            "buffers",
            "limits",
            "messages",
            "no_random_numbers",
            "one_call_at_a_time",
            "opening_attacks",
            "openings",
        ),
        *("states", "wire_sizes"),
    ],
}
# In one process, which is measured from the first import on; the same examples every time.
PYTEST = ("-q", "-n0", "-m", "not slow", "-p", "no:tests.canaries", "--hypothesis-seed=0")
REPORT = ("--include=e2ee/*", "--omit=e2ee/transport/*,e2ee/testing/*", "--fail-under=100")


def main() -> int:
    files = [f"tests/{folder}/test_{name}.py" for folder, names in TESTS.items() for name in names]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "COVERAGE_FILE": f"{folder}/coverage"}
        for command in (
            ("coverage", "run", "--source=e2ee", "-m", "pytest", *PYTEST, *files),
            ("coverage", "report", *REPORT),
        ):
            done = subprocess.run(
                [sys.executable, "-m", *command], cwd=ROOT, env=environment, check=False
            )
            if done.returncode:
                return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
