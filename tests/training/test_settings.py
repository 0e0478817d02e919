"""The dataclasses of the settings have the keys of the schema."""

from dataclasses import asdict, fields

import pytest

from bornflow.config.load import complete
from bornflow.config.schema import schema
from bornflow.training.settings import LearningCurve, LossWeights, TrainingSettings, WeightDecay

KEYS = schema()["properties"]["training"]["properties"]
NESTED = {"loss": LossWeights, "weight_decay": WeightDecay, "learning_curve": LearningCurve}


@pytest.mark.parametrize(
    ("settings", "keys"),
    [(TrainingSettings, KEYS), *((kind, KEYS[name]["properties"]) for name, kind in NESTED.items())],
)
def test_fields_are_the_keys_of_the_schema(settings, keys):
    assert {field.name for field in fields(settings)} == set(keys)


def test_the_section_is_restored():
    """A run's identity is a hash of this dictionary."""
    section = complete({"training": {"loss": {"bec": 3}, "keys": {"bec": "apt"}}})["training"]
    assert asdict(TrainingSettings.from_section(section)) == section
