"""Warnings of jobs are found in the logs of this run, each once."""

import os

from bornflow.job_logs import SHOWN, find_warnings


def test_warnings_of_this_run_are_given_once(tmp_path):
    for name, text in {
        "a": "warning: no forces\n1 of 2\n",
        "b": "warning: no forces\n",
        "old": "warning: x\n",
    }.items():
        (tmp_path / f"{name}.log").write_text(text)
    os.utime(tmp_path / "old.log", (1, 1))
    assert find_warnings(tmp_path, since=2) == f"warning: no forces ({tmp_path}/a.log and 1 times more)\n"
    assert find_warnings(tmp_path / "missing", since=0) == ""


def test_many_warnings_are_counted(tmp_path):
    (tmp_path / "a.log").write_text("".join(f"warning: {n}\n" for n in range(SHOWN + 3)))
    lines = find_warnings(tmp_path, since=0).splitlines()
    assert len(lines) == SHOWN + 1 and lines[-1].startswith("and 3 other warnings")
