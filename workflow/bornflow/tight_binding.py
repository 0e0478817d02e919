"""GFN-xTB by tblite as an ASE calculator, with the charge and the spin of a structure."""

from ase import Atoms
from tblite.ase import TBLite

from .electrons import multiplicity, total_charge


def calculator(method: str, atoms: Atoms) -> TBLite:
    """The calculator of `method` (GFN2-xTB or GFN1-xTB) for a structure like `atoms`."""
    # Both are in `parameters`, so the calculator does not derive them from charges and moments of atoms.
    return TBLite(method=method, verbosity=0, charge=total_charge(atoms), multiplicity=multiplicity(atoms))
