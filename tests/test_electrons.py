"""Charge and multiplicity have to fit the number of electrons."""

import pytest
from ase import Atoms
from examples import ion

from bornflow.electrons import reject_impossible
from bornflow.errors import Rejected

POSSIBLE = [("H", 1, 1), ("H", 0, 2), ("Na", 1, 1), ("O2", 0, 3), ("OH", -1, 1), ("OH", 0, 2), ("Mg", 2, 1)]
IMPOSSIBLE = [("Na", 0, 1), ("OH", 0, 1), ("H2O", 0, 2), ("H", 1, 2), ("H", 2, 1), ("He", 0, 5)]


def structure(symbols: str, charge: int, multiplicity: int) -> Atoms:
    return Atoms(symbols, info={"structure": symbols, "charge": charge, "multiplicity": multiplicity})


@pytest.mark.parametrize("case", POSSIBLE)
def test_possible(case):
    reject_impossible(structure(*case))


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible(case):
    with pytest.raises(Rejected, match=rf"{case[0]} has .* electrons \(charge {case[1]}\)"):
        reject_impossible(structure(*case))


def test_an_ion_without_its_charge_is_rejected():
    atoms = ion("Na")
    del atoms.info["charge"]
    with pytest.raises(Rejected, match=r"51 electrons.*give `charge`"):
        reject_impossible(atoms)
