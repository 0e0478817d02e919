"""The dataclasses of the section `structures` have the keys that the schema describes."""

from dataclasses import fields

import pytest

from bornflow.config.schema import schema
from bornflow.structures.settings import PoolSettings, SelectionSettings, SoapSettings

STRUCTURES = schema()["properties"]["structures"]["properties"]


@pytest.mark.parametrize(
    ("settings", "described"),
    [
        (PoolSettings, STRUCTURES["pools"]["additionalProperties"]["properties"]),
        (SelectionSettings, STRUCTURES["selection"]["properties"]),
        (SoapSettings, STRUCTURES["selection"]["properties"]["soap"]["properties"]),
    ],
)
def test_fields_are_the_keys_of_the_schema(settings, described):
    # A source and the pools that a pool consists of reach a job as files.
    assert {field.name for field in fields(settings)} == set(described) - {"source", "pools"}
