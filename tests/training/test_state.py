"""The state of a training run: damaged files are rejected in one line that names the remedy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import serialization

from bornflow.errors import BornflowError
from bornflow.training import state
from bornflow.training.loss import LOSS_TERMS
from bornflow.training.state import State, restore, store
from bornflow.training.tables import QUANTITIES

OPTIMISER = optax.adam(1e-3)


def begun(epochs=0):
    parameters = jnp.arange(6, dtype=jnp.float32)
    rows = np.array([[epochs, 1.5, *[np.nan] * len(QUANTITIES)]])[: bool(epochs)].reshape(
        -1, 2 + len(QUANTITIES)
    )
    history = np.full((epochs, 1 + len(LOSS_TERMS)), 0.5)
    return State(parameters, parameters, OPTIMISER.init(parameters), epochs, history, rows, float(epochs))


@pytest.fixture
def path(tmp_path):
    store(begun(3), tmp_path / "state.msgpack", "own")
    return tmp_path / "state.msgpack"


def test_a_state_is_restored_as_it_was_stored(path):
    found, expected = restore(begun(), path, "own"), begun(3)
    assert found.epoch == 3 and found.seconds == 3.0
    for one, two in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_state_stored_before_there_were_checksums_is_restored(path):
    old = {"identity": "own", "state": jax.tree.map(state._host, serialization.to_state_dict(begun(3)))}
    path.write_bytes(serialization.msgpack_serialize(old))
    assert restore(begun(), path, "own").epoch == 3


def test_a_state_of_another_run_is_kept(path, caplog):
    caplog.set_level("INFO")
    assert restore(begun(), path, "another").epoch == 0
    assert "kept as" in caplog.text
    assert restore(begun(), path, "own").epoch == 3


def changed(change):
    """A complete but impossible state with a correct checksum."""

    def damage(path):
        content = serialization.msgpack_restore(path.read_bytes())
        held = serialization.msgpack_restore(content["state"])
        held = change(held) or held
        data = serialization.msgpack_serialize(held)
        content |= {"state": data, "sha256": state.hashlib.sha256(data).hexdigest()}
        path.write_bytes(serialization.msgpack_serialize(content))

    return damage


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("epoch 3"),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "flip": flip,
    "list": lambda path: path.write_bytes(serialization.msgpack_serialize([1, 2])),
    "number": lambda path: path.write_bytes(serialization.msgpack_serialize(3)),
    "weights": lambda path: path.write_bytes(serialization.msgpack_serialize({"params": {}})),
    "no-identity": lambda path: path.write_bytes(serialization.msgpack_serialize({"state": b""})),
    "state-list": changed(lambda held: [1, 2]),
    "state-number": changed(lambda held: 4),
    "epoch-huge": changed(lambda held: held.update(epoch=1_000_000_000)),
    "epoch-negative": changed(lambda held: held.update(epoch=-1)),
    "epoch-text": changed(lambda held: held.update(epoch="3")),
    "epoch-fraction": changed(lambda held: held.update(epoch=3.5)),
    "epoch-flag": changed(lambda held: held.update(epoch=True)),
    "key-missing": changed(lambda held: held.pop("optimiser") and None),
    "key-unknown": changed(lambda held: held.update(more=1)),
    "history-short": changed(lambda held: held.update(history=held["history"][:-1])),
    "history-narrow": changed(lambda held: held.update(history=held["history"][:, 1:])),
    "history-list": changed(lambda held: held.update(history=["a"])),
    "validation-late": changed(lambda held: held.update(validation=held["validation"] + 7)),
    "validation-nan": changed(lambda held: held.update(validation=held["validation"] * np.nan)),
    "seconds-nan": changed(lambda held: held.update(seconds=np.array(np.nan))),
    "seconds-text": changed(lambda held: held.update(seconds="3")),
    "seconds-negative": changed(lambda held: held.update(seconds=np.array(-1.0))),
    "parameters-short": changed(lambda held: held.update(parameters=held["parameters"][:-1])),
    "parameters-nan": changed(lambda held: held.update(parameters=held["parameters"] * np.nan)),
    "parameters-text": changed(lambda held: held.update(parameters="a")),
    "average-type": changed(lambda held: held.update(average=held["average"].astype(int))),
    "optimiser-list": changed(lambda held: held.update(optimiser=[1])),
    "optimiser-none": changed(lambda held: held.update(optimiser={})),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_state_is_rejected_and_left_where_it_is(damage, path):
    damage(path)
    before = path.read_bytes()
    with pytest.raises(
        BornflowError, match=r"state\.msgpack is damaged \(.*; remove it, and training"
    ) as caught:
        restore(begun(), path, "own")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
