"""The workflow on a real Slurm: a complete run, a label by CP2K, a job that can never start."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from examples import copy_repository, water
from slurm.cluster import Cluster, call, reason_to_skip

from bornflow.io import frames

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip())),
]

SMOKE = ("--configfile", "config/smoke.yaml")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    yield cluster
    cluster.stop()


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """Snakemake with the profile, in `folder`; its messages go to run.log."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", *arguments]
    log = (folder / "run.log").open("w")
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen, folder: Path) -> str:
    """The messages of a run that succeeded."""
    assert process.wait(timeout=1500) == 0, (folder / "run.log").read_text()[-5000:]
    return (folder / "run.log").read_text()


def wait_for(what: str, is_reached) -> None:
    deadline = time.monotonic() + 600
    while not is_reached():
        assert time.monotonic() < deadline, f"waited for {what}: {call('squeue')}"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def finished(cluster, tmp_path_factory):
    """A run of the smoke configuration that nothing disturbed, and its seconds."""
    folder = copy_repository(tmp_path_factory.mktemp("clone") / "bornflow")
    started = time.monotonic()
    finish(start(folder, *SMOKE), folder)
    return folder, time.monotonic() - started


def test_the_smoke_configuration_runs(finished):
    folder, seconds = finished
    assert (folder / "results/smoke/figures/spectrum-physical.pdf").read_bytes().startswith(b"%PDF")
    print(f"the smoke run took {seconds:.0f} s")


def test_cp2k_labels_in_a_job(cluster, tmp_path):
    """One water molecule with two MPI processes; CP2K's launcher must not take the job for its own."""
    folder = copy_repository(tmp_path / "bornflow")
    frames.write(folder / "molecule.extxyz", [water(1)])
    pools = {"one": {"files": ["molecule.extxyz"], "select": 1}}
    cheap = {"cutoff": 200, "force_cutoff": 50, "vacuum": 4.0, "method": "gpw"}
    labels = {"engine": "cp2k", "threads": 2, "cp2k": cheap}
    config = {"results": "results/label", "structures": {"pools": pools}, "labels": labels}
    (folder / "label.yaml").write_text(yaml.safe_dump(config))
    finish(start(folder, "--configfile", "label.yaml", "--", "labels"), folder)
    (labelled,) = frames.read(folder / "results/label/labels/labels.extxyz")
    assert np.abs(frames.label(labelled, "bec")).max() > 0.2


def test_a_job_that_can_never_start_is_named(cluster, tmp_path):
    folder = copy_repository(tmp_path / "bornflow")
    run = start(folder, *SMOKE, "--set-resources", "sample:mem_mb=900000", "--retries", "0")
    log = folder / "run.log"
    wait_for("a warning", lambda: "cannot start" in log.read_text() or run.poll() is not None)
    run.terminate()
    run.wait()
    call("scancel", "--user=root")
    printed = log.read_text()
    assert "cannot start" in printed or "Requested node configuration is not available" in printed
