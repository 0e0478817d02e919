"""What simulated systems are called on figures, and where results are."""

from collections.abc import Mapping
from pathlib import Path


def samples(dynamics: Mapping) -> dict[str, str]:
    """Name and temperature of every system of the section `dynamics`, completed.

    Without a thermostat the temperature is the one that a run starts from.
    """
    found = {}
    for name, options in dynamics["systems"].items():
        free = options.get("thermostat", dynamics["thermostat"]) == "nve"
        found[name] = f"{options.get('title', name)}, {'from ' * free}{options['temperature']:g} K"
    return found


def titles(dynamics: Mapping) -> dict[str, str]:
    """The same with runs and their length."""
    found = {}
    for name, sample in samples(dynamics).items():
        options = dynamics["systems"][name]
        length = options["steps"] * dynamics["timestep"] / 1000
        runs = f"{options['replicas']} × " * (options["replicas"] > 1)
        found[name] = f"{sample}, {runs}{length:g} ps"
    return found


def places(results: str | Path) -> str:
    """One line on the figures and tables that exist in the folder of results."""
    named = {"figures": "figures", "tables": "training/errors.csv", "spectra": "spectra", "labels": "labels"}
    found = [f"{name}: {results}/{place}" for name, place in named.items() if Path(results, place).exists()]
    return "    ".join(found)
