"""Dipole and polarizability of labels, isolated and periodic, with the quantum of the Berry phase."""

import numpy as np
from ase import Atoms
from examples import water

from bornflow.config import load
from bornflow.io import frames
from bornflow.labels.engines import xtb
from bornflow.labels.finite_field import FIELDS, polarizability
from bornflow.labels.label import label_structures
from bornflow.labels.moments import moments
from bornflow.labels.settings import LabelSettings
from bornflow.units import BOHR

ALPHA = np.array([[9.0, 0.5, 0.0], [0.5, 8.0, -0.3], [0.0, -0.3, 7.0]])  # bohr³
FIELD = 1e-3


def in_fields(shift=None) -> dict:
    """Dipoles [e bohr] of a linear dielectric; `shift` is added to that in +E_x."""
    dipoles = {(axis, sign): sign * FIELD * ALPHA[axis] for axis, sign in FIELDS}
    if shift is not None:
        dipoles[0, 1] = dipoles[0, 1] + shift
    return dipoles


def test_the_polarizability_is_the_slope_of_the_dipole():
    np.testing.assert_allclose(polarizability(in_fields(), FIELD), ALPHA)
    found = moments(water(1), np.array([0.1, 0.2, 0.3]), in_fields(), FIELD)
    np.testing.assert_allclose(found["dipole"], BOHR * np.array([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(found["polarizability"], BOHR**3 * ALPHA.ravel())


def test_a_quantum_of_the_berry_phase_changes_nothing():
    box = Atoms("H2", [[0, 0, 0], [0, 0, 0.7]], cell=[[6, 0, 0], [1, 7, 0], [0, 2, 8]], pbc=True)
    quantum = box.cell.array / BOHR
    moved = in_fields(quantum[0] - 2 * quantum[2])
    found = moments(box, np.array([0.1, 0.2, 0.3]), moved, FIELD)
    np.testing.assert_allclose(found["polarizability"], BOHR**3 * ALPHA.ravel(), atol=1e-8)
    np.testing.assert_allclose(found["polarization"] * box.get_volume(), BOHR * np.array([0.1, 0.2, 0.3]))
    assert "dipole" not in found, "it would depend on the choice of cell"


def test_what_a_run_did_not_print_is_left_out():
    partly = in_fields() | {(2, -1): None}
    assert moments(water(1), None, partly, FIELD) == {}
    assert set(moments(water(1), np.zeros(3), partly, FIELD)) == {"dipole"}


def test_labels_keep_their_moments_in_the_file(tmp_path):
    """They are derivatives of the energy with respect to the field, μ = −∂E/∂E_α."""
    settings = LabelSettings.from_section(load(None, "labels"))
    free, runs, _ = xtb.calculate(water(2), field := settings.xtb.field)
    along, against = (np.array([runs[axis, sign].energy for axis in range(3)]) for sign in (1, -1))
    labelled, _ = label_structures([water(2)], "xtb", settings, tmp_path)
    frames.write(tmp_path / "l.extxyz", labelled)
    (found,) = frames.read(tmp_path / "l.extxyz")
    np.testing.assert_allclose(found.info["dipole"] / BOHR, (against - along) / (2 * field), atol=1e-5)
    alpha = np.reshape(found.info["polarizability"], (3, 3)) / BOHR**3
    np.testing.assert_allclose(np.diag(alpha), (2 * free.energy - along - against) / field**2, rtol=0.01)
    np.testing.assert_allclose(alpha, alpha.T, atol=1e-3)
