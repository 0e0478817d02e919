"""Parts of a run: whatever happens to one, the run goes on from the last good part before it."""

import io
import pickle
import shutil

import numpy as np
import pytest

from bornflow.dynamics.series import Parts, read_run
from bornflow.dynamics.unfinished import QUANTITIES, sealed
from bornflow.errors import BornflowError

COUNT = 4


def part(number):
    """The series of a part, and the state after it."""
    series = {"temperature": np.full(10, 1.0 + number), "current": np.full((10, 3), float(number))}
    state = {"step": 10 * number + 10, "rng": {"a": [1, 2]}}
    return series, state | {"positions": np.full((2, 3), number + 0.5), "momenta": np.zeros((2, 3))}


@pytest.fixture
def folder(tmp_path):
    parts = Parts(tmp_path / "r.parts", "own")
    assert parts.resume() is None
    for number in range(COUNT):
        parts.add(*part(number))
    return tmp_path / "r.parts"


def finish(folder, identity="own"):
    """Go on as a run does, and give what it is in the end, with the step that it went on from."""
    parts = Parts(folder, identity)
    state = parts.resume()
    for number in range(parts.count, COUNT):
        parts.add(*part(number))
    parts.join(folder.with_suffix(".h5"), {"timestep [fs]": 0.5}, {"numbers": np.array([8, 1])})
    return state and state["step"], read_run(folder.with_suffix(".h5"), "temperature", "current")[1]


def flip(path, place=0.5):
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 4
    path.write_bytes(data)


def resaved(path, **changes):
    with np.load(path) as held:
        arrays = dict(held) | changes
    content = io.BytesIO()
    np.savez(content, **{name: values for name, values in arrays.items() if values is not None})
    path.write_bytes(sealed(content.getvalue()))


DAMAGES = {
    "flip": flip,
    "flip-early": lambda path: flip(path, 0.01),
    "flip-late": lambda path: flip(path, 0.95),  # of the archive's table, without a checksum in npz
    "flip-seal": lambda path: flip(path, 0.999),
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
def test_a_damaged_part_is_made_again_with_those_after_it(damage, folder, capsys):
    damage(folder / "part-000002.npz")
    went_on_from, series = finish(folder)
    assert went_on_from == 20
    said = capsys.readouterr().err
    assert "part-000002.npz is damaged" in said or damage is DAMAGES["missing"]
    assert "part-000003.npz is removed" in said
    np.testing.assert_array_equal(series["temperature"], np.repeat(np.arange(1.0, 1 + COUNT), 10))
    np.testing.assert_array_equal(series["current"][:, 0], np.repeat(np.arange(COUNT), 10))


def test_a_damaged_first_part_begins_the_run_anew(folder, capsys):
    flip(folder / "part-000000.npz")
    went_on_from, series = finish(folder)
    assert went_on_from is None and len(series["temperature"]) == 10 * COUNT
    assert "goes on from its beginning" in capsys.readouterr().err


def test_good_parts_are_all_kept(folder, capsys):
    state = Parts(folder, "own").resume()
    assert state["step"] == 40 and state["rng"] == {"a": [1, 2]} and (state["positions"] == 3.5).all()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"something else", None], ids=str)
def test_parts_outlive_a_damaged_identity(content, folder, capsys):
    owner = folder / "identity"
    owner.unlink() if content is None else owner.write_bytes(content)
    assert finish(folder)[0] == 40
    assert "identity is damaged" in capsys.readouterr().err


def test_parts_of_another_run_are_not_gone_on_from_and_that_is_said(folder, capsys):
    assert finish(folder, "another")[0] is None
    assert "holds 4 parts of a run of another structure, model or settings" in capsys.readouterr().err


def test_a_part_that_is_damaged_before_the_end_is_named_and_nothing_is_lost(folder):
    parts = Parts(folder, "own")
    parts.resume()
    flip(folder / "part-000001.npz")
    with pytest.raises(BornflowError, match=r"part-000001\.npz is damaged .*run again"):
        parts.join(folder.with_suffix(".h5"), {}, {"numbers": np.array([8, 1])})
    assert not folder.with_suffix(".h5").exists()
    assert finish(folder)[0] == 10


def test_names_of_series_and_of_the_state_do_not_meet():
    assert not {"state", "belongs", "state_positions", "state_momenta"} & set(QUANTITIES)
