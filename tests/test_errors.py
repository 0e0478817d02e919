"""A command that fails ends with one line that names the file, and with exit status 1."""

import errno
import json
import re
import resource
import subprocess
import sys

import pytest

from bornflow.cli import command
from bornflow.errors import BornflowError


def last_line(monkeypatch, error: Exception, *arguments: str) -> str:
    """The last line of a command that raises this error."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["module", *arguments])
    with pytest.raises(SystemExit) as end:
        command(fail)()
    line = str(end.value.code)
    assert line.startswith("error: ")
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BornflowError("a.extxyz: 3 found"), "a.extxyz: 3 found"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.extxyz"), "a.extxyz: no such file"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "folder"), "folder: Is a directory"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), "a: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), "out.csv: No space left on device; make room"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), "x: No space left on device; make room"),
        (
            OSError(errno.EDQUOT, "Disk quota exceeded"),
            "Disk quota exceeded; make room and run again: finished work is kept",
        ),
        (OSError("4096 requested and 0 written"), "out.csv: 4096 requested and 0 written; make room"),
        (OSError("Unable to open file (file signature not found)"), "error: Unable to open file"),
        (MemoryError("Unable to allocate 5 TiB"), "not enough memory: Unable to allocate 5 TiB"),
        (MemoryError(), "not enough memory; give the job more memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: out of memory\n12 GiB"), "not enough memory: RESOURCE_EXHAUSTED"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
    ],
)
def test_errors_end_in_one_line(monkeypatch, error, words):
    assert words in last_line(monkeypatch, error, "--in", "a.csv", "--out", "out.csv")


def test_a_file_that_is_not_text_is_named(monkeypatch, tmp_path):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("fine")
    bad.write_bytes(b"fl\xfcssig")
    try:
        bad.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = last_line(monkeypatch, error, "--tables", str(good), str(bad))
    assert line.startswith(f"error: {bad}: byte 0xfc is not UTF-8")


def test_mistakes_in_the_code_keep_their_traceback(monkeypatch):
    def fail() -> None:
        raise RuntimeError("a mistake in the code")

    with pytest.raises(RuntimeError, match="a mistake"):
        command(fail)()


def test_a_full_disk_names_the_file_and_leaves_no_file(tmp_path):
    """A limit on the size of files replaces the full disk: writing fails in the same place."""
    values = json.dumps({"models": {f"m{number}": {} for number in range(2000)}})
    result = subprocess.run(
        [sys.executable, "-m", "bornflow.config.write", "--json", values, "--out", "out.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert result.returncode == 1
    assert (
        result.stderr == "error: out.yaml: File too large; make room and run again: finished work is kept\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "words", "message"),
    [
        (
            "dynamics.export",
            ["--runs", "a.h5", "--out", "a.h5"],
            "is read .--runs. and",
        ),
        (
            "structures.select",
            ["--pool", "a.h5", "--count", "1", "--out=./a.h5"],
            "overwritten",
        ),
        (
            "training.split",
            ["--labels", "a.h5", "--train", "a.h5", "--valid", "v"],
            "overwritten",
        ),
        (
            "training.split",
            ["--labels", "a.h5", "--train", "t", "--valid", "t"],
            "its own file",
        ),
        ("labels.label", ["--structures", "a.h5", "--out", "folder"], "--out is folder, which is a folder"),
    ],
)
def test_programs_do_not_overwrite_their_input(module, words, message, tmp_path):
    (tmp_path / "a.h5").write_text("precious")
    (tmp_path / "folder").mkdir()
    result = subprocess.run(
        [sys.executable, "-m", f"bornflow.{module}", *words],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )
    assert result.returncode == 1 and re.search(message, result.stderr), result.stderr
    assert (tmp_path / "a.h5").read_text() == "precious"
