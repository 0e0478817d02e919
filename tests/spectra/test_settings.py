"""Settings of spectra: the keys of the schema."""

from dataclasses import fields

from bornflow.config.schema import schema, validate
from bornflow.spectra.settings import SpectraSettings


def test_fields_are_the_keys_of_the_schema():
    keys = schema()["properties"]["spectra"]["properties"]
    assert {field.name for field in fields(SpectraSettings)} == set(keys)
    assert SpectraSettings(**validate({})["spectra"]).route == "current"
