"""Settings of a run: the keys of the schema, and the hash that ties chunks to a run."""

from dataclasses import fields

import pytest
from ase import Atoms

from bornflow.config.schema import schema, validate
from bornflow.dynamics.chunks import run_identity
from bornflow.dynamics.settings import ResponseSettings, SystemSettings, select_system
from bornflow.errors import BornflowError

DYNAMICS = schema()["properties"]["dynamics"]["properties"]
SYSTEM = {"structure": "s.extxyz", "temperature": 200, "steps": 300}


def section(**systems):
    return validate({"dynamics": {"dtype": "float64", "systems": systems}})["dynamics"]


def names(settings) -> set[str]:
    return {field.name for field in fields(settings)}


def test_fields_are_the_keys_of_the_schema():
    keys = set(DYNAMICS) | set(DYNAMICS["systems"]["additionalProperties"]["properties"])
    assert names(SystemSettings) == keys - {"systems"}
    assert names(ResponseSettings) == set(DYNAMICS["response"]["properties"])


def test_keys_of_a_system_override_those_of_all():
    given = section(s=SYSTEM | {"equilibration": 7, "dtype": "float32"})
    settings = SystemSettings.from_section(given, "s")
    assert (settings.equilibration, settings.dtype, settings.timestep) == (7, "float32", 0.5)
    assert (
        settings.to_dict() == {key: given[key] for key in given if key != "systems"} | given["systems"]["s"]
    )


MORE = {"title": "Water", "electric_field": [0, 0.5, 0], "relax": True, "thermostat": "nve"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "8689814d594a4830e2e4eeefb3ceb790bbd90e3477ae30e8af8762921c625505"),
        (MORE, "6f412436709b93c633d33ee018b6faebc3c4d76a4d1b243eddf027903f1aad7f"),
    ],
)
def test_unfinished_runs_of_earlier_versions_keep_their_identity(more, expected):
    """A new key or default changes the hash, and unfinished runs start again."""
    atoms = Atoms("OHH", [[0, 0, 0.25], [0, 0.75, -0.5], [0, -0.75, -0.5]])
    atoms.set_masses([16, 2, 1])
    settings = SystemSettings.from_section(section(s=SYSTEM | more), "s")
    assert run_identity(atoms, settings, 7, b"model") == expected


def test_a_single_system_is_selected_and_one_of_several_must_be_named():
    assert select_system(section(s=SYSTEM), None, "c.yaml").structure == "s.extxyz"
    two = section(a=SYSTEM, b=SYSTEM | {"steps": 400})
    assert select_system(two, "b", "c.yaml").steps == 400
    with pytest.raises(BornflowError, match=r"c\.yaml: dynamics\.systems has a, b; choose one with --system"):
        select_system(two, None, "c.yaml")
    with pytest.raises(BornflowError, match=r"--system is c, but dynamics\.systems of c\.yaml has a, b"):
        select_system(two, "c", "c.yaml")
    with pytest.raises(BornflowError, match=r"has no entries"):
        select_system(section(), None, "c.yaml")
