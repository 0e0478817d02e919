"""A Slurm on this machine alone: munge, a controller and one node, without accounting."""

import os
import shutil
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
# Where Slurm's programs look by themselves; jobs do not inherit $SLURM_CONF.
SETTINGS = Path("/etc/slurm/slurm.conf")

CONFIG = """
ClusterName=loopback
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=sched_interval=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


def reason_to_skip() -> str | None:
    """Why no cluster can be started here."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if missing:
        return f"{', '.join(missing)} missing: apt-get install slurm-wlm munge"
    if os.getuid() != 0:
        return "only root can start Slurm's daemons"
    if SETTINGS.exists():
        return f"{SETTINGS} exists: this machine belongs to another cluster"
    return None


class Cluster:
    """Daemons with their files in `folder`, stopped by `stop`."""

    def __init__(self, folder: Path, cores: int = 4, memory: int = 20_000):
        self.folder = folder
        (folder / "state").mkdir(parents=True)
        (folder / "spool").mkdir()
        folder.chmod(0o755)  # munge refuses folders that others may write to
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        SETTINGS.parent.mkdir(parents=True, exist_ok=True)
        SETTINGS.write_text(CONFIG.format(folder=folder, cores=cores, memory=memory))
        files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "log", "pid", "seed")]
        call("munged", "--force", f"--socket={folder}/munge.socket", *files)
        call("slurmctld")
        call("slurmd")
        self.wait_for_node()

    def wait_for_node(self) -> None:
        """Return when the node accepts jobs."""
        deadline = time.monotonic() + 60
        while call("sinfo", "--noheader", "--format=%t", check=False).strip() not in ("idle", "mix", "alloc"):
            assert time.monotonic() < deadline, (self.folder / "slurmctld.log").read_text()[-2000:]
            time.sleep(0.5)

    def stop(self) -> None:
        call("scancel", "--user=root", check=False)
        for name in ("slurmctld", "slurmd", "munge"):
            _end(self.folder / f"{name}.pid")
        SETTINGS.unlink()


def call(*words: str, check: bool = True) -> str:
    """What a program prints."""
    environment = os.environ | {"PATH": _path()}
    return subprocess.run(words, env=environment, check=check, stdout=subprocess.PIPE, text=True).stdout


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _end(pid_file: Path) -> None:
    """Ask a daemon to end, and wait until it has."""
    pid = int(pid_file.read_text())
    os.kill(pid, 15)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
