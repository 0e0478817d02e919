"""Runs on disk: a run is read as it was written, and a file that is not a complete run is rejected."""

import h5py
import numpy as np
import pytest

from bornflow.dynamics.chunks import Chunks
from bornflow.dynamics.series import read_run
from bornflow.errors import BornflowError

STEPS, ATOMS = 40, 3
EVERY = ("potential_energy", "kinetic_energy", "conserved_energy", "temperature")
VOLUME = "volume [Å³]"


def write(path, masses=True, **changes):
    """A run of random numbers, in two chunks."""
    rng = np.random.default_rng(0)
    chunks = Chunks(path.with_suffix(".parts"), "identity")
    chunks.resume()
    for _ in range(2):
        series = {name: rng.uniform(1, 2, STEPS // 2) for name in EVERY}
        series |= {name: rng.normal(size=(STEPS // 2, 3)) for name in ("current", "dipole")}
        series["positions"] = rng.normal(size=(STEPS // 20, ATOMS, 3))
        series["velocities"] = rng.normal(size=(STEPS // 10, ATOMS, 3))
        chunks.append(series, {"step": 0, "positions": np.zeros((ATOMS, 3)), "momenta": np.zeros((ATOMS, 3))})
    attributes = {
        "kind": "bulk",
        "structure": "s",
        "timestep [fs]": 0.5,
        "temperature [K]": 300,
        "frame_interval [steps]": 10,
        "velocity_interval [steps]": 5,
        "electric_field [V/Å]": [0, 0, 0],
        VOLUME: 100.0,
        "n_molecules": 1,
        "fixed_charges": False,
        "seed": [0, 1],
    } | changes
    atoms = {"numbers": np.array([8, 1, 1]), "cell": np.eye(3)}
    chunks.join(path, attributes, atoms | ({"masses": np.array([16.0, 1, 1])} if masses else {}))
    return path


ALL = ("current", "dipole", *EVERY, "positions", "velocities", "numbers", "cell")


def test_a_run_is_read_as_it_was_written(tmp_path):
    attributes, series = read_run(write(tmp_path / "r.h5"), *ALL, optional=["masses", "static_current"])
    assert {name: len(values) for name, values in series.items()} == dict.fromkeys(
        ("current", "dipole", *EVERY), STEPS
    ) | {"positions": 4, "velocities": 8, "numbers": ATOMS, "cell": 3, "masses": ATOMS}
    assert attributes["temperature [K]"] == 300 and series["numbers"].tolist() == [8, 1, 1]
    with h5py.File(tmp_path / "r.h5") as file:
        assert [file[name].attrs["unit"] for name in ("masses", "cell")] == ["amu", "Å"]


def test_masses_are_needed_only_where_requested(tmp_path):
    path = write(tmp_path / "r.h5", masses=False)
    assert "masses" not in read_run(path, "current", optional=["masses"])[1]
    with pytest.raises(BornflowError, match=r"r\.h5 contains no masses; make the run again"):
        read_run(path, "masses")


def test_a_missing_attribute_is_named_when_it_is_looked_up(tmp_path):
    path = write(tmp_path / "r.h5")
    with h5py.File(path, "a") as file:
        file.attrs["timestep [ps]"] = file.attrs["timestep [fs]"]
        del file.attrs["timestep [fs]"], file.attrs["n_molecules"]
    attributes, _ = read_run(path, "current")
    with pytest.raises(BornflowError, match=r"r\.h5 has no attribute 'n_molecules'; make the run again"):
        attributes["n_molecules"]
    with pytest.raises(BornflowError, match=r"no attribute 'timestep \[fs\]', but 'timestep \[ps\]'"):
        attributes["timestep [fs]"]
    with pytest.raises(BornflowError, match=r"no attribute 'frame_interval"):
        with h5py.File(path, "a") as file:
            del file.attrs["frame_interval [steps]"]
        read_run(path, "positions")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("timestep [fs]", 0, "a finite number above 0"),
        ("timestep [fs]", "half", "'half', but a finite number"),
        ("timestep [fs]", np.nan, "nan"),
        ("timestep [fs]", [0.5, 0.5], "a finite number"),
        ("timestep [fs]", True, "a finite number"),
        ("temperature [K]", -300, "above 0"),
        ("temperature [K]", 0.0, "above 0"),
        ("n_molecules", 0, "an integer of 1 or more"),
        ("n_molecules", 1.5, "an integer"),
        ("frame_interval [steps]", 0, "of 1 or more"),
        ("velocity_interval [steps]", -5, "of 1 or more"),
        ("fixed_charges", "False", "true or false"),
        ("kind", "liquid", "bulk or cluster"),
        ("kind", b"\xff", "bulk or cluster"),
        ("electric_field [V/Å]", [0, 0], "three finite numbers"),
        ("electric_field [V/Å]", [0, 0, np.inf], "three finite numbers"),
        (VOLUME, np.nan, "above 0 expected for a bulk"),
        (VOLUME, -1.0, "above 0"),
        ("kind", h5py.Empty("f"), "bulk or cluster"),
    ],
)
def test_an_invalid_attribute_is_rejected(name, value, expected, tmp_path):
    path = write(tmp_path / "r.h5")
    with h5py.File(path, "a") as file:
        file.attrs[name] = value
    with pytest.raises(BornflowError) as caught:
        read_run(path, "current")
    message = str(caught.value)
    assert f"attribute '{name}' is" in message and expected in message and "make the run again" in message


def replace(name, values, unit=None):
    def change(file):
        stored = file[name].attrs.get("unit")
        del file[name]
        file[name] = values
        if stored:
            file[name].attrs["unit"] = unit or stored

    return change


def spoil(name, place, value):
    def change(file):
        values = file[name][:]
        values[place] = value
        replace(name, values)(file)

    return change


def without_unit(file):
    del file["current"].attrs["unit"]


def group(file):
    del file["current"]
    file.create_group("current")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda file: file.__delitem__("current"), "contains no current"),
        (group, "current is a group, but a dataset is expected"),
        (without_unit, "current has no unit, but 'e Å / fs' is expected"),
        (
            replace("positions", np.ones((4, ATOMS, 3)), "nm"),
            "positions has the unit 'nm', but 'Å' is expected",
        ),
        (replace("masses", np.ones(ATOMS), "kg"), "masses has the unit 'kg', but 'amu' is expected"),
        (replace("current", np.ones(STEPS)), r"current has the shape \(40,\), but \(…, 3\) is expected"),
        (replace("current", np.ones((STEPS, 4))), "current has the shape"),
        (replace("current", np.ones((3, STEPS)).T[::2]), "differ in length .*current 20.*dipole 40"),
        (replace("temperature", np.ones(STEPS - 1)), "differ in length .*temperature 39"),
        (replace("current", np.array(["a"] * STEPS, "S1")), "numbers are expected"),
        (replace("current", 5.0), "current has the shape"),
        (replace("positions", np.ones((3, ATOMS, 3))), "positions has 3 values, 4 expected for 40 steps"),
        (replace("velocities", np.ones((2, ATOMS, 3))), "velocities has 2 values, 8 expected"),
        (replace("positions", np.ones((4, ATOMS + 1, 3))), "numbers of atoms differ .*positions 4"),
        (replace("numbers", np.array([8, 1])), "numbers of atoms differ"),
        (replace("numbers", np.array([8, 1, 119])), r"numbers is 119 at \[2\]"),
        (replace("numbers", np.array([8, 1, 0.5])), "an integer"),
        (replace("cell", np.eye(3)[:2]), "cell has the shape"),
        (spoil("positions", (2, 1, 0), np.nan), r"positions is nan at \[2, 1, 0\]"),
        (spoil("current", (7, 2), np.inf), r"current is inf at \[7, 2\]"),
        (spoil("temperature", 3, -1.0), r"temperature is -1.0 at \[3\]"),
        (spoil("masses", 1, 0.0), r"masses is 0.0 at \[1\]"),
    ],
)
def test_an_incomplete_run_is_rejected(change, reason, tmp_path):
    path = write(tmp_path / "r.h5")
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(BornflowError, match=reason) as caught:
        read_run(path, *ALL, "masses")
    assert "r.h5" in str(caught.value) and "make the run again" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n" + bytes(50), None], ids=str)
def test_a_file_that_is_not_hdf5_is_rejected(content, tmp_path):
    path = tmp_path / "r.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        BornflowError, match=r"r\.h5.*(cannot be read as HDF5|no such file).*make the run again"
    ):
        read_run(path, "current")


def test_a_truncated_file_and_one_with_a_flipped_bit_are_rejected(tmp_path):
    path = write(tmp_path / "r.h5")
    content = path.read_bytes()
    for fraction in (0.1, 0.5, 0.9, 0.99):
        path.write_bytes(content[: int(fraction * len(content))])
        with pytest.raises(BornflowError, match="cannot be read as HDF5"):
            read_run(path, *ALL)
    path.write_bytes(content)
    place = content.index(read_run(path, "current")[1]["current"][:1].tobytes())
    path.write_bytes(content[: place + 3] + bytes([content[place + 3] ^ 1]) + content[place + 4 :])
    with pytest.raises(BornflowError, match="cannot be read as HDF5"):
        read_run(path, "current")
