"""The loss of eqs. 13 and 14, and the detection of a divergence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from examples import ion, variant, water

from bornflow.config.load import complete
from bornflow.io import frames
from bornflow.models.model import Model, Prediction
from bornflow.training import data
from bornflow.training.divergence import explain, find_divergence
from bornflow.training.loss import mean_terms, terms_by_structure
from bornflow.training.settings import LossWeights
from bornflow.training.step import Outcome, loss_weights


def batch(*second):
    """Structures of two atoms and one atom, with labels of zero; the second has the given labels."""
    zeros = [{"energy": 0.0, "forces": np.zeros((n, 3)), "bec": np.zeros((n, 3, 3))} for n in (2, 1)]
    labels = (zeros[0], {key: zeros[1][key] for key in second})
    pair = (Atoms("OH", [[0, 0, 0], [1.0, 0, 0]]), Atoms("O"))
    labelled = [frames.with_labels(atoms, held) for atoms, held in zip(pair, labels, strict=True)]
    (bucket,) = data.make_buckets(labelled, Model(variant(), ("H", "O")), np.zeros(2), 4, shapes=1)
    return data.make_batch(bucket, np.array([0, 1]))


def test_terms_are_means_over_atoms_components_and_structures():
    """Eq. 13 by hand."""
    prediction = Prediction(
        energy=jnp.array([3.0, 0.5]),
        forces=jnp.array([[[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]], [[3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]),
        bec=jnp.stack([jnp.full((2, 3, 3), 2.0), jnp.stack([jnp.eye(3), jnp.zeros((3, 3))])]),
        charges=jnp.array([[0.6, 0.2], [0.0, 0.0]]),
    )
    found = terms_by_structure(prediction, batch("energy", "forces", "bec"))
    np.testing.assert_allclose(found["energy"], [(3 / 2) ** 2, 0.25])
    np.testing.assert_allclose(found["forces"], [(1 + 4 + 1) / 6, 9 / 3])
    np.testing.assert_allclose(found["bec"], [4.0, 3 / 9])
    np.testing.assert_allclose(found["charge"], [1.0, 0.0], atol=1e-5)
    partly = batch("energy")
    terms = mean_terms(terms_by_structure(prediction, partly), partly)
    assert float(terms["forces"]) == pytest.approx(1.0), "a missing label takes no part in the mean"
    assert float(terms["energy"]) == pytest.approx((2.25 + 0.25) / 2)


def test_born_effective_charges_have_no_weight_where_one_screening_is_fitted_to_them():
    loss = complete({})["training"]["loss"]
    for charges, weight in (("uncoupled", 1.0), ("global", 0.0), ("local", 1.0)):
        model = Model(variant(charges=charges), ("H", "O"))
        assert loss_weights(LossWeights(**loss), model) == loss | {"bec": weight * loss["bec"]}


def test_the_penalty_is_of_the_total_charge_alone():
    """Eq. 14: zero for a neutral set, 1 for charges of one sign, the same in any unit and for both signs."""
    model = Model(variant(), ("H", "O"))
    (bucket,) = data.make_buckets([water(2)], model, np.zeros(2), 18)
    batch = data.make_batch(bucket, np.array([0]))
    zero = model.batch(model.initialise(jax.tree.map(lambda x: x[0], batch.graph), 0), batch.graph)
    atoms = np.asarray(batch.graph.atom_mask) > 0

    def penalty(charges):
        full = np.zeros(atoms.shape, np.float32)
        full[atoms] = np.resize(charges, atoms.sum())
        return float(terms_by_structure(zero._replace(charges=full), batch)["charge"][0])

    assert penalty([-0.8, 0.4, 0.4]) == pytest.approx(0, abs=1e-9)
    assert penalty([0.3, 0.1, 0.4]) == pytest.approx(1, abs=1e-4)
    once = penalty([-0.8, 0.4, 0.7])
    assert 0 < once < 1
    assert [penalty(scale * np.array([-0.8, 0.4, 0.7])) for scale in (3, -1)] == pytest.approx(
        [once] * 2, rel=1e-4
    )
    slope = jax.grad(lambda q: terms_by_structure(zero._replace(charges=q), batch)["charge"].sum())(
        np.zeros(atoms.shape, np.float32)
    )
    assert np.isfinite(slope).all()


def test_the_charges_of_ions_add_up_to_the_total_charge():
    """In charged structures the penalty is of Q_i = γ_i q_i if a model has them, else of the q_i."""
    model = Model(variant(charges="local"), ("H", "O", "Na"))
    (bucket,) = data.make_buckets([ion("Na")], model, np.zeros(3), 18)
    batch = data.make_batch(bucket, np.array([0]))
    assert float(batch.graph.charge[0]) == 1
    found = model.batch(model.initialise(jax.tree.map(lambda x: x[0], batch.graph), 0), batch.graph)
    atoms = np.asarray(batch.graph.atom_mask)
    q = jnp.asarray(atoms) / atoms.sum()  # add up to 1

    def penalty(charges, effective):
        prediction = found._replace(charges=charges, effective_charges=effective)
        return float(terms_by_structure(prediction, batch)["charge"][0])

    assert penalty(q, None) == pytest.approx(0, abs=1e-9)
    assert penalty(0.5 * q, q) == pytest.approx(0, abs=1e-9)
    assert penalty(q, 0.5 * q) == pytest.approx((0.5 - 1) ** 2 / 0.5**2, rel=1e-4)


NO_HISTORY, NO_LOSS = np.zeros((0, 5)), np.zeros(5)


def epoch(*losses):
    """Outcomes of steps with two structures each, where the loss is that of the forces."""
    return [
        Outcome(
            np.array([[x, 1.0, 2 * x, 0.2, 0.1], [1, 2, 2, 2, 2]]),
            np.array([[0.5, 0.5], [0.5 * x, 1.5 * x], *2 * [[0.1, 0.1]]]),
            np.array(True),
            np.array([0, 1]),
        )
        for x in losses
    ]


def test_a_diverging_loss_is_named():
    history = np.array([[1.0, 1.0, 1.0, np.nan, 0.1], [0.5, 0.6, 0.5, np.nan, 0.1]])
    assert find_divergence(epoch(0.5, 700.0), history, NO_LOSS) is None, "the epoch's mean is 350"
    outcomes = epoch(0.5, 1400.0)
    structures = [Atoms("O", info={"structure": name}) for name in ("good", "bad")]
    words = explain(find_divergence(outcomes, history, NO_LOSS), outcomes, structures, 2)
    assert "epoch 2: forces of structure bad in step 5 grew most: the loss is 700" in words


def test_a_diverging_loss_in_the_first_epoch_is_detected():
    assert find_divergence(epoch(1.0, 900.0), NO_HISTORY, NO_LOSS) is None
    assert find_divergence(epoch(1.0, 9000.0), NO_HISTORY, NO_LOSS).step == 1


def test_another_set_of_labels_is_not_a_divergence():
    """Mean squares of energy errors alone are 1e6 times below those of forces in later steps."""
    outcomes = epoch(1e-6, 1.0, 1e-6, 2.0)
    for outcome in outcomes[::2]:
        outcome.sums[1, 2:] = 0
    assert find_divergence(outcomes, NO_HISTORY, NO_LOSS) is None
    outcomes[3].sums[0, 0] = 9000.0
    assert find_divergence(outcomes, NO_HISTORY, NO_LOSS).step == 3
