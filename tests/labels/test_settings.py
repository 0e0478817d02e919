"""The dataclasses of the section `labels` have the keys that the schema describes."""

from dataclasses import fields

import pytest

from bornflow.config.schema import schema
from bornflow.labels.settings import CP2KSettings, LabelSettings, StudySettings, XTBSettings, load_settings

LABELS = schema()["properties"]["labels"]["properties"]


@pytest.mark.parametrize(
    ("settings", "described"),
    [
        (LabelSettings, LABELS),
        (CP2KSettings, LABELS["cp2k"]["properties"]),
        (XTBSettings, LABELS["xtb"]["properties"]),
        (StudySettings, LABELS["studies"]["additionalProperties"]["properties"]),
    ],
)
def test_fields_are_the_keys_of_the_schema(settings, described):
    assert {field.name for field in fields(settings)} == set(described)


def test_the_defaults_make_settings():
    settings = load_settings(None)
    assert settings.cp2k.cutoff == LABELS["cp2k"]["properties"]["cutoff"]["default"]
    assert settings.xtb.field == LABELS["xtb"]["properties"]["field"]["default"]
    assert settings.studies == {}
