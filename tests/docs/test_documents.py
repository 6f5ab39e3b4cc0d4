"""What README and docs say is what the program does."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2ee.testing import strategies
from e2ee_cli.exits import Exit

ROOT = Path(__file__).parent.parent.parent
PAGES = [str(page.relative_to(ROOT)) for page in sorted(ROOT.glob("docs/*.md"))]
LINKED = ["SECURITY.md", "CHANGELOG.md", "changes/README.md", *PAGES]
RUN_ELSEWHERE = {"docs/first-program.md", "docs/testing-your-program.md"}
"""By tests of their own."""
NOT_PROGRAMS = {"console", "ini", "json", "text", "toml", "{toctree}"}


def long_runs() -> list[str]:
    commands = re.findall(r"`(python -m tests\.[^`]+)`", (ROOT / "docs/testing.md").read_text())
    return list(dict.fromkeys(commands))


def fenced(document: str, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", (ROOT / document).read_text())


PYTHON_DOCUMENTS = [
    document
    for document in ["README.md", *PAGES]
    if fenced(document, "python") and document not in RUN_ELSEWHERE
]


@pytest.mark.parametrize("document", PYTHON_DOCUMENTS)
def test_python_examples_run(document: str, tmp_path: Path) -> None:
    blocks = fenced(document, "python")
    # Those of a page build on each other.
    programs = ["\n".join(blocks)] if document.startswith("docs") else blocks
    for program in programs:
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            check=False,
        )
        assert (run.returncode, run.stderr) == (0, ""), program
        assert run.stdout


def test_no_example_has_a_language_that_nothing_runs() -> None:
    for document in ["README.md", *PAGES]:
        runs = {"README.md": {"sh"}, "docs/scripting.md": {"sh", "bash"}}.get(document, set())
        languages = set(re.findall(r"(?m)^ *```(.+)$", (ROOT / document).read_text()))
        assert languages <= {"python", *runs, *NOT_PROGRAMS}, document


def test_the_tests_of_the_page_on_testing_run(tmp_path: Path) -> None:
    program = "\n".join(fenced("docs/testing-your-program.md", "python"))
    (tmp_path / "test_program.py").write_text(program)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    plugins = ["-p", "e2ee.testing.plugin", "-p", "no:cacheprovider", "-W", "error"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "--rootdir", tmp_path, tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    [ran] = re.findall(r"=== (\d+) passed in", run.stdout)
    # Each, some with several seeds, and the machine.
    assert int(ran) > len(re.findall("(?m)^def test_", program)) > 8


def test_the_page_on_testing_names_each_strategy_and_no_other() -> None:
    page = (ROOT / "docs/testing-your-program.md").read_text()
    there = {
        name
        for name, value in vars(strategies).items()
        if inspect.isfunction(value)
        and value.__module__ == strategies.__name__
        and not name.startswith("_")
    }
    assert {name for name in there if f"`{name}(" in page} == there
    assert set(re.findall(r"\bstrategies\.(\w+)\(", page)) <= there
    assert "strategies.st" not in page  # What a module imports is not what it offers.


def test_the_script_of_the_readme_runs(tmp_path: Path) -> None:
    _, _, script = fenced("README.md", "sh")
    script = script.replace("4000", str(free_port()))  # That one may be taken here.
    assert run_script(script, tmp_path) == "backup done\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def run_script(script: str, folder: Path) -> str:
    """What it says on standard output; it fails with its first command that does."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, "PATH": path, "E2EE_HOME": str(folder / "home")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        start_new_session=True,
    )
    try:
        out, err = run.communicate(timeout=60)
        assert run.returncode == 0, err
        return out
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)


def test_the_scripts_of_the_page_on_scripts_run(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said = ""
    for script in fenced("docs/scripting.md", "sh"):
        if "e2ee pipe" in script:
            continue  # Below.
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            check=False,
        )
        assert (run.returncode, run.stderr) == (0, ""), script
        said += run.stdout
    assert re.fullmatch(r"my words:( [a-z-]+){8}\n1\n", said)
    assert json.loads((tmp_path / "schema.json").read_text())["oneOf"]


def test_the_pipe_of_the_page_on_scripts_runs(tmp_path: Path) -> None:
    (script,) = (text for text in fenced("docs/scripting.md", "sh") if "e2ee pipe" in text)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(os.urandom(100_000))
    out = run_script(script.replace("4000", str(free_port())), tmp_path)
    assert out == "photos/\nphotos/cat.jpg\n"


def test_the_server_behind_a_pipe_of_the_page_on_scripts_is_reached(tmp_path: Path) -> None:
    (script,) = fenced("docs/scripting.md", "bash")
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = script.replace("/22", f"/{server.getsockname()[1]}").replace("--known", "")
        waiting = f"({script.replace('--listen', f'--listen --host 127.0.0.1 --port {port}')}) &\n"
        calling = (
            f"export E2EE_HOME=./other\nsleep 3\necho hello | e2ee -q pipe 127.0.0.1:{port}\nwait"
        )
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(run_script, waiting + calling, tmp_path)
            connection = server.accept()[0]
            with connection, connection.makefile("rwb") as stream:
                assert stream.read() == b"hello\n"
                stream.write(b"answer")
            assert running.result() == "answer"


def test_the_settings_of_the_page_on_scripts_are_taken(tmp_path: Path) -> None:
    [settings] = fenced("docs/scripting.md", "toml")
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text(settings)
    assert run_script("e2ee id", tmp_path).startswith("e2ee1")
    (home / "config.toml").write_text(settings.replace("port", "portt"))
    with pytest.raises(AssertionError, match="portt"):
        run_script("e2ee id", tmp_path)


def test_the_table_of_exit_codes_is_the_programs() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| ", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == set(Exit)


def test_every_command_is_in_the_readme_and_every_command_there_exists() -> None:
    program = Path(sys.executable).with_name("e2ee")
    listed = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    commands = set(re.findall(r"^  ([a-z]+)  ", listed.partition("Commands:")[2], re.MULTILINE))
    documented = set(re.findall(r"(?m)^\| `e2ee ([a-z]+)", (ROOT / "README.md").read_text()))
    assert documented == commands


def test_links_inside_of_the_documents_lead_somewhere() -> None:
    for document in ["README.md", "SPEC.md", *LINKED]:
        text = (ROOT / document).read_text()
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            file, _, anchor = target.partition("#")
            path = (ROOT / document).parent / file if file else ROOT / document
            assert path.exists(), target
            if anchor:
                headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
                anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
                assert anchor in anchors, target


@pytest.mark.parametrize("command", long_runs())
def test_a_command_that_takes_hours_is_there_with_its_options(command: str) -> None:
    _, _, module, *arguments = command.split()
    path = ROOT / module.replace(".", "/")
    [program] = [path for path in (path / "__main__.py", path.with_suffix(".py")) if path.exists()]
    source = program.read_text()
    assert 'if __name__ == "__main__":' in source
    for argument in arguments:
        if argument.startswith("--"):
            assert f'"{argument}"' in source
