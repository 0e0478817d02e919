"""Labels of charged and open-shell structures: charge and spin reach the program, the gate and the hash."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from examples import hydronium, ion, water

from bornflow.io import frames
from bornflow.labels.engines import create
from bornflow.labels.engines.cp2k import input_file
from bornflow.labels.engines.cp2k.valence import VALENCE
from bornflow.labels.label import label_structures
from bornflow.labels.settings import load_settings

SETTINGS = replace(load_settings(None), known=[])
IONS = {"Na": ion("Na"), "Cl": ion("Cl"), "Mg": ion("Mg"), "H3O": hydronium()}


@pytest.mark.parametrize("name", IONS)
def test_born_effective_charges_add_up_to_the_total_charge(name, tmp_path):
    atoms = IONS[name]
    (labelled,), rejected = label_structures([atoms], "xtb", SETTINGS, tmp_path)
    assert not rejected
    charge = atoms.info["charge"]
    total = np.asarray(frames.label(labelled, "bec")).sum(axis=0)
    np.testing.assert_allclose(total, charge * np.eye(3), atol=1e-3)
    assert labelled.info["sum_rule"] < 1e-3
    assert labelled.info["charge"] == charge
    assert "dipole" not in labelled.info, "it depends on the origin"
    assert "polarizability" in labelled.info


def test_the_energy_is_that_of_the_ion(tmp_path):
    """The ionisation of sodium costs about 5 eV; the same atoms with another charge have another label."""
    engine = create("xtb", SETTINGS)
    cation = engine.label(IONS["Na"], tmp_path)
    radical = engine.label(_with(IONS["Na"], charge=0, multiplicity=2), tmp_path)
    assert 1 < cation.energy - radical.energy < 8
    assert cation.hash != radical.hash
    assert engine.identify(water(2)) == engine.identify(_with(water(2), charge=0, multiplicity=1))


def test_a_missing_charge_is_named(tmp_path):
    structures = [_with(IONS["Na"], charge=0), water(1)]
    labelled, rejected = label_structures(structures, "xtb", SETTINGS, tmp_path)
    assert [frames.name(atoms) for atoms in labelled] == ["water-1-0"]
    assert "51 electrons (charge 0)" in rejected[0][1]


def test_known_labels_of_ions_are_used(tmp_path):
    (labelled,), _ = label_structures([IONS["Cl"]], "xtb", SETTINGS, tmp_path)
    frames.write(tmp_path / "known.extxyz", [labelled])
    known = replace(SETTINGS, known=[str(tmp_path / "known.extxyz")])
    (again,), rejected = label_structures([IONS["Cl"]], "xtb", known, tmp_path)
    assert not rejected
    difference = np.abs(frames.label(again, "bec") - frames.label(labelled, "bec")).max()
    assert 0 < difference < 1e-7, "the rounded label of the file"


def test_cp2k_inputs_have_charge_and_spin():
    neutral = input_file.build_input(water(1), SETTINGS.cp2k)
    assert "CHARGE" not in neutral and "UKS" not in neutral, "the hashes of shipped labels would change"
    cation = input_file.build_input(IONS["Mg"], SETTINGS.cp2k)
    assert "CHARGE 2" in cation and "UKS" not in cation
    assert "GTH-PBE-q10" in cation
    radical = input_file.build_input(
        _with(Atoms("OH", [[0, 0, 0], [0, 0, 1]]), multiplicity=2), SETTINGS.cp2k
    )
    assert "MULTIPLICITY 2" in radical and "UKS" in radical


def test_valence_electrons_are_those_of_noble_gas_cores():
    assert (VALENCE["H"], VALENCE["O"], VALENCE["Na"], VALENCE["I"], VALENCE["Pb"]) == (1, 6, 9, 7, 4)


def _with(atoms: Atoms, **info) -> Atoms:
    copy = atoms.copy()
    copy.info |= {"structure": "changed", **info}
    return copy
