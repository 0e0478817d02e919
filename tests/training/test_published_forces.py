"""Forces of the published `physical` models as their own code returns them.

The references have sums of an accuracy of 10⁻⁹.
"""

from dataclasses import replace

import ase.io
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import ROOT, cell_of

from bornflow.inference import published
from bornflow.io import frames
from bornflow.models.model import Model
from bornflow.training.published_forces import returned_forces

SHARED = ROOT.parent / "shared"


@pytest.mark.skipif(
    not (SHARED / "published").exists(), reason="the published models are not beside the project"
)
@pytest.mark.parametrize(
    "name",
    [
        "phys_coupl_local",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("phys_uncoupled", "phys_lr_only")),
    ],
)
def test_forces_are_those_of_the_published_code(name):
    imported = published.read(SHARED / f"published/checkpoints/{name}")
    model = Model(replace(imported.model.variant, ewald_accuracy=1e-9), imported.model.elements)
    parameters = jax.tree.map(jnp.asarray, imported.parameters)
    reference = np.load(SHARED / f"published/reference-{name}.npz")
    structures = {
        "book": ase.io.read(SHARED / "data/hexamers/book.xyz"),
        "box32": frames.read(ROOT / "resources/structures/box-32.extxyz")[0],
    }
    for key, atoms in structures.items():
        graph = model.graph(atoms.numbers, atoms.positions, cell_of(atoms), dtype=np.float64)
        found = jax.jit(lambda graph: returned_forces(model, parameters, graph))(graph)
        np.testing.assert_allclose(found[: len(atoms)], reference[f"{key}_forces"], atol=2e-7)
        gradient = reference[f"{key}_gradient"]
        assert np.abs(reference[f"{key}_forces"] - gradient).max() > 0.02, "they are no gradient"
