"""extxyz files of labelled structures: labels are kept, missing ones stay missing, damage is reported."""

import numpy as np
import pytest
from examples import water

from bornflow.errors import BornflowError
from bornflow.io import frames
from bornflow.io.files import atomic_write


def labelled(n=2):
    atoms, rng = water(n), np.random.default_rng(0)
    values = {
        "energy": -931.25,
        "forces": rng.normal(size=(3 * n, 3)),
        "bec": rng.normal(size=(3 * n, 3, 3)),
    }
    return frames.with_labels(atoms, values), values


def test_round_trip_keeps_labels_and_the_order_of_indices(tmp_path):
    atoms, values = labelled()
    frames.write(tmp_path / "a.extxyz", [atoms])
    (back,) = frames.read(tmp_path / "a.extxyz")
    assert back.info["structure"] == atoms.info["structure"]
    for key, value in values.items():
        np.testing.assert_allclose(frames.label(back, key), value, atol=1e-8)
    row = next(line for line in (tmp_path / "a.extxyz").read_text().splitlines() if line.startswith("O"))
    numbers = [float(word) for word in row.split()[1:]]
    written = np.array(numbers[3:12]).reshape(3, 3)  # row-major [field, force]
    np.testing.assert_allclose(written, values["bec"][0], atol=1e-8)


def test_a_missing_label_stays_missing(tmp_path):
    atoms, values = labelled()
    only = frames.with_labels(atoms, {"bec": values["bec"]})
    frames.write(tmp_path / "a.extxyz", [only])
    (back,) = frames.read(tmp_path / "a.extxyz")
    assert frames.label(back, "energy") is None
    assert frames.label(back, "forces") is None
    assert frames.label(back, "bec") is not None


def test_keys_can_be_mapped(tmp_path):
    atoms, values = labelled()
    plain = frames.with_labels(atoms, {})
    plain.info["dft_energy"] = values["energy"]
    plain.arrays["apt"] = values["bec"].reshape(-1, 9)
    frames.write(tmp_path / "a.extxyz", [plain])
    (back,) = frames.read(tmp_path / "a.extxyz", {"energy": "dft_energy", "bec": "apt"})
    assert frames.label(back, "energy") == values["energy"]
    np.testing.assert_allclose(frames.label(back, "bec"), values["bec"], atol=1e-8)


def test_unnamed_frames_of_files_with_the_same_name_get_different_names(tmp_path):
    plain = labelled()[0]
    del plain.info["structure"]
    for folder in ("cold", "hot"):
        (tmp_path / folder).mkdir()
        frames.write(tmp_path / folder / "train.extxyz", [plain, plain])
    found = frames.read_all(sorted(tmp_path.glob("*/train.extxyz")), unique=True)
    names = [atoms.info["structure"] for atoms in found]
    assert names == ["cold-train-0", "cold-train-1", "hot-train-0", "hot-train-1"]


def test_labels_missing_under_a_mapped_key_are_not_taken_from_another(tmp_path):
    """A set labelled partly by one method must not be completed with labels of another."""
    atoms, values = labelled()
    both = frames.with_labels(atoms, {"energy": -1.0})
    both.info["dft_energy"] = values["energy"]
    frames.write(tmp_path / "a.extxyz", [both, frames.with_labels(atoms, {"energy": -1.0})])
    first, second = frames.read(tmp_path / "a.extxyz", {"energy": "dft_energy"})
    assert frames.label(first, "energy") == values["energy"]
    assert frames.label(second, "energy") is None
    # The other method's label must not return when the frames are written and read again.
    frames.write(tmp_path / "b.extxyz", [first, second])
    for keys in (None, {"energy": "dft_energy"}):
        assert [frames.label(atoms, "energy") for atoms in frames.read(tmp_path / "b.extxyz", keys)] == [
            values["energy"],
            None,
        ]
    frames.write(tmp_path / "c.extxyz", [frames.with_labels(atoms, {"energy": -1.0})])
    with pytest.raises(
        BornflowError, match=r"no frame has 'dft_energy' \(training.keys.energy\), but 'energy'"
    ):
        frames.read(tmp_path / "c.extxyz", {"energy": "dft_energy"})


def test_damage_is_reported_with_its_place(tmp_path):
    atoms, values = labelled()
    path = tmp_path / "a.extxyz"
    bad = values["forces"].copy()
    bad[1, 2] = np.nan
    frames.write(path, [frames.with_labels(atoms, {"forces": bad})])
    with pytest.raises(BornflowError, match=r"a\.extxyz, frame 0, line 2 .*'forces' of atom 1 is not finite"):
        frames.read(path)
    wrong = frames.with_labels(atoms, {})
    wrong.arrays["apt"] = np.zeros((6, 6))
    frames.write(path, [wrong])
    with pytest.raises(BornflowError, match="'apt' has 36 numbers instead of 54"):
        frames.read(path, {"bec": "apt"})
    path.write_text(path.read_text()[:150])
    with pytest.raises(BornflowError, match=r"the file ends after . of them"):
        frames.read(path)
    with pytest.raises(BornflowError, match="no such file"):
        frames.read(tmp_path / "none.extxyz")


def test_mixed_periodicity_is_rejected():
    atoms = water(1)
    atoms.set_cell([5, 5, 5])
    atoms.pbc = (True, True, False)
    with pytest.raises(BornflowError, match="three directions or in none"):
        frames.kind(atoms)


def test_messages_name_the_place_until_a_structure_is_copied(tmp_path):
    path = tmp_path / "a.extxyz"
    frames.write(path, [water(1), water(2)])
    second = frames.read(path)[1]
    assert frames.name_and_origin(second) == f"water-2-0 ({path}, frame 1, line 7)"
    assert frames.name_and_origin(second.copy()) == "water-2-0"


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("good")
    with pytest.raises(RuntimeError), atomic_write(target) as scratch:
        scratch.write_text("half")
        raise RuntimeError
    assert target.read_text() == "good"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_two_structures_with_one_name_are_rejected():
    with pytest.raises(BornflowError, match="two structures are called water-1-0"):
        frames.reject_duplicate_names([water(1), water(2), water(1)])
