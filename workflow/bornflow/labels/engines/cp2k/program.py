"""The installed CP2K: its path and version, checks of inputs by its parser, and its runs."""

import ctypes
import functools
import hashlib
import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from ....errors import BornflowError, Rejected
from ....io.files import HELD_LOCKS
from . import input_file
from .output_file import abort_reason

# Exit statuses of a program that crashed (abort, floating-point exception, segmentation fault), started
# directly or by a launcher. A bus error is not among them: a full /dev/shm causes it.
CRASHED = {sign * signum + offset for signum in (6, 8, 11) for sign, offset in ((-1, 0), (1, 128))}
DATA_DIRECTORIES = ("/usr/share/cp2k", "/usr/local/share/cp2k/data", "/opt/cp2k/data")


class Program:
    """An installed CP2K.

    `command` launches it, with {ranks} in place of the number of MPI processes. `threads` cores run as
    many processes of one OpenMP thread each, which is the fastest choice for labels. A run is stopped after
    `hours`.
    """

    def __init__(self, command: str, threads: int = 1, hours: float = math.inf):
        self.hours = hours
        try:
            self.command, self._single = (shlex.split(command.format(ranks=n)) for n in (threads, 1))
        except (AttributeError, KeyError, IndexError, ValueError) as error:
            raise BornflowError(
                f"labels.cp2k.command is {command!r} ({error}): quotes must come in pairs, and only "
                "{ranks} may be in braces, for the number of MPI processes"
            ) from error
        if not self.command:
            raise BornflowError("labels.cp2k.command is empty; give the command that launches CP2K")
        missing = [word for word in (self.command[0], self.executable) if not shutil.which(word)]
        if missing:
            raise BornflowError(
                f"{missing[0]} is not installed: `apt-get install cp2k` on Debian, or the conda "
                "environment envs/cp2k.yaml (`snakemake --sdm conda`), or set labels.cp2k.command"
            )

    @property
    def executable(self) -> str:
        """The program itself, without its launcher."""
        return self.command[-1]

    @functools.cached_property
    def version(self) -> str:
        """The version as the program prints it, e.g. 2023.1."""
        return self._start[1]

    @functools.cached_property
    def _start(self) -> tuple[list[str], str]:
        """How one process is started, and the version that it prints.

        Some builds of CP2K cannot start without their launcher.
        """
        for words in ([self.executable], self._single):
            result = _call([*words, "--version"])
            printed = result.stdout.split()
            if printed[:2] == ["CP2K", "version"]:
                return words, printed[2]
        raise BornflowError(
            f"`{shlex.join(self._single)} --version` ended with status {result.returncode} and printed "
            f"'{result.stdout[:80]}' in place of CP2K's version. labels.cp2k.command must launch CP2K and "
            f"end with the program's name. Message: {_message(result)}"
        )

    @functools.cached_property
    def data_hashes(self) -> dict[str, str]:
        """SHA-256 of the basis set, pseudopotential and dispersion files that inputs name."""
        names = (
            input_file.BASIS_FILE,
            input_file.POTENTIAL_FILE,
            input_file.DISPERSION_FILE,
        )
        return {name: hashlib.sha256((self.data_directory / name).read_bytes()).hexdigest() for name in names}

    @functools.cached_property
    def data_directory(self) -> Path:
        """Where the program looks for its data files."""
        binary = Path(shutil.which(self.executable) or self.executable)
        installed = binary.resolve().parent.parent / "share/cp2k/data"
        places = [os.environ.get("CP2K_DATA_DIR"), installed, *DATA_DIRECTORIES]
        for place in places:
            if place and (Path(place) / input_file.BASIS_FILE).exists():
                return Path(place)
        raise BornflowError(
            f"CP2K's data files ({input_file.BASIS_FILE}, ...) are in none of "
            f"{[str(place) for place in places if place]}; set CP2K_DATA_DIR"
        )

    def key(self, text: str) -> str:
        """The identity of a calculation: SHA-256 over input, data files and version."""
        identity = json.dumps([text, self.data_hashes, self.version], sort_keys=True)
        return hashlib.sha256(identity.encode()).hexdigest()

    def check(self, text: str, directory: Path) -> None:
        """Check an input with CP2K's own parser (`-c`); raise BornflowError with its message."""
        path = directory / "check.inp"
        path.write_text(text, encoding="utf-8")
        result = _call([*self._start[0], "-c", path.name], directory)
        path.unlink()
        if "SUCCESS" not in result.stdout:
            message = "\n".join((result.stdout.strip() or result.stderr.strip()).splitlines()[-20:])
            raise BornflowError(
                f"CP2K {self.version} rejects the input; correct the settings of labels.cp2k:\n{message}"
            )

    def run(self, text: str, directory: Path, name: str) -> tuple[str, float]:
        """Run an input in `directory`; return the text of its output and the wall time in seconds.

        Raises Rejected if the program aborts with a reason, crashes or takes too long. Raises BornflowError
        for any other failure (a signal, a failing launcher), which the structure does not cause.
        """
        output = directory / f"{name}.out"
        output.unlink(missing_ok=True)  # CP2K appends to an output that exists
        (directory / f"{name}.inp").write_text(text, encoding="utf-8")
        started = time.monotonic()
        try:
            result = subprocess.run(
                [*self.command, "-i", f"{name}.inp", "-o", output.name],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env=_environment(self.command[0])
                | {"CP2K_DATA_DIR": str(self.data_directory)},  # the files of `data_hashes`
                preexec_fn=_end_with_parent,
                pass_fds=tuple(HELD_LOCKS),  # its folder stays locked until it has ended
                timeout=None if math.isinf(self.hours) else 3600 * self.hours,
            )
        except subprocess.TimeoutExpired as error:
            raise Rejected(f"CP2K took more than {self.hours:g} hours (labels.cp2k.hours)") from error
        printed = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
        if result.returncode != 0:
            reason = abort_reason(printed)
            if not reason and result.returncode not in CRASHED:
                raise BornflowError(
                    f"'{shlex.join(self.command)}' ended with status {result.returncode} in {directory}, and "
                    "CP2K gave no reason: it was killed or not launched. More memory, a longer time limit or "
                    "another labels.cp2k.command may be needed; run again: finished calculations are kept. "
                    f"Message: {_message(result)}"
                )
            reason = reason or (result.stderr + printed).strip()[-300:]
            raise Rejected(f"CP2K ended with status {result.returncode}: {reason}")
        return printed, time.monotonic() - started


def _end_with_parent() -> None:
    """Have Linux end a run when its label job is killed, so that two runs never share a directory."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _call(words: list[str], directory: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A finished call."""
    return subprocess.run(
        words,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=_environment(words[0]),
    )


def _message(result: subprocess.CompletedProcess[str]) -> str:
    """The end of what a call wrote to standard error."""
    return result.stderr.strip()[-300:] or "none"


def _environment(launcher: str) -> dict[str, str]:
    """The environment of CP2K's processes, which run on this machine.

    Each has one OpenMP thread; Open MPI may run as root and with more processes than cores. In a job of Slurm
    mpiexec would take the job's single task as its only slot, and CP2K would expect srun to have started it.
    Variables of Slurm and of process managers are therefore removed, unless srun is the launcher.
    """
    hidden = () if Path(launcher).name == "srun" else ("SLURM_", "PMI_", "PMIX_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return kept | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "OMPI_MCA_hwloc_base_binding_policy": "none",  # two jobs would bind to the same core
    }
