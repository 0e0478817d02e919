"""The CP2K runs for one label: energy and forces, with or without an electric field."""

import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from ase import Atoms

from ....electrons import multiplicity
from ....errors import BornflowError, Rejected
from ...finite_field import Direction
from ...settings import CP2KSettings
from . import input_file
from .cache import Cache
from .output_file import Output, parse
from .program import Program
from .wavefunction import write_mirrored

logger = logging.getLogger(__name__)

RESTART_FILE = f"{input_file.PROJECT}-RESTART.wfn"
FIELD_FREE = "field-free.wfn"
# Messages of different CP2K versions for an SCF that diverges; a safer solver may converge.
DIVERGED = ("converge", "abnormal value", "Cholesky", "not a finite number")


@dataclass(frozen=True)
class Runs:
    """The runs of one structure with one choice of settings, in one folder.

    The wave functions of the field-free run and of those in +E stay in `directory`, for the runs that
    start from them. `settings` is the section `labels.cp2k`.
    """

    program: Program
    cache: Cache
    directory: Path
    atoms: Atoms
    settings: CP2KSettings

    def calculate(self, field: Direction | None = None, fine: bool = False) -> Output:
        """The result of one accepted run, from the cache or from CP2K.

        `field` and `fine` choose the run as for `input_file.build_input`. A run whose SCF does not converge
        is tried once more with a safer solver before Rejected is raised. The input of the field-free run is
        part of the identity of all runs that start from its wave function.
        """
        name = _name(field, fine)
        start = "" if name == "field-free" else self._input()
        keys = [self.program.key(start + self._input(field, fine, safe)) for safe in (False, True)]
        for key in keys:
            stored = self.cache.get(key, len(self.atoms))
            if stored is not None:
                return stored
        self.directory.mkdir(parents=True, exist_ok=True)
        if name == "field-free":
            (self.directory / FIELD_FREE).unlink(missing_ok=True)
        else:
            self._provide_start(field)
        output = self._run_twice(name, field, fine)
        if name == "field-free":
            (self.directory / RESTART_FILE).replace(self.directory / FIELD_FREE)
        elif field is not None and field[1] > 0:
            (self.directory / RESTART_FILE).replace(self._in_field(field[0]))
        self.cache.put(keys[output.safe], output)
        return output

    def _input(self, field: Direction | None = None, fine: bool = False, safe: bool = False) -> str:
        return input_file.build_input(self.atoms, self.settings, field, fine, safe)

    def _run_twice(self, name: str, field: Direction | None, fine: bool) -> Output:
        """The output with the usual solver or, if that does not converge, with the safe one."""
        for safe in (False, True):
            text = input_file.build_input(self.atoms, self.settings, field, fine, safe, dipole=True)
            self.program.check(text, self.directory)
            try:
                output = self._run(name, text, field)
            except Rejected as error:
                if safe or not any(word in str(error) for word in DIVERGED):
                    raise Rejected(f"{name} run: {error} ({self.directory / name}.out)") from error
            else:
                break
        return replace(output, safe=safe)

    def _run(self, name: str, text: str, field: Direction | None) -> Output:
        printed, wall = self.program.run(text, self.directory, name)
        vector = None
        if field is not None:
            vector = [self.settings.field * field[1] if axis == field[0] else 0.0 for axis in range(3)]
        output = parse(
            printed,
            self.atoms.get_chemical_symbols(),
            vector,
            self.program.version,
            input_file.operator(self.atoms, self.settings),
        )
        return replace(output, wall=wall)

    def _in_field(self, axis: int) -> Path:
        """File of the wave function in +E along an axis, named by its input, since studies vary the field."""
        return self.directory / f"{self.program.key(self._input((axis, 1)))[:16]}.wfn"

    def _provide_start(self, field: Direction | None) -> None:
        """Write the initial wave function to the path that inputs name.

        A run in −E of a closed shell starts from the mirrored wave function of the run in +E, if it exists;
        every other run starts from the field-free wave function.
        """
        start, field_free = self.directory / input_file.START_WAVEFUNCTION, self.directory / FIELD_FREE
        if not field_free.exists():
            self._repeat_field_free()
        if field is not None and field[1] < 0 and multiplicity(self.atoms) == 1:
            opposite = self._in_field(field[0])
            if opposite.exists():
                try:
                    return write_mirrored(field_free, opposite, start)
                except BornflowError as error:
                    logger.warning("%s: this run starts from the field-free wave function", error)
        shutil.copyfile(field_free, start)

    def _repeat_field_free(self) -> None:
        """Repeat the accepted field-free run, since its wave function was lost in a kill or was removed.

        Without this file CP2K would start from an atomic guess, without a message.
        """
        texts = [self._input(safe=safe) for safe in (False, True)]
        cached = [text for text in texts if self.cache.get(self.program.key(text), len(self.atoms))]
        printed, _ = self.program.run((cached or texts)[0], self.directory, "field-free")
        try:
            parse(printed, self.atoms.get_chemical_symbols(), None, self.program.version)
        except Rejected as error:
            path = self.directory / "field-free.out"
            raise Rejected(f"field-free run, repeated: {error} ({path})") from error
        (self.directory / RESTART_FILE).replace(self.directory / FIELD_FREE)


def _name(field: Direction | None, fine: bool) -> str:
    if field is not None:
        return f"field-{'xyz'[field[0]]}{'+' if field[1] > 0 else '-'}"
    return "fine" if fine else "field-free"
