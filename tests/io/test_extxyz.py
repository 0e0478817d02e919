"""Reader and writer of extxyz files: written files are read back unchanged, here and with ASE."""

import gzip

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian
from examples import water

from bornflow.errors import BornflowError
from bornflow.io import comment, frames
from bornflow.io.files import atomic_write


def write_and_read(path, atoms: Atoms) -> Atoms:
    frames.write(path, [atoms])
    (read,) = frames.read(path)
    return read


NAMES = [
    "007",
    "1_23",
    "1e5",
    "T",
    "true",
    "nan",
    "a b",
    "ends\\",
    'a"b',
    "it's",
    "{x}",
    "a=b",
    "_JSON 3",
    "ü 水",
    "a\\nb",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_text(name, tmp_path):
    atoms = water(1)
    atoms.info |= {"structure": name, "source": name, "group": name}
    read = write_and_read(tmp_path / "a.extxyz", atoms)
    assert [read.info[key] for key in ("structure", "source", "group")] == [name] * 3


def test_names_are_text_for_ase_too(tmp_path):
    for name in ("007", "1_23", "1e5", "T"):
        atoms = water(1)
        atoms.info["structure"] = name
        frames.write(tmp_path / "a.extxyz", [atoms])
        ase.io.write(tmp_path / "b.extxyz", ase.io.read(tmp_path / "a.extxyz"))
        assert frames.read(tmp_path / "b.extxyz")[0].info["structure"] == name


VALUES = [
    *NAMES,
    "",
    " ",
    "a\nb",
    None,
    True,
    0,
    -3,
    2.5e-300,
    [1],
    [1, 2],
    [[1, 2], [3, 4]],
    {"a": [1, "b"]},
    ["x", "y"],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_keep_their_type(value, tmp_path):
    atoms = water(1)
    atoms.info |= {"note": value, "after": 1.5}
    read = write_and_read(tmp_path / "a.extxyz", atoms)
    found = read.info["note"].tolist() if isinstance(read.info["note"], np.ndarray) else read.info["note"]
    assert found == value and type(found) is type(value)
    other = ase.io.read(tmp_path / "a.extxyz")  # another reader keeps the following keys as well
    assert other.info["after"] == 1.5 and other.info["structure"] == atoms.info["structure"]


def test_random_comment_lines_read_write_and_read(tmp_path):
    rng = np.random.default_rng(0)
    letters = list("ab 01.,=\"'{}[]\\_-+eTF\tµ:")
    for _ in range(300):
        info = {
            f"k{number}": "".join(rng.choice(letters, rng.integers(12)))
            for number in range(rng.integers(1, 5))
        }
        texts = frozenset(key for key in info if rng.random() < 0.5)
        read = comment.parse(comment.compose(info, texts))
        assert {
            key: comment.parse_text(text) if key in texts else comment.parse_value(key, text)
            for key, text in read.items()
        } == info


def test_arrays_matrices_masses_and_constraints_read_write_and_read(tmp_path):
    atoms = water(4, 0.9)
    rng = np.random.default_rng(0)
    atoms.set_masses(rng.uniform(1, 20, len(atoms)).round(6))
    atoms.set_array("tags", rng.integers(0, 5, len(atoms)))
    atoms.set_array("charges", rng.normal(size=len(atoms)).round(8))
    atoms.set_array("chosen", rng.random(len(atoms)) < 0.5)
    atoms.set_array("site", np.array([f"s{index}" for index in range(len(atoms))]))
    atoms.info["stress"] = rng.normal(size=(3, 3))
    read = write_and_read(tmp_path / "a.extxyz", atoms)
    for key in ("tags", "charges", "chosen", "site"):
        np.testing.assert_array_equal(read.arrays[key], atoms.arrays[key])
    np.testing.assert_array_equal(read.get_masses(), atoms.get_masses())
    np.testing.assert_array_equal(read.info["stress"], atoms.info["stress"])
    np.testing.assert_array_equal(read.cell, atoms.cell)
    for constraint in (FixAtoms([1, 3]), FixCartesian([2], mask=(True, False, False))):
        atoms.set_constraint(constraint)
        read = write_and_read(tmp_path / "a.extxyz", atoms)
        other = ase.io.read(tmp_path / "a.extxyz")
        moved = np.ones((len(atoms), 3))
        for each in (read, other):
            assert len(each.constraints)
            free = moved.copy()
            for held in each.constraints:
                held.adjust_forces(each, free)
            expected = moved.copy()
            constraint.adjust_forces(atoms, expected)
            np.testing.assert_array_equal(free, expected)


def test_small_numbers_keep_their_digits(tmp_path):
    atoms, rng = water(2), np.random.default_rng(0)
    atoms.set_momenta(1e-5 * rng.normal(size=(6, 3)))
    read = write_and_read(tmp_path / "a.extxyz", atoms)
    np.testing.assert_allclose(read.get_momenta(), atoms.get_momenta(), rtol=1e-9)
    atoms.set_array("waves", np.full(6, 1j))
    with pytest.raises(BornflowError, match="column 'waves' has the type complex128"):
        frames.write(tmp_path / "a.extxyz", [atoms])


def test_the_reader_agrees_with_ase_on_the_shipped_set():
    path = "resources/labels/water.extxyz"
    for ours, theirs in zip(frames.read(path), ase.io.read(path, ":"), strict=True):
        np.testing.assert_array_equal(ours.positions, theirs.positions)
        np.testing.assert_array_equal(ours.numbers, theirs.numbers)
        np.testing.assert_array_equal(ours.cell, theirs.cell)
        np.testing.assert_array_equal(ours.pbc, theirs.pbc)
        assert frames.label(ours, "energy") == theirs.get_potential_energy()
        np.testing.assert_array_equal(frames.label(ours, "forces"), theirs.get_forces())
        np.testing.assert_array_equal(ours.arrays["bec"], theirs.arrays["bec"])


def test_compressed_files_are_read_and_frames_are_counted(tmp_path):
    atoms = [water(1), water(2), water(3)]
    frames.write(tmp_path / "a.extxyz", atoms)
    with atomic_write(tmp_path / "a.extxyz.gz") as scratch, gzip.open(scratch, "wb") as handle:
        handle.write((tmp_path / "a.extxyz").read_bytes())
    for path in ("a.extxyz", "a.extxyz.gz"):
        assert [len(found) for found in frames.read(tmp_path / path)] == [3, 6, 9]
        assert frames.count(tmp_path / path) == 3
