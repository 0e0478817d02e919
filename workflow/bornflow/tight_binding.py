"""GFN-xTB by tblite as an ASE calculator, with the charge and the spin of a structure."""

import os
from collections.abc import Sequence

from ase import Atoms
from ase.calculators.calculator import CalculationFailed, all_changes

# Read once, when OpenMP is loaded. On a busy machine more threads than free cores wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tblite.ase import TBLite

from .electrons import multiplicity, total_charge

HEAVIEST = 86  # atomic number of the last element with parameters, radon
USUAL = {"mixer_damping": 0.4, "max_iterations": 250}  # tblite's defaults
SAFE = {"mixer_damping": 0.1, "max_iterations": 1000}


class TightBinding(TBLite):
    """tblite's calculator with a second attempt: an SCF that does not converge is repeated with more damping.

    Pairs of distant ions need it. The damping stays until `reset`, so that what follows a reset does not
    depend on what was before.
    """

    _is_switching = False

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Energy, forces and tblite's other properties; CalculationFailed if both attempts fail."""
        try:
            super().calculate(atoms, properties, list(system_changes))
        except CalculationFailed:
            if self.parameters.get("mixer_damping") == SAFE["mixer_damping"]:
                raise
            self._switch(SAFE)
            super().calculate(atoms, properties, list(all_changes))

    def reset(self) -> None:
        """Forget earlier results, the wave function and the damping."""
        super().reset()
        if not self._is_switching and self.parameters.get("mixer_damping") == SAFE["mixer_damping"]:
            self._switch(USUAL)

    def _switch(self, parameters: dict[str, float]) -> None:
        self._is_switching = True
        self.set(**parameters)
        self._is_switching = False


def calculator(method: str, atoms: Atoms) -> TightBinding:
    """The calculator of `method` (GFN2-xTB or GFN1-xTB) for structures like `atoms`."""
    # Given explicitly, so that they do not follow from charges and magnetic moments of atoms.
    return TightBinding(
        method=method, verbosity=0, charge=total_charge(atoms), multiplicity=multiplicity(atoms)
    )
