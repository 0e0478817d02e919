"""Potentials compared with known constants and plain sums."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jaxpme
import numpy as np
import pytest

from bornflow.models import electrostatics, pairs
from bornflow.models.graph import edge_vectors, lengths
from bornflow.structures.packing import pack_water
from bornflow.units import COULOMB

# Madelung constants referred to the nearest-neighbour distance.
ROCK_SALT, CAESIUM_CHLORIDE = 1.7475645946, 1.7626747730


def built_graph(positions, cell, cutoff, accuracy):
    limit = electrostatics.k_max(cutoff, accuracy)
    species = np.zeros(len(positions), int)
    return pairs.pad(pairs.list_pairs(species, positions, cell, 1, cutoff, limit), dtype=np.float64)


def potentials(positions, charges, cell, cutoff=5.0, accuracy=1e-10):
    built = built_graph(positions, cell, cutoff, accuracy)
    return np.asarray(
        electrostatics.potentials(
            jnp.asarray(charges, float), built, lengths(edge_vectors(built)), cutoff, accuracy
        )
    )


@pytest.mark.parametrize("skew", [np.eye(3), np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1.0]])])
def test_rock_salt(skew):
    grid = np.stack(np.meshgrid(*[range(2)] * 3, indexing="ij"), -1).reshape(-1, 3)
    charges = (-1.0) ** grid.sum(axis=1)
    found = potentials(grid * 2.8, charges, skew @ np.eye(3) * 5.6)
    np.testing.assert_allclose(found * charges, -ROCK_SALT * COULOMB / 2.8, rtol=1e-7)


def test_caesium_chloride():
    found = potentials(np.array([[0, 0, 0], [2, 2, 2.0]]), [1, -1], 4 * np.eye(3))
    np.testing.assert_allclose(
        found, [-CAESIUM_CHLORIDE * COULOMB / np.sqrt(12)] * 2 * np.array([1, -1]), rtol=1e-7
    )


def test_isolated_charges():
    positions = np.random.default_rng(0).uniform(0, 12, (7, 3))
    charges = np.random.default_rng(1).normal(size=7)
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1) + np.diag([np.inf] * 7)
    expected = COULOMB * (charges / distances).sum(axis=1)
    np.testing.assert_allclose(potentials(positions, charges, None), expected, rtol=1e-12)


def energy_of(positions, charges, cell, accuracy):
    """The energy [eV] of fixed charges as a function of positions and cell, with one neighbour list."""
    built = built_graph(positions, cell, 5.0, accuracy)

    @jax.jit
    def energy(positions, cell):
        new = replace(built, positions=positions, cell=cell)
        found = electrostatics.potentials(
            jnp.asarray(charges), new, lengths(edge_vectors(new)), 5.0, accuracy
        )
        return 0.5 * charges @ found

    return energy


def forces(positions, charges, cell, accuracy):
    """Forces on fixed charges [eV/Å]."""
    energy = energy_of(positions, charges, cell, accuracy)
    return -np.asarray(jax.grad(energy)(positions, cell))


SHEAR = np.array([[1, 0, 0], [0.2, 1, 0], [0.1, 0.15, 1]])


@pytest.mark.parametrize("shape", [np.eye(3), SHEAR], ids=["cube", "sheared"])
@pytest.mark.parametrize("accuracy", [1e-3, 1e-5])
@pytest.mark.parametrize("molecules", [16, 96], ids=["waves", "mesh"])
def test_force_error_follows_the_requested_accuracy(accuracy, molecules, shape, monkeypatch):
    used = []
    for name in ("_wave_sum", "_mesh_sum"):
        plain = getattr(electrostatics, name)
        monkeypatch.setattr(
            electrostatics, name, lambda *args, name=name, plain=plain: used.append(name) or plain(*args)
        )
    box = pack_water(molecules, np.random.default_rng(2), 0.997)
    charges = np.tile([-0.8, 0.4, 0.4], molecules)
    found = forces(box.positions @ shape, charges, box.cell.array @ shape, accuracy)
    monkeypatch.setattr(electrostatics, "MESH_START", np.inf)
    exact = forces(box.positions @ shape, charges, box.cell.array @ shape, 1e-12)
    error = np.sqrt(np.mean((found - exact) ** 2) / np.mean(exact**2))
    assert used == ["_wave_sum" if molecules == 16 else "_mesh_sum", "_wave_sum"]
    assert error < 1.5 * accuracy


@pytest.mark.parametrize("molecules", [16, 96], ids=["waves", "mesh"])
def test_stress_is_the_derivative_with_strain_in_a_sheared_cell(molecules):
    box = pack_water(molecules, np.random.default_rng(2), 0.997)
    positions, cell = box.positions @ SHEAR, box.cell.array @ SHEAR
    energy = energy_of(positions, np.tile([-0.8, 0.4, 0.4], molecules), cell, 1e-5)
    by_positions, by_cell = jax.grad(energy, argnums=(0, 1))(positions, cell)
    virial = positions.T @ by_positions + cell.T @ by_cell
    np.testing.assert_allclose(virial, virial.T, atol=1e-6)
    strain = np.random.default_rng(1).normal(size=(3, 3)) / 10
    high, low = (
        energy(positions + sign * positions @ strain, cell + sign * cell @ strain) for sign in (1e-4, -1e-4)
    )
    assert (high - low) / 2e-4 == pytest.approx(float(np.sum(virial * strain)), abs=1e-4)


def test_jax_pme_gives_the_same():
    box = pack_water(96, np.random.default_rng(3), 0.997)
    charges = np.tile([-0.8, 0.4, 0.4], 96) + np.random.default_rng(4).normal(scale=0.05, size=288)
    peer = jaxpme.Ewald(prefactor=2 * COULOMB)
    arguments = peer.prepare(box, charges, 6.0, lr_wavelength=0.4, smearing=0.9)
    expected = np.asarray(peer.potentials(*arguments))
    for accuracy, limit in ((1e-9, 1e-7), (1e-5, 1e-4)):  # by waves, by the mesh
        found = potentials(box.positions, charges, box.cell.array, 5.0, accuracy)
        np.testing.assert_allclose(found, expected, atol=limit * np.abs(expected).max())
