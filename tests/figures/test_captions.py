"""Labels of simulated systems, and the list of outputs."""

from bornflow.config.schema import validate
from bornflow.figures.captions import list_outputs, run_labels, system_labels


def test_labels_name_system_temperature_and_length():
    system = {"structure": "s.extxyz", "temperature": 300, "steps": 1000}
    free = system | {"thermostat": "nve"}
    systems = {"one": system, "two": system | {"title": "two waters", "replicas": 3}, "free": free}
    dynamics = validate({"dynamics": {"timestep": 0.5, "systems": systems}})["dynamics"]
    assert system_labels(dynamics) == {
        "one": "one, 300 K",
        "two": "two waters, 300 K",
        "free": "free, from 300 K",
    }
    assert run_labels(dynamics) == {
        "one": "one, 300 K, 0.5 ps",
        "two": "two waters, 300 K, 3 × 0.5 ps",
        "free": "free, from 300 K, 0.5 ps",
    }


def test_only_existing_outputs_are_listed(tmp_path):
    (tmp_path / "spectra").mkdir()
    assert list_outputs(tmp_path) == f"spectra: {tmp_path}/spectra"
