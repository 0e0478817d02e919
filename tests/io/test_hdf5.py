"""HDF5 files follow their rules, or are rejected with file, place, value, expectation and remedy."""

import h5py
import numpy as np
import pytest

from bornflow.errors import BornflowError
from bornflow.io import hdf5
from bornflow.io.hdf5 import AttributeRule, DatasetRule

ATTRIBUTES = {
    "step [fs]": AttributeRule("number", above=0),
    "atoms": AttributeRule("integer", minimum=1),
    "kind": AttributeRule("text", choices=("bulk", "cluster")),
    "fixed": AttributeRule("flag"),
    "field [V/Å]": AttributeRule("vector"),
    "volume [Å³]": AttributeRule("number", above=0, may_be_nan=True),
}
VALID = {"step [fs]": 0.5, "atoms": 3, "kind": "bulk", "fixed": True, "field [V/Å]": [0, 0, 0.1]}
POSITIONS = DatasetRule("Å", (None, 3))
NUMBERS = DatasetRule(None, (), 1, 118, integer=True)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "r.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(VALID | {"volume [Å³]": np.nan})
        file["positions"] = np.arange(18.0).reshape(2, 3, 3)
        file["positions"].attrs["unit"] = "Å"
        file["numbers"] = [8, 1, 1]
    return path


def read(path, name, rule):
    with hdf5.open_file(path, "run again") as file:
        return hdf5.read_values(hdf5.find_dataset(file, name, rule, "run again"), name, rule, "run again")


def test_a_valid_file_is_read(path):
    with hdf5.open_file(path, "run again") as file:
        attributes = hdf5.read_attributes(file, ATTRIBUTES, "run again")
    assert {key: attributes[key] for key in ("step [fs]", "atoms", "kind", "fixed")} == {
        key: VALID[key] for key in ("step [fs]", "atoms", "kind", "fixed")
    }
    np.testing.assert_array_equal(read(path, "positions", POSITIONS), np.arange(18.0).reshape(2, 3, 3))
    assert read(path, "numbers", NUMBERS).tolist() == [8, 1, 1]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("step [fs]", 0.0, "is 0.0, but a finite number above 0 is expected"),
        ("step [fs]", np.nan, "but a finite number above 0 is expected"),
        ("step [fs]", True, "but a finite number above 0 is expected"),
        ("step [fs]", "fast", "is 'fast', but a finite number above 0 is expected"),
        ("atoms", 0, "but an integer of 1 or more is expected"),
        ("atoms", 1.5, "but an integer of 1 or more is expected"),
        ("kind", "liquid", "is 'liquid', but bulk or cluster is expected"),
        ("fixed", "yes", "is 'yes', but true or false is expected"),
        ("field [V/Å]", [0.0, np.inf, 0.0], "but a list of three finite numbers is expected"),
        ("field [V/Å]", [0.0, 0.0], "but a list of three finite numbers is expected"),
        ("volume [Å³]", -1.0, "but a finite number above 0 is expected"),
    ],
)
def test_a_wrong_attribute_is_rejected(name, value, expected, path):
    with h5py.File(path, "a") as file:
        file.attrs[name] = value
    with hdf5.open_file(path, "run again") as file, pytest.raises(BornflowError) as caught:
        hdf5.read_attributes(file, ATTRIBUTES, "run again")
    message = str(caught.value)
    assert message.startswith(f"{path}: attribute '{name}' ") and message.endswith("; run again")
    assert expected in message


def test_a_missing_attribute_is_rejected_when_it_is_looked_up(path):
    with hdf5.open_file(path, "run again") as file:
        attributes = hdf5.read_attributes(file, ATTRIBUTES, "run again")
    with pytest.raises(
        BornflowError, match=r"r\.h5 has no attribute 'step \[s\]', but 'step \[fs\]'; run again"
    ):
        attributes["step [s]"]
    with pytest.raises(BornflowError, match=r"r\.h5 has no attribute 'seed'; run again"):
        attributes["seed"]


@pytest.mark.parametrize(
    ("values", "unit", "reason"),
    [
        (None, None, "r.h5 has no positions; "),
        ("group", None, "positions is a group, but a dataset is expected"),
        (np.array([b"a"]), "Å", "positions has the type |S1, but numbers are expected"),
        (np.zeros((2, 3, 3)), "nm", "positions has the unit 'nm', but 'Å' is expected"),
        (np.zeros((2, 3, 3)), None, "positions has no unit, but 'Å' is expected"),
        (np.zeros((2, 3)), "Å", "positions has the shape (2, 3), but (…, …, 3) is expected"),
        (
            np.full((2, 3, 3), np.inf),
            "Å",
            "positions is inf at [0, 0, 0] (counted from 0), but a finite number is",
        ),
    ],
)
def test_a_wrong_dataset_is_rejected(values, unit, reason, path):
    with h5py.File(path, "a") as file:
        del file["positions"]
        if isinstance(values, np.ndarray):
            file["positions"] = values
        elif values == "group":
            file.create_group("positions")
        if unit:
            file["positions"].attrs["unit"] = unit
    with pytest.raises(BornflowError) as caught:
        read(path, "positions", POSITIONS)
    assert reason in str(caught.value) and str(caught.value).endswith("; run again")


@pytest.mark.parametrize("value", [0, 119, 1.5, np.nan])
def test_values_beyond_their_limits_are_rejected(value, path):
    with h5py.File(path, "a") as file:
        del file["numbers"]
        file["numbers"] = [8, value, 1]
    with pytest.raises(
        BornflowError,
        match=rf"numbers is {value}.* at \[1\] .* an integer of 1 or more and 118 or less is expected",
    ):
        read(path, "numbers", NUMBERS)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x89HDF\r\n\x1a\n" + bytes(50)], ids=["empty", "text", "cut"]
)
def test_a_file_of_another_format_is_rejected(content, tmp_path):
    (tmp_path / "r.h5").write_bytes(content)
    with pytest.raises(BornflowError, match=r"r\.h5 cannot be read as HDF5 .*; run again"):
        read(tmp_path / "r.h5", "numbers", NUMBERS)
    with pytest.raises(BornflowError, match=r"none\.h5: no such file; run again"):
        read(tmp_path / "none.h5", "numbers", NUMBERS)
