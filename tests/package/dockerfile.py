"""Does what deploy/Dockerfile says in folders, where no Docker is: ``dockerfile.py FOLDER``.

FOLDER has the wheel, as the Dockerfile has it from ``dist``. It takes root, to give a folder to the
user of the image; to be that user it would take a Python that all may read.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"

Stage = list[tuple[str, str]]


def stages() -> dict[str, Stage]:
    """The instructions of each stage, by its name or number."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    found: dict[str, Stage] = {}
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            _, _, name = rest.partition(" AS ")
            stage = found.setdefault(name or str(len(found)), [])
        elif word:
            stage.append((word, rest.strip()))
    return found


def last(stage: Stage, word: str) -> str:
    return [rest for each, rest in stage if each == word][-1]


def build(folder: Path, dist: Path) -> Path:
    """Where the last stage then is."""
    for name, stage in stages().items():
        root = folder / name
        for word, rest in stage:
            if word == "RUN":
                _run(_below(rest, root))
            elif word == "COPY":
                _copy(rest.split(), folder, root, dist)
    return root


def _below(text: str, root: Path) -> str:
    return re.sub(r"(?<!\S)/", f"{root}/", text)


def _run(command: str) -> None:
    # The python of an image has pip; of ours, the one that the virtual environment is made of has.
    python = 'python() { "$BASE" "$@"; }; '
    base = str(Path(sys.base_prefix, "bin", "python3"))
    env = {**os.environ, "BASE": base, "PIP_NO_COMPILE": "1", "PIP_QUIET": "2"}
    subprocess.run(["bash", "-euc", python + command], env=env, check=True)


def _copy(words: list[str], folder: Path, root: Path, dist: Path) -> None:
    *sources, target = words
    beginning = ROOT
    if sources[0].startswith("--from="):
        beginning = folder / sources.pop(0).removeprefix("--from=")
    to = Path(_below(target, root))
    for source in sources:
        if source.startswith("/"):
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(f"{beginning}{source}", to, symlinks=True)
        else:
            to.mkdir(parents=True, exist_ok=True)
            where = (dist, Path(source).name) if source.startswith("dist/") else (ROOT, source)
            for file in where[0].glob(where[1]):
                shutil.copy(file, to)


def listens(root: Path, stage: Stage) -> str:
    """What its program says, until it is stopped as ``docker stop`` does it."""
    command = [*json.loads(last(stage, "ENTRYPOINT")), *json.loads(last(stage, "CMD"))]
    settings = dict(rest.split("=", 1) for word, rest in stage if word == "ENV")
    begin = Path(_below(command[0], root))
    # The environment was moved here from the stage that made it.
    python = [str(begin.with_name("python")), str(begin)]
    program = subprocess.Popen(
        [*python, *command[1:], "--host", "127.0.0.1", "--port", "0"],
        env={key: _below(value, root) for key, value in settings.items()},
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stderr is not None
    said = ""
    for line in program.stderr:
        said += line
        if line.startswith("Your safety words"):
            program.send_signal(signal.SIGTERM)
    assert program.wait() == 143, said
    return said


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        image = build(Path(temporary), Path(sys.argv[1]))
        instructions = [*stages().values()][-1]
        state = os.stat(_below(last(instructions, "VOLUME"), image))
        assert f"{state.st_uid}:{state.st_gid}" == last(instructions, "USER")
        assert stat.S_IMODE(state.st_mode) == 0o700
        print(listens(image, instructions))
