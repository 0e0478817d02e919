"""A warning for jobs of Slurm that will never start.

Slurm accepts jobs that ask for more than a partition has and lets them wait for ever. A thread of the process
that submits them reads the reasons from `squeue`.
"""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

# Parts of the reasons (squeue(1), JOB REASON CODES) that no other job's end resolves.
LASTING = (
    "PartitionConfig",
    "PartitionNodeLimit",
    "PartitionTimeLimit",
    "PartitionInactive",
    "BadConstraints",
    "PerJob",
    "InvalidAccount",
    "InvalidQOS",
    "NotAllowed",
    "JobHeld",
    "held",
)
COLUMNS = "%i|%Z|%k|%r"  # job, its folder, comment (Snakemake's rule and wildcards), reason


def stuck_jobs(printed: str, folder: Path) -> dict[str, str]:
    """Warnings by job, from the output of `squeue --format COLUMNS`, for jobs submitted from `folder`."""
    warnings = {}
    for line in printed.splitlines():
        job, where, rule, reason = line.split("|", 3)
        if Path(where) == folder and any(word in reason for word in LASTING):
            warnings[job] = (
                f"Slurm job {job} ({rule.strip()}) cannot start: {reason.strip()}. `scontrol show job {job}` "
                "shows what it asks for. Set mem_mb, runtime, slurm_partition or threads of its rule in "
                f"profiles/slurm/config.yaml, `scancel {job}`, and run again (docs/cluster.md)."
            )
    return warnings


def watch(warn: Callable[[str], None], seconds: float = 60) -> None:
    """Start a thread that looks every `seconds` and warns once for each job; without Slurm, nothing."""
    if shutil.which("squeue"):
        threading.Thread(target=_watch, args=(warn, seconds, Path.cwd()), daemon=True).start()


def _watch(warn: Callable[[str], None], seconds: float, folder: Path) -> None:
    known: set[str] = set()
    while True:
        time.sleep(seconds)
        command = ["squeue", "--me", "--states=PENDING", "--noheader", f"--format={COLUMNS}"]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode == 0:  # otherwise the controller is away for a while
            found = stuck_jobs(result.stdout, folder)
            for job in found.keys() - known:
                warn(found[job])
            known |= found.keys()
