"""Files are written completely, locks last while programs need them, a full disk gives one line."""

import fcntl
import os
import subprocess
import sys
import time

import pytest
from examples import ROOT

from bornflow.cli import command
from bornflow.errors import BornflowError
from bornflow.io.files import atomic_write, locked, sole_writer, write_json


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"good": 1})
    with pytest.raises(OSError, match="No space"), atomic_write(path) as scratch:
        scratch.write_text("{")
        raise OSError(28, "No space left on device")
    assert path.read_text() == '{\n "good": 1\n}\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


JOB = """
import os, subprocess
from bornflow.io.files import HELD_LOCKS, locked
with locked("d"):
    subprocess.Popen(["sleep", "2"], pass_fds=tuple(HELD_LOCKS), stdout=subprocess.DEVNULL)
    os._exit(9)
"""


def test_a_lock_lasts_until_the_program_of_a_killed_job_has_ended(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    begun = time.monotonic()
    assert subprocess.run([sys.executable, "-c", JOB], cwd=tmp_path, env=environment).returncode == 9
    with locked(tmp_path / "d"):
        assert time.monotonic() - begun > 2


def test_an_output_has_one_writer(tmp_path):
    script = 'from bornflow.io.files import sole_writer\nwith sole_writer("a.h5"): print("written")'
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    command = [sys.executable, "-c", script]
    with sole_writer(tmp_path / "a.h5"):
        other = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "a.h5: another process is writing it" in other.stderr
    assert subprocess.check_output(command, cwd=tmp_path, env=environment) == b"written\n"
    assert not any(tmp_path.iterdir())


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(BornflowError, match=r"d\.lock: No locks available\. .* put `results`"),
        locked(tmp_path / "d"),
    ):
        pass


def test_a_full_disk_is_reported_in_one_line():
    @command
    def main():
        raise OSError(28, "No space left on device", "results/a.h5")

    with pytest.raises(
        SystemExit,
        match=r"^error: results/a.h5: No space left on device; make room and run again",
    ):
        main()
