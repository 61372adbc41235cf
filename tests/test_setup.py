"""The set-up script: which Python it takes, and what it says when something is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "setup" / "bootstrap.sh"
TOOLS = ("bash", "cat", "dirname", "env", "mktemp", "rm", "sh")


@pytest.fixture
def machine(tmp_path):
    """A machine with nothing but a few tools; Pythons and compilers are put on it by the tests."""
    for folder in ("bin", "shims", "home"):
        (tmp_path / folder).mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    return Machine(tmp_path)


class Machine:
    """Folders that stand for a PATH, pyenv's shims before it, and a home."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def python(self, place: str, version: str, venv: bool = True) -> Path:
        """A Python of that version, which answers what the set-up asks."""
        answers = [
            f'*version_info*) echo "{version.replace(".", " ")}"',
            f"*ensurepip*) exit {0 if venv else 1}",
            "*sysconfig*) echo gcc",
        ]
        return self.script(place, f'case "$2" in {" ;; ".join(answers)} ;; esac')

    def script(self, place: str, body: str) -> Path:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        path.chmod(0o755)
        return path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {"PATH": f"{self.root}/shims:{self.root}/bin", "HOME": f"{self.root}/home", **environment}
        return subprocess.run(
            [SCRIPT, *arguments], capture_output=True, text=True, env=variables, check=False, timeout=60
        )

    def found(self, **environment: str) -> str:
        result = self.run("find-python", **environment)
        assert result.returncode == 0, result.stderr
        return str(Path(result.stdout.strip()).relative_to(self.root))


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failed set-up says."""
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def test_an_older_python3_is_no_error_while_a_newer_exists(machine):
    machine.python("bin/python3", "3.11")
    machine.python("bin/python3.12", "3.12")
    assert machine.found() == "bin/python3.12"


def test_3_13_comes_before_3_12_and_both_before_newer(machine):
    machine.python("bin/python3.14", "3.14")
    assert machine.found() == "bin/python3.14"
    machine.python("bin/python3.12", "3.12")
    assert machine.found() == "bin/python3.12"
    machine.python("bin/python3.13", "3.13")
    assert machine.found() == "bin/python3.13"


def test_a_plain_python_that_is_new_enough_will_do(machine):
    machine.python("bin/python", "3.12")
    assert machine.found() == "bin/python"


def test_shims_that_do_not_run_are_skipped_for_what_lies_behind(machine):
    machine.script("shims/python3.13", 'echo "pyenv: python3.13: command not found" >&2; exit 127')
    machine.python("bin/python3.13", "3.13")
    assert machine.found() == "bin/python3.13"


def test_pyenv_versions_are_found_without_shims(machine):
    machine.script("shims/python3.13", "exit 127")
    machine.python("bin/python3", "3.11")
    machine.python("home/.pyenv/versions/3.10.1/bin/python", "3.10")
    machine.python("home/.pyenv/versions/3.12.1/bin/python", "3.12")
    assert machine.found() == "home/.pyenv/versions/3.12.1/bin/python"
    machine.python("elsewhere/versions/3.13.0/bin/python", "3.13")
    assert machine.found(PYENV_ROOT=f"{machine.root}/elsewhere") == "elsewhere/versions/3.13.0/bin/python"


def test_a_given_python_is_taken_or_refused_with_a_reason(machine):
    machine.python("bin/python3.13", "3.13")
    own = machine.python("own/python", "3.12")
    assert machine.found(PYTHON=str(own)) == "own/python"
    old = machine.python("own/old", "3.9")
    assert "is Python 3.9; ionsim needs Python 3.12 or newer" in one_sentence(
        machine.run("find-python", PYTHON=str(old))
    )
    assert "is not an executable" in one_sentence(machine.run("find-python", PYTHON="/no/python"))


def test_a_python_without_venv_is_passed_over_or_named(machine):
    machine.python("bin/python3.13", "3.13", venv=False)
    assert "python3-venv" in one_sentence(machine.run("find-python"))
    machine.python("bin/python3.12", "3.12")
    assert machine.found() == "bin/python3.12"


def test_no_python_gives_one_clear_sentence(machine):
    assert "no Python 3.12 or newer found (none on PATH)" in one_sentence(machine.run("find-python"))
    machine.python("bin/python3", "3.11")
    sentence = one_sentence(machine.run("find-python"))
    assert "bin/python3 is 3.11" in sentence
    assert "PYTHON=/path/to/python3.13" in sentence
    assert "environment.yml" in sentence


def test_no_compiler_gives_one_clear_sentence(machine):
    python = machine.python("bin/python3.13", "3.13")
    sentence = one_sentence(machine.run("check", str(python)))
    assert "no working C compiler (gcc)" in sentence
    assert "apt-get install gcc libc6-dev" in sentence


def test_missing_libraries_give_one_clear_sentence(machine):
    machine.script("bin/gcc", "cat >/dev/null")
    python = machine.script(
        "bin/python3.13", 'case "$2" in *sysconfig*) echo gcc ;; *) [ "$3" != libGLU.so.1 ] ;; esac'
    )
    sentence = one_sentence(machine.run("check", str(python)))
    assert "needs: libGLU.so.1; install" in sentence
    assert "apt-get install libglu1-mesa;" in sentence


def test_this_machine_passes_the_checks():
    result = subprocess.run(
        [SCRIPT, "check", sys.executable], capture_output=True, text=True, env=os.environ, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
