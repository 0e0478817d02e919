"""The start wave function of a run in −E, tested on files in the format of CP2K 2023.1."""

import numpy as np
import pytest
from scipy.io import FortranFile
from scipy.stats import ortho_group

from bornflow.errors import BornflowError
from bornflow.labels.engines.cp2k.wavefunction import write_mirrored

FUNCTIONS = 10


def write(path, orbitals, spins=1, atoms=3):
    with FortranFile(path, "w") as file:
        file.write_record(np.array([atoms, spins, FUNCTIONS, 1, 5], "i4"))
        for size in (atoms, atoms, 5 * atoms):  # of the basis
            file.write_record(np.ones(size, "i4"))
        file.write_record(np.array([len(orbitals), len(orbitals), len(orbitals) + 1, 8], "i4"))
        file.write_record(np.zeros(2 * len(orbitals)))  # energies and occupations
        for orbital in orbitals:
            file.write_record(orbital)
    return path


def read(path):
    raw = path.read_bytes()
    rows = np.frombuffer(raw[-4 * (8 * FUNCTIONS + 8) :], "u1").reshape(4, -1)
    return np.frombuffer(rows[:, 4:-4].tobytes(), float).reshape(4, FUNCTIONS)


def projector(orbitals):
    q, _ = np.linalg.qr(orbitals.T)
    return q @ q.T


def test_the_error_of_the_mirrored_wave_function_is_of_second_order_in_the_field(tmp_path):
    """Orbitals change with the field and may be rotated among themselves: the space they span is compared."""
    rng = np.random.default_rng(1)
    free, slope, curvature = rng.normal(size=(3, 4, FUNCTIONS))
    errors = []
    for field in (1e-3, 2e-3):
        rotation = ortho_group.rvs(4, random_state=rng)
        plus, minus = (free + sign * field * slope + field**2 * curvature for sign in (1, -1))
        paths = [write(tmp_path / "free.wfn", free), write(tmp_path / "plus.wfn", rotation @ plus)]
        write_mirrored(*paths, tmp_path / "start.wfn")
        errors.append(np.abs(projector(read(tmp_path / "start.wfn")) - projector(minus)).max())
        assert errors[-1] < 0.02 * np.abs(projector(free) - projector(minus)).max()
    assert errors[1] / errors[0] == pytest.approx(4, rel=0.1)
    # All records before the orbitals are unchanged.
    head = len(paths[0].read_bytes()) - 4 * (8 * FUNCTIONS + 8)
    assert (tmp_path / "start.wfn").read_bytes()[:head] == paths[0].read_bytes()[:head]


@pytest.mark.parametrize("length", [0, 3, 20, 28, 60, 200, -100, -1])
def test_a_wave_function_that_is_cut_off_is_rejected(tmp_path, length):
    whole = write(tmp_path / "whole.wfn", np.ones((4, FUNCTIONS)))
    cut = tmp_path / "cut.wfn"
    cut.write_bytes(whole.read_bytes()[:length])
    with pytest.raises(BornflowError, match=r"cut\.wfn"):
        write_mirrored(whole, cut, tmp_path / "start.wfn")
    assert not (tmp_path / "start.wfn").exists()


def test_other_systems_and_more_spins_are_rejected(tmp_path):
    rows = np.eye(4, FUNCTIONS)
    ours, others = write(tmp_path / "ours.wfn", rows), write(tmp_path / "others.wfn", rows, atoms=4)
    with pytest.raises(BornflowError, match="of different systems"):
        write_mirrored(ours, others, tmp_path / "start.wfn")
    two = write(tmp_path / "two.wfn", rows, spins=2)
    with pytest.raises(BornflowError, match=r"two\.wfn is a wave function of 2 spins"):
        write_mirrored(ours, two, tmp_path / "start.wfn")
