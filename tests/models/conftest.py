"""Every test of a model runs for each of the six variants; four of these are slow tests."""

from collections.abc import Iterator

import jax
import pytest
from ase import Atoms
from examples import STRUCTURES, noisy_parameters, variant

from bornflow.models.model import Model

FAST = ("physical-uncoupled", "lorem-local")  # together they use all code of a model except the global γ
VARIANTS = [
    pytest.param((backbone, charges), id=name, marks=() if name in FAST else pytest.mark.slow)
    for backbone in ("physical", "lorem")
    for charges in ("uncoupled", "global", "local")
    for name in [f"{backbone}-{charges}"]
]

# Two that use all code of a model, for tests that compile for each structure; the others are slow tests.
FEW = ("isolated", "triclinic")
SOME = [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in STRUCTURES]


@pytest.fixture(scope="session", params=SOME)
def sample(request) -> Atoms:
    return STRUCTURES[request.param]


@pytest.fixture(scope="session", params=VARIANTS)
def model(request) -> Iterator[Model]:
    backbone, charges = request.param
    yield Model(variant(backbone=backbone, charges=charges, ewald_accuracy=1e-9), ("H", "O"))
    jax.clear_caches()  # all compiled variants exceed the memory maps of a process


@pytest.fixture(scope="session")
def parameters(model):
    return noisy_parameters(model)
