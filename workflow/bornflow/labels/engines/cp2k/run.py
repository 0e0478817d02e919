"""One accepted calculation of energy and forces by CP2K, with or without a field."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ase import Atoms

from ....errors import BornflowError, Rejected
from . import input_file
from .cache import Cache
from .output_file import Output, parse
from .program import Program
from .wavefunction import write_mirrored

RESTART_FILE = f"{input_file.PROJECT}-RESTART.wfn"
FIELD_FREE = "field-free.wfn"
# What an SCF that diverges ends in, by version; a safer solver may do better.
DIVERGED = ("converge", "abnormal value", "Cholesky", "not a finite number")


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

    `field` and `fine` choose the run as for `input_file.build_input`. A run whose SCF does not converge
    is tried once more with a safer setting before Rejected is raised. The wave functions of the field-free
    run and of those in +E stay in `directory`, for the runs that start from them; the former's input is part
    of the identity of these.
    """
    vector = None
    if field is not None:
        vector = [settings["field"] * field[1] if axis == field[0] else 0.0 for axis in range(3)]
        name = f"field-{'xyz'[field[0]]}{'+' if field[1] > 0 else '-'}"
    else:
        name = "fine" if fine else "field-free"
    texts = [input_file.build_input(atoms, settings, field, fine, safe) for safe in (False, True)]
    start = "" if name == "field-free" else input_file.build_input(atoms, settings)
    for text in texts:
        stored = cache.get(program.key(start + text), len(atoms))
        if stored is not None:
            return stored
    directory.mkdir(parents=True, exist_ok=True)
    if name == "field-free":
        (directory / FIELD_FREE).unlink(missing_ok=True)
    else:
        _provide_start(program, cache, directory, atoms, settings, field)
    for text, safe in zip(texts, (False, True), strict=True):
        program.check(text, directory)
        try:
            printed, wall = program.run(text, directory, name)
            output = parse(
                printed,
                atoms.get_chemical_symbols(),
                vector,
                program.version,
                input_file.operator(atoms, settings),
            )
        except Rejected as error:
            if safe or not any(word in str(error) for word in DIVERGED):
                raise Rejected(f"{name} run: {error} ({directory / name}.out)") from error
            continue
        if name == "field-free":
            (directory / RESTART_FILE).replace(directory / FIELD_FREE)
        elif field is not None and field[1] > 0:
            (directory / RESTART_FILE).replace(_in_field(program, directory, atoms, settings, field[0]))
        output = replace(output, safe=safe, wall=wall)
        cache.put(program.key(start + text), output)
        return output


def _in_field(program: Program, directory: Path, atoms: Atoms, settings: Mapping, axis: int) -> Path:
    """Where the wave function in +E along an axis is kept: by its input, since studies vary the field."""
    return directory / f"{program.key(input_file.build_input(atoms, settings, (axis, 1)))[:16]}.wfn"


def _provide_start(
    program: Program,
    cache: Cache,
    directory: Path,
    atoms: Atoms,
    settings: Mapping,
    field: tuple[int, int] | None,
) -> None:
    """Put the wave function to start from where inputs name it: the mirrored one in −E if +E is there."""
    start, field_free = directory / input_file.START_WAVEFUNCTION, directory / FIELD_FREE
    if not field_free.exists():
        _remake_wavefunction(program, cache, directory, atoms, settings)
    if field is not None and field[1] < 0:
        opposite = _in_field(program, directory, atoms, settings, field[0])
        if opposite.exists():
            try:
                return write_mirrored(field_free, opposite, start)
            except BornflowError as error:
                print(f"{error}: this run starts from the one without a field", file=sys.stderr, flush=True)
    shutil.copyfile(field_free, start)


def _remake_wavefunction(
    program: Program, cache: Cache, directory: Path, atoms: Atoms, settings: Mapping
) -> None:
    """Repeat the field-free run that was accepted, whose wave function a kill or another label has removed.

    Without the file CP2K would fall back to atoms and say nothing.
    """
    texts = [input_file.build_input(atoms, settings, safe=safe) for safe in (False, True)]
    text = next((text for text in texts if cache.get(program.key(text), len(atoms)) is not None), texts[0])
    printed, _ = program.run(text, directory, "field-free")
    try:
        parse(printed, atoms.get_chemical_symbols(), None, program.version)
    except Rejected as error:
        raise Rejected(f"field-free run, repeated: {error} ({directory / 'field-free'}.out)") from error
    (directory / RESTART_FILE).replace(directory / FIELD_FREE)
