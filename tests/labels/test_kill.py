"""A CP2K labelling run, killed repeatedly, equals an uninterrupted run and repeats no calculation."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from examples import water

from bornflow.io import frames

KILLS = 20
# Notes every calculation it starts (`-i`), then becomes CP2K.
WRAPPER = """#!/bin/sh
case "$*" in *-i*) echo "$*" >> "$STARTED" ;; esac
exec cp2k.psmp "$@"
"""


class Run:
    """A labelling job in a folder of its own."""

    def __init__(self, folder: Path, structures):
        self.folder = folder
        folder.mkdir()
        frames.write(folder / "s.extxyz", structures)
        wrapper = folder / "counted-cp2k"
        wrapper.write_text(WRAPPER)
        wrapper.chmod(0o755)
        cp2k = {
            "command": f"mpiexec -n {{ranks}} {wrapper}",
            "cutoff": 120,
            "force_cutoff": 150,
            "vacuum": 4.5,
            "eps_scf": 1e-6,
            "eps_scf_ot": 1e-6,
        }
        loose = {"sum_rule": 1.0, "nonlinearity": 1.0, "grid_difference": 100.0}
        labels = {"cache": str(folder / "cache"), "known": [], "gate": loose, "cp2k": cp2k}
        (folder / "c.yaml").write_text(yaml.safe_dump({"labels": labels}))

    def start(self) -> subprocess.Popen:
        arguments = ("--structures", "s.extxyz", "--config", "c.yaml", "--out", "labelled.extxyz")
        return subprocess.Popen(
            [sys.executable, "-m", "bornflow.labels.label", *arguments],
            cwd=self.folder,
            env=os.environ | {"STARTED": str(self.folder / "started")},
            stderr=(self.folder / "log").open("a"),
            start_new_session=True,
        )

    def calculations(self) -> int:
        """How many calculations were started."""
        return len((self.folder / "started").read_text().splitlines())

    def cached(self) -> dict[Path, int]:
        """Finished calculations and when each was written."""
        return {path: path.stat().st_mtime_ns for path in (self.folder / "cache").rglob("*.json")}


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("cp2k.psmp"), reason="CP2K is not installed (Debian: apt-get install cp2k)"
)
def test_a_run_killed_twenty_times_equals_an_uninterrupted_one(tmp_path):
    structures = [water(1, seed=seed) for seed in range(3)] + [water(2, seed=3)]
    undisturbed = Run(tmp_path / "undisturbed", structures)
    started = time.monotonic()
    assert undisturbed.start().wait() == 0, (undisturbed.folder / "log").read_text()[-3000:]
    wall = time.monotonic() - started
    assert undisturbed.calculations() == len(undisturbed.cached()) == 8 * len(structures)

    killed = Run(tmp_path / "killed", structures)
    rng = np.random.default_rng(0)
    seen: dict[Path, int] = {}
    kills = 0
    while kills < KILLS:
        job = killed.start()
        # Long enough for some runs to finish, short enough that the last kill comes before the end.
        time.sleep(3 + wall / KILLS * rng.random())
        assert job.poll() is None, "the job ended before it was killed often enough"
        # Kill only the job, like the out-of-memory killer, or its process group, like a batch system.
        (os.kill, os.killpg)[kills % 2](job.pid, signal.SIGKILL)
        job.wait()
        kills += 1
        now = killed.cached()
        assert seen.items() <= now.items(), "a finished calculation was made again or lost"
        seen = now
    assert seen, "no kill came after a finished calculation"
    assert killed.start().wait() == 0, (killed.folder / "log").read_text()[-3000:]
    assert seen.items() <= killed.cached().items()
    assert killed.calculations() <= undisturbed.calculations() + kills
    texts = [(run.folder / "labelled.extxyz").read_text() for run in (undisturbed, killed)]
    assert texts[0] == texts[1]
