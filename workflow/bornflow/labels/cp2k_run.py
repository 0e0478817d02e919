"""Running CP2K: finding it, checking an input with its own grammar, one calculation, and its cache.

A finished calculation is stored under the hash of its exact input, the data files it reads and
the program's version. What is stored is never calculated again, whichever structure, batch or
configuration asks for it.
"""

import ctypes
import functools
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms

from ..errors import BornflowError, Refused
from ..files import locked, write_json
from . import cp2k_input
from .cp2k_output import Output, abort_reason, parse

RESTART_FILE = f"{cp2k_input.PROJECT}-RESTART.wfn"
# Statuses of a run that was interrupted, ended or killed from outside, by itself and through a launcher.
KILLED = {-signum for signum in (2, 9, 15)} | {128 + signum for signum in (2, 9, 15)}
DATA_DIRECTORIES = ("/usr/share/cp2k", "/usr/local/share/cp2k/data", "/opt/cp2k/data")


class Program:
    """An installed CP2K.

    `command` launches it, with {ranks} in place of the number of MPI processes; `threads` cores
    become so many processes of one OpenMP thread each, which is the fastest split for labels.
    """

    def __init__(self, command: str, threads: int = 1):
        try:
            self.command = shlex.split(command.format(ranks=threads))
        except (KeyError, IndexError, ValueError) as error:
            raise BornflowError(
                f"labels.cp2k.command is {command!r}: only {{ranks}} may stand in braces, for the number of "
                "MPI processes"
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
        printed = subprocess.run(
            [self.executable, "--version"], capture_output=True, text=True, env=_environment()
        ).stdout
        words = printed.split()
        if words[:2] != ["CP2K", "version"]:
            raise BornflowError(f"`{self.executable} --version` printed '{printed[:80]}'")
        return words[2]

    @functools.cached_property
    def data_hashes(self) -> dict[str, str]:
        """SHA-256 of the basis set, pseudopotential and dispersion files that inputs name."""
        names = (
            cp2k_input.BASIS_FILE,
            cp2k_input.POTENTIAL_FILE,
            cp2k_input.DISPERSION_FILE,
        )
        return {name: hashlib.sha256((self.data_directory / name).read_bytes()).hexdigest() for name in names}

    @functools.cached_property
    def data_directory(self) -> Path:
        """Where the program looks for its data files."""
        beside = Path(shutil.which(self.executable)).resolve().parent.parent / "share/cp2k/data"
        places = [os.environ.get("CP2K_DATA_DIR"), beside, *DATA_DIRECTORIES]
        for place in places:
            if place and (Path(place) / cp2k_input.BASIS_FILE).exists():
                return Path(place)
        raise BornflowError(
            f"CP2K's data files ({cp2k_input.BASIS_FILE}, ...) are in none of "
            f"{[str(place) for place in places if place]}; set CP2K_DATA_DIR"
        )

    def key(self, text: str) -> str:
        """The identity of a calculation: SHA-256 over input, data files and version."""
        identity = json.dumps([text, self.data_hashes, self.version], sort_keys=True)
        return hashlib.sha256(identity.encode()).hexdigest()

    def check(self, text: str, directory: Path) -> None:
        """Have CP2K's own parser read an input (`-c`); raise BornflowError with its complaint."""
        path = directory / "check.inp"
        path.write_text(text)
        result = subprocess.run(
            [self.executable, "-c", path.name],
            cwd=directory,
            capture_output=True,
            text=True,
            env=_environment(),
        )
        path.unlink()
        if "SUCCESS" not in result.stdout:
            complaint = "\n".join(result.stdout.strip().splitlines()[-20:])
            raise BornflowError(f"CP2K {self.version} refuses the input:\n{complaint}")

    def run(self, text: str, directory: Path, name: str) -> tuple[str, float]:
        """Run an input in `directory`; its output's text and the wall time in seconds.

        Raises Refused if the program ends with a status other than 0, and BornflowError if it was killed
        from outside.
        """
        output = directory / f"{name}.out"
        output.unlink(missing_ok=True)  # CP2K appends to an output that exists
        (directory / f"{name}.inp").write_text(text)
        started = time.monotonic()
        result = subprocess.run(
            [*self.command, "-i", f"{name}.inp", "-o", output.name],
            cwd=directory,
            capture_output=True,
            text=True,
            env=_environment(),
            preexec_fn=_end_with_parent,
        )
        printed = output.read_text(errors="replace") if output.exists() else ""
        if result.returncode in KILLED:
            raise BornflowError(
                f"CP2K was killed (status {result.returncode}) in {directory}: more memory, or a longer time "
                "limit, may be needed; run again to go on from the calculations that are finished"
            )
        if result.returncode != 0:
            reason = abort_reason(printed) or (result.stderr + printed).strip()[-300:]
            raise Refused(f"CP2K ended with status {result.returncode}: {reason}")
        return printed, time.monotonic() - started


def _end_with_parent() -> None:
    """Have Linux end a run when its label job is killed, so that two never share a directory."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _environment() -> dict[str, str]:
    """One OpenMP thread a process; Open MPI told that root and a few cores are fine."""
    return os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "OMPI_MCA_hwloc_base_binding_policy": "none",  # two jobs would bind to the same core
    }


class Cache:
    """Finished calculations by their key, one JSON file each."""

    def __init__(self, directory: str | Path):
        self.directory = Path(directory)

    def path(self, key: str) -> Path:
        """Where the result of `key` is kept."""
        return self.directory / key[:2] / f"{key}.json"

    def load(self, key: str) -> dict | None:
        """What is stored under a key, or None."""
        path = self.path(key)
        return json.loads(path.read_text()) if path.exists() else None

    def store(self, key: str, values: Mapping, wall: float) -> None:
        """Store values and the wall time [s] they took, whole or not at all."""
        write_json(self.path(key), {**values, "wall_s": round(wall, 2)})

    def get(self, key: str) -> Output | None:
        """The stored result of an energy-and-forces calculation, or None."""
        stored = self.load(key)
        if stored is None:
            return None
        return Output(
            version=stored["version"],
            energy=stored["energy"],
            forces=np.array(stored["forces"]),
            scf_steps=stored["scf_steps"],
            safe=stored.get("safe", False),
        )

    def put(self, key: str, output: Output, wall: float) -> None:
        """Store the result of an energy-and-forces calculation."""
        values = {
            "version": output.version,
            "energy": output.energy,
            "forces": output.forces.tolist(),
            "scf_steps": output.scf_steps,
            "safe": output.safe,
        }
        self.store(key, values, wall)


def once(
    program: Program,
    cache: Cache,
    workdir: Path,
    text: str,
    work: Callable[[Path], tuple[dict, float]],
) -> dict:
    """What `work` makes of an input: from the cache, or made now in a folder of its own under `workdir`.

    `work` takes that folder, which is there again if the last attempt was killed, and returns values that
    JSON can hold and the wall time [s]. The input is checked first; the folder goes when the values are
    stored.
    """
    key = program.key(text)
    directory = Path(workdir) / key[:16]
    with locked(directory):
        stored = cache.load(key)
        if stored is None:
            program.check(text, directory)
            values, wall = work(directory)
            stored = {**values, "version": program.version}
            cache.store(key, stored, wall)
        shutil.rmtree(directory, ignore_errors=True)
    return stored


def calculate(
    program: Program,
    cache: Cache,
    directory: Path,
    atoms: Atoms,
    settings: Mapping,
    field: tuple[int, int] | None = None,
    fine: bool = False,
) -> Output:
    """The result of one accepted calculation, from the cache or from CP2K.

    `field` and `fine` choose the run as for `cp2k_input.build_input`. A run whose SCF does not converge
    is tried once more with a safer setting before Refused is raised. The wave function of the
    field-free run stays in `directory`.
    """
    vector = None
    if field is not None:
        vector = [settings["field"] * field[1] if axis == field[0] else 0.0 for axis in range(3)]
        name = f"field-{'xyz'[field[0]]}{'+' if field[1] > 0 else '-'}"
    else:
        name = "fine" if fine else "field-free"
    texts = [cp2k_input.build_input(atoms, settings, field, fine, safe) for safe in (False, True)]
    for text in texts:
        stored = cache.get(program.key(text))
        if stored is not None:
            return stored
    directory.mkdir(parents=True, exist_ok=True)
    wavefunction = directory / cp2k_input.START_WAVEFUNCTION
    if name == "field-free":
        wavefunction.unlink(missing_ok=True)
    elif not wavefunction.exists():
        _remake_wavefunction(program, cache, directory, atoms, settings)
    for text, safe in zip(texts, (False, True), strict=True):
        program.check(text, directory)
        try:
            printed, wall = program.run(text, directory, name)
            output = parse(printed, atoms.get_chemical_symbols(), vector, program.version)
        except Refused as error:
            if safe or "converge" not in str(error):
                raise Refused(f"{name} run: {error}") from error
            continue
        if name == "field-free":
            (directory / RESTART_FILE).replace(wavefunction)
        output = replace(output, safe=safe)
        cache.put(program.key(text), output, wall)
        return output


def _remake_wavefunction(
    program: Program, cache: Cache, directory: Path, atoms: Atoms, settings: Mapping
) -> None:
    """Repeat the field-free run that was accepted, whose wave function a kill or another label has removed.

    Without the file CP2K would fall back to atoms and say nothing.
    """
    texts = [cp2k_input.build_input(atoms, settings, safe=safe) for safe in (False, True)]
    text = next((text for text in texts if cache.get(program.key(text)) is not None), texts[0])
    printed, _ = program.run(text, directory, "field-free")
    parse(printed, atoms.get_chemical_symbols(), None, program.version)
    (directory / RESTART_FILE).replace(directory / cp2k_input.START_WAVEFUNCTION)
