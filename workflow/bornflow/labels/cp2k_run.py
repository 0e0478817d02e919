"""One accepted calculation of energy and forces by CP2K, with or without a field."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ase import Atoms

from ..errors import Refused
from . import cp2k_input
from .cp2k_cache import Cache
from .cp2k_output import Output, parse
from .cp2k_program import Program

RESTART_FILE = f"{cp2k_input.PROJECT}-RESTART.wfn"
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

    `field` and `fine` choose the run as for `cp2k_input.build_input`. A run whose SCF does not converge
    is tried once more with a safer setting before Refused is raised. The wave function of the
    field-free run stays in `directory`; its input is part of the identity of the runs that start from it.
    """
    vector = None
    if field is not None:
        vector = [settings["field"] * field[1] if axis == field[0] else 0.0 for axis in range(3)]
        name = f"field-{'xyz'[field[0]]}{'+' if field[1] > 0 else '-'}"
    else:
        name = "fine" if fine else "field-free"
    texts = [cp2k_input.build_input(atoms, settings, field, fine, safe) for safe in (False, True)]
    start = "" if name == "field-free" else cp2k_input.build_input(atoms, settings)
    for text in texts:
        stored = cache.get(program.key(start + text), len(atoms))
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
            output = parse(
                printed,
                atoms.get_chemical_symbols(),
                vector,
                program.version,
                cp2k_input.operator(atoms, settings),
            )
        except Refused as error:
            if safe or not any(word in str(error) for word in DIVERGED):
                raise Refused(f"{name} run: {error} ({directory / name}.out)") from error
            continue
        if name == "field-free":
            (directory / RESTART_FILE).replace(wavefunction)
        output = replace(output, safe=safe, wall=wall)
        cache.put(program.key(start + text), output)
        return output


def _remake_wavefunction(
    program: Program, cache: Cache, directory: Path, atoms: Atoms, settings: Mapping
) -> None:
    """Repeat the field-free run that was accepted, whose wave function a kill or another label has removed.

    Without the file CP2K would fall back to atoms and say nothing.
    """
    texts = [cp2k_input.build_input(atoms, settings, safe=safe) for safe in (False, True)]
    text = next((text for text in texts if cache.get(program.key(text), len(atoms)) is not None), texts[0])
    printed, _ = program.run(text, directory, "field-free")
    try:
        parse(printed, atoms.get_chemical_symbols(), None, program.version)
    except Refused as error:
        raise Refused(f"field-free run, repeated: {error} ({directory / 'field-free'}.out)") from error
    (directory / RESTART_FILE).replace(directory / cp2k_input.START_WAVEFUNCTION)
