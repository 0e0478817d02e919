"""One γ for all atoms is the exact minimum of the mean absolute error."""

import numpy as np
import pytest
from examples import noisy_parameters, variant, water

from bornflow.errors import BornflowError
from bornflow.inference.checkpoint import Checkpoint
from bornflow.inference.predict import predict_labels
from bornflow.io import frames
from bornflow.models.model import Model
from bornflow.training import screening
from bornflow.training.metrics import error_metrics


def test_no_other_factor_has_a_smaller_error():
    rng = np.random.default_rng(0)
    u = rng.normal(size=200)
    z = 1.9 * u + rng.laplace(scale=0.3, size=200)
    best = screening.best_screening(z, u)
    errors = [np.abs(z - gamma * u).mean() for gamma in np.linspace(1.5, 2.3, 801)]
    assert np.abs(z - best * u).mean() <= min(errors) + 1e-12
    assert best == pytest.approx(1.9, abs=0.1)


def test_charges_that_vanish_are_rejected():
    with pytest.raises(BornflowError, match="all charges are zero"):
        screening.best_screening(np.ones(3), np.zeros(3))


@pytest.mark.parametrize("backbone", ["physical", "lorem"])
def test_a_model_finds_the_factor_that_made_the_labels(backbone):
    """With eq. 5, where opposite charges have the same energy, the sign of γ becomes positive."""
    model = Model(variant(backbone=backbone, charges="global"), ("H", "O"))
    checkpoint = Checkpoint(model, noisy_parameters(model), np.zeros(2))
    plain = Checkpoint(model, screening.with_screening(checkpoint.parameters, 1.0), np.zeros(2))
    structures = [water(2, seed=seed) for seed in range(4)]
    labelled = [
        frames.with_labels(atoms, {"bec": -0.19 * frames.label(atoms, "bec")})
        for atoms in predict_labels(plain, structures)
    ]
    fitted, report = screening.fit(checkpoint, labelled, predict_labels(checkpoint, structures))
    assert report["screening"] == pytest.approx(0.19 if backbone == "physical" else -0.19, abs=1e-5)
    assert report["screening_low"] <= report["screening"] <= report["screening_high"]
    errors = error_metrics(labelled, predict_labels(fitted, labelled))
    assert errors["all"]["bec_mae [1e-3 e]"] < 1e-2
    assert "screening" in predict_labels(fitted, labelled)[0].arrays
    for before, after in zip(*(predict_labels(c, structures) for c in (checkpoint, fitted)), strict=True):
        for key in ("energy", "forces"):
            np.testing.assert_allclose(frames.label(after, key), frames.label(before, key), atol=1e-5)
