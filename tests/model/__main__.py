"""Asks everything and writes down what came out: ``python -m tests.model``.

The result is ``tests/evidence/model.json``. Exits with 1 when an answer is not the expected one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from tests.model.mutants import BROKEN
from tests.model.mutation import Mutation
from tests.model.openings import Opening
from tests.model.questions import Answer, ask, questions

RESULT = Path(__file__).parent.parent / "evidence" / "model.json"


def wrong(answer: Answer) -> bool:
    return not answer.expected


def summary(opening: Opening, answers: Iterable[Answer]) -> str:
    mine = [answer for answer in answers if answer.question.opening is opening]
    good = [answer for answer in mine if answer.expected]
    promised = sum(answer.question.holds for answer in mine)
    states = sum({answer.question.search: answer.states for answer in mine}.values())
    return (
        f"{opening.value}: {len(good)} of {len(mine)} answers are as SPEC.md has them, "
        f"{promised} that nothing breaks and {len(mine) - promised} that something does, "
        f"in {states:,} states"
    )


def main() -> int:
    begin = time.monotonic()
    answers = ask(questions(large=True), wide=True)
    noticed = {
        mutation: [answer.question.title for answer in ask(questions(), mutation) if wrong(answer)]
        for mutation in Mutation
    }
    missed = [mutation.value for mutation in Mutation if not noticed[mutation]]
    attacked = f"{len(noticed) - len(missed)} of {len(noticed)}"
    figures = [
        *(summary(opening, answers) for opening in Opening),
        f"{attacked} models without one step are attacked; not where {'; '.join(missed)}",
        *map(str, answers),
        *(
            f"model without one step: {mutation.value}; found by {'; '.join(titles)}"
            for mutation, titles in noticed.items()
            if titles
        ),
    ]
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps(
            {
                "name": "model",
                "command": "python -m tests.model",
                "commit": commit,
                "date": datetime.now(UTC).date().isoformat(),
                "seconds": round(time.monotonic() - begin),
                "figures": figures,
            },
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )
    sys.stdout.writelines(f"{line}\n" for line in figures)
    found = {mutation for mutation, titles in noticed.items() if titles}
    return any(map(wrong, answers)) or found != set(BROKEN)


if __name__ == "__main__":
    sys.exit(main())
