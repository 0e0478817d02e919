"""Chunks of a run: after any damage to a chunk, the run resumes after the last intact chunk before it."""

import io
import pickle
import shutil

import numpy as np
import pytest

from bornflow.dynamics.chunks import Chunks, with_checksum
from bornflow.dynamics.quantities import QUANTITIES
from bornflow.dynamics.series import read_run
from bornflow.errors import BornflowError

COUNT = 4


def chunk(number):
    """The series of a chunk, and the state after it."""
    series = {"temperature": np.full(10, 1.0 + number), "current": np.full((10, 3), float(number))}
    state = {"step": 10 * number + 10, "rng": {"a": [1, 2]}}
    return series, state | {"positions": np.full((2, 3), number + 0.5), "momenta": np.zeros((2, 3))}


@pytest.fixture
def folder(tmp_path):
    chunks = Chunks(tmp_path / "r.parts", "this run")
    assert chunks.resume() is None
    for number in range(COUNT):
        chunks.append(*chunk(number))
    return tmp_path / "r.parts"


def finish(folder, identity="this run"):
    """Resume and finish like a run; return the last step before it resumed, and the series."""
    chunks = Chunks(folder, identity)
    state = chunks.resume()
    for number in range(chunks.count, COUNT):
        chunks.append(*chunk(number))
    chunks.join(folder.with_suffix(".h5"), {"timestep [fs]": 0.5}, {"numbers": np.array([8, 1])})
    return state and state["step"], read_run(folder.with_suffix(".h5"), "temperature", "current")[1]


def flip(path, place=0.5):
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 4
    path.write_bytes(data)


def resaved(path, **changes):
    with np.load(path) as stored:
        arrays = dict(stored) | changes
    content = io.BytesIO()
    np.savez(content, **{name: values for name, values in arrays.items() if values is not None})
    path.write_bytes(with_checksum(content.getvalue()))


DAMAGES = {
    "flip": flip,
    "flip-early": lambda path: flip(path, 0.01),
    "flip-late": lambda path: flip(path, 0.95),  # of the archive's table, without a checksum in npz
    "flip-checksum": lambda path: flip(path, 0.999),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("step 3"),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"state": 1})),
    "npy": lambda path: np.save(path.open("wb"), np.zeros(3)),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "no-state": lambda path: resaved(path, state=None),
    "state-list": lambda path: resaved(path, state="[1]"),
    "state-cut": lambda path: resaved(path, state='{"step": 1'),
    "no-positions": lambda path: resaved(path, state_positions=None),
    "nan": lambda path: resaved(path, state_momenta=np.full((2, 3), np.nan)),
    "object": lambda path: resaved(path, state_momenta=np.array([None, 1], object)),
    "of-another-run": lambda path: resaved(path, belongs="part 2 of another"),
    "of-another-place": lambda path: shutil.copy(path.with_name("part-000000.npz"), path),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_chunk_and_those_after_it_are_computed_again(damage, folder, caplog):
    damage(folder / "part-000002.npz")
    resumed_after, series = finish(folder)
    assert resumed_after == 20
    assert "part-000002.npz is damaged" in caplog.text or damage is DAMAGES["missing"]
    assert "part-000003.npz is removed" in caplog.text
    np.testing.assert_array_equal(series["temperature"], np.repeat(np.arange(1.0, 1 + COUNT), 10))
    np.testing.assert_array_equal(series["current"][:, 0], np.repeat(np.arange(COUNT), 10))


def test_a_run_with_a_damaged_first_chunk_starts_again(folder, caplog):
    flip(folder / "part-000000.npz")
    resumed_after, series = finish(folder)
    assert resumed_after is None and len(series["temperature"]) == 10 * COUNT
    assert "the run starts again" in caplog.text


def test_intact_chunks_are_all_kept(folder, caplog):
    state = Chunks(folder, "this run").resume()
    assert state["step"] == 40 and state["rng"] == {"a": [1, 2]} and (state["positions"] == 3.5).all()
    assert not caplog.records


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"something else", None], ids=str)
def test_chunks_are_kept_if_the_identity_is_damaged(content, folder, caplog):
    path = folder / "identity"
    path.unlink() if content is None else path.write_bytes(content)
    assert finish(folder)[0] == 40
    assert "identity is damaged" in caplog.text


def test_a_run_does_not_resume_from_chunks_of_another_and_reports_them(folder, caplog):
    assert finish(folder, "another")[0] is None
    assert "contains 4 chunks of a run with another structure, model or settings" in caplog.text


def test_a_chunk_that_is_damaged_before_the_run_ends_is_reported_and_computed_again(folder):
    chunks = Chunks(folder, "this run")
    chunks.resume()
    flip(folder / "part-000001.npz")
    with pytest.raises(BornflowError, match=r"part-000001\.npz is damaged .*run again"):
        chunks.join(folder.with_suffix(".h5"), {}, {"numbers": np.array([8, 1])})
    assert not folder.with_suffix(".h5").exists()
    assert finish(folder)[0] == 10


def test_names_of_series_and_of_the_state_differ():
    assert not {"state", "belongs", "state_positions", "state_momenta"} & set(QUANTITIES)
