"""Cached results: after any damage a result is reported and calculated again."""

import json

import numpy as np
import pytest

from bornflow.labels.engines.cp2k.cache import Cache, once
from bornflow.labels.engines.cp2k.output_file import Output
from bornflow.labels.engines.cp2k.program import Program

FORCES = [[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]]


@pytest.fixture
def cache(tmp_path):
    cache = Cache(tmp_path)
    cache.put("abcdef", Output("2023.1", -17.25, np.array(FORCES), 9, safe=True, wall=1.5))
    return cache


def edit(cache, change, old):
    """Change an entry; with `old` it becomes one of an earlier version, without a checksum."""
    path = cache.path("abcdef")
    entry = json.loads(path.read_text())
    change(entry)
    if old:
        entry.pop("sha256"), entry.pop("key", None)
    path.write_text(json.dumps(entry))


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
def test_a_stored_result_is_read_back(cache, old, caplog):
    edit(cache, lambda entry: None, old)
    found = cache.get("abcdef", 2)
    assert (found.version, found.energy, found.scf_steps, found.safe, found.wall) == (
        "2023.1",
        -17.25,
        9,
        True,
        1.5,
    )
    np.testing.assert_array_equal(found.forces, FORCES)
    assert caplog.text == ""


DAMAGES = {
    "safe-text": lambda entry: entry.update(safe="no"),
    "safe-number": lambda entry: entry.update(safe=1),
    "scf-text": lambda entry: entry.update(scf_steps="9"),
    "scf-zero": lambda entry: entry.update(scf_steps=0),
    "scf-fraction": lambda entry: entry.update(scf_steps=9.5),
    "scf-flag": lambda entry: entry.update(scf_steps=True),
    "wall-text": lambda entry: entry.update(wall_s="1.5"),
    "wall-negative": lambda entry: entry.update(wall_s=-1),
    "energy-text": lambda entry: entry.update(energy="-17.25"),
    "energy-none": lambda entry: entry.update(energy=None),
    "energy-list": lambda entry: entry.update(energy=[-17.25]),
    "energy-nan": lambda entry: entry.update(energy=float("nan")),
    "forces-flat": lambda entry: entry.update(forces=[*FORCES[0], *FORCES[1]]),
    "forces-transposed": lambda entry: entry.update(forces=[list(row) for row in zip(*FORCES, strict=True)]),
    "forces-short": lambda entry: entry.update(forces=FORCES[:1]),
    "forces-text": lambda entry: entry.update(forces=[["0.1"] * 3] * 2),
    "forces-inf": lambda entry: entry.update(forces=[[float("inf")] * 3] * 2),
    "version-number": lambda entry: entry.update(version=2023.1),
    "version-empty": lambda entry: entry.update(version=""),
    "missing": lambda entry: entry.pop("forces"),
    "unit": lambda entry: entry.update(unit="eV"),
}  # fmt: skip


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_reported_and_not_used(change, old, cache, caplog):
    edit(cache, change, old)
    assert cache.get("abcdef", 2) is None
    assert "abcdef.json is damaged; this calculation is made again (" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.update(energy=-17.26),
        lambda entry: entry["forces"][1].__setitem__(2, -0.31),
        lambda entry: entry.update(safe=False),
        lambda entry: entry.update(key="another"),
    ],
    ids=["energy", "forces", "safe", "key"],
)
def test_an_entry_that_was_changed_is_not_used(change, cache, caplog):
    edit(cache, change, old=False)
    assert cache.get("abcdef", 2) is None
    assert "is damaged" in caplog.text


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"[1]", b"3", b'{"version": "2', b'{"a":' * 50_000]
)
def test_a_file_without_an_entry_is_reported(content, cache, caplog):
    cache.path("abcdef").write_bytes(content)
    assert cache.get("abcdef", 2) is None
    assert "abcdef.json is damaged" in caplog.text


def test_an_entry_copied_to_another_key_is_not_used(cache):
    other = cache.path("abxyz")
    other.write_bytes(cache.path("abcdef").read_bytes())
    assert cache.get("abxyz", 2) is None


class Unchecked(Program):
    """A program whose version is known, and whose inputs are not checked by running it."""

    def check(self, text, directory):
        pass


@pytest.mark.parametrize("content", ["{}", '{"version": "2023.1", "wall_s": 1, "bec": [[1, 2, 3]]}', "x"])
def test_a_damaged_result_of_another_kind_is_calculated_again(content, tmp_path):
    made = []

    def work(directory):
        made.append(directory)
        return {"bec": np.ones((1, 3, 3)).tolist()}, 2.0

    program = Unchecked("cp2k")
    program.__dict__ |= {"version": "2023.1", "data_hashes": {}}
    call = (program, Cache(tmp_path / "cache"), tmp_path / "work", "input", work, {"bec": (1, 3, 3)})
    assert once(*call)["bec"] == once(*call)["bec"] and len(made) == 1
    Cache(tmp_path / "cache").path(program.key("input")).write_text(content)
    assert np.shape(once(*call)["bec"]) == (1, 3, 3) and len(made) == 2
