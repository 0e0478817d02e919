"""Here every test of a model runs for each of the six variants."""

import pytest
from examples import noisy_parameters, variant

from bornflow.models.variants import Model

VARIANTS = [
    (backbone, charges) for backbone in ("physical", "lorem") for charges in ("uncoupled", "global", "local")
]


@pytest.fixture(scope="session", params=VARIANTS, ids="-".join)
def model(request) -> Model:
    backbone, charges = request.param
    return Model(variant(backbone=backbone, charges=charges, ewald_accuracy=1e-9), ("H", "O"))


@pytest.fixture(scope="session")
def parameters(model):
    return noisy_parameters(model)
