"""Systems are called by what was simulated."""

from bornflow.config.schema import validate
from bornflow.figures.captions import places, samples, titles


def test_titles_say_what_was_simulated():
    system = {"structure": "s.extxyz", "temperature": 300, "steps": 1000}
    free = system | {"thermostat": "nve"}
    systems = {"one": system, "two": system | {"title": "two waters", "replicas": 3}, "free": free}
    dynamics = validate({"dynamics": {"timestep": 0.5, "systems": systems}})["dynamics"]
    assert samples(dynamics) == {"one": "one, 300 K", "two": "two waters, 300 K", "free": "free, from 300 K"}
    assert titles(dynamics) == {
        "one": "one, 300 K, 0.5 ps",
        "two": "two waters, 300 K, 3 × 0.5 ps",
        "free": "free, from 300 K, 0.5 ps",
    }


def test_only_what_exists_is_named(tmp_path):
    (tmp_path / "spectra").mkdir()
    assert places(tmp_path) == f"spectra: {tmp_path}/spectra"
