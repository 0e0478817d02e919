"""Checks of shapes and types in every test, and shared fixtures."""

import os

from jaxtyping import install_import_hook

install_import_hook("bornflow", "typecheck.check")
# Tests on small structures spend most of their time on compilation. Without LLVM's optimisation it is a third
# shorter, and half of that if LLVM itself generates the fused loops.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # on a busy machine threads would wait for each other
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false")

import jax
import pytest
from ase import Atoms

from bornflow.jax_setup import configure

jax.config.update("jax_enable_x64", True)
configure()

from examples import STRUCTURES, noisy_parameters, variant

from bornflow.models.model import Model

# The files that take longest. They start first, so that no process is left alone with one of them.
LONGEST = ("test_smoke.py", "test_training.py", "test_cp2k.py", "test_conservation.py", "test_dynamics.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


@pytest.fixture(scope="session")
def model() -> Model:
    return Model(variant(ewald_accuracy=1e-9), ("H", "O"))


@pytest.fixture(params=STRUCTURES, scope="session")
def structure(request) -> Atoms:
    return STRUCTURES[request.param]


@pytest.fixture(scope="session")
def parameters(model):
    return noisy_parameters(model)
