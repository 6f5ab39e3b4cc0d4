"""Builds what is published: ``python -m tests.package.build FOLDER``, an sdist and the wheel of it.

The same commit and SOURCE_DATE_EPOCH give the same bytes, whoever builds, where and when.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main(folder: Path) -> None:
    when = int(os.environ["SOURCE_DATE_EPOCH"])
    os.umask(0o022)  # what is unpacked and then packed into the wheel has its modes from it
    with tempfile.TemporaryDirectory() as temporary:
        made, unpacked = Path(temporary, "made"), Path(temporary, "unpacked")
        _build("--sdist", ROOT, made)
        (sdist,) = made.iterdir()
        folder.mkdir(exist_ok=True)
        repack(sdist, folder / sdist.name, when)
        with tarfile.open(folder / sdist.name) as archive:
            archive.extractall(unpacked, filter="data")
        (source,) = unpacked.iterdir()
        _build("--wheel", source, folder)


def _build(what: str, source: Path, target: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        what,
        f"--outdir={target}",
        str(source),
    ]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stdout + run.stderr)


def repack(source: Path, target: Path, when: int) -> None:
    """Nothing of the builder's machine: setuptools keeps the times, modes and owners of files."""
    with (
        tarfile.open(source) as old,
        target.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=when) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            plain = tarfile.TarInfo(member.name)
            plain.type, plain.size, plain.mtime = member.type, member.size, when
            plain.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            new.addfile(plain, old.extractfile(member))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
