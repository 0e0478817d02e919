"""Names of simulated systems on figures, and the list of results. The rule files use both."""

from collections.abc import Mapping
from pathlib import Path


def system_labels(dynamics: Mapping) -> dict[str, str]:
    """Title and temperature of every system of the complete section `dynamics`: `32 waters, 300 K`.

    Without a thermostat the temperature is the initial one: `32 waters, from 300 K`.
    """
    labels = {}
    for name, options in dynamics["systems"].items():
        free = options.get("thermostat", dynamics["thermostat"]) == "nve"
        labels[name] = f"{options.get('title', name)}, {'from ' * free}{options['temperature']:g} K"
    return labels


def run_labels(dynamics: Mapping) -> dict[str, str]:
    """The same with the number of replicas and their length: `32 waters, 300 K, 3 × 5 ps`."""
    labels = {}
    for name, label in system_labels(dynamics).items():
        options = dynamics["systems"][name]
        length = options["steps"] * dynamics["timestep"] / 1000
        replicas = f"{options['replicas']} × " * (options["replicas"] > 1)
        labels[name] = f"{label}, {replicas}{length:g} ps"
    return labels


def list_outputs(results: str | Path) -> str:
    """One line with the folders and tables that exist in the folder of results."""
    outputs = {
        "figures": "figures",
        "tables": "training/errors.csv",
        "spectra": "spectra",
        "labels": "labels",
    }
    existing = {name: path for name, path in outputs.items() if Path(results, path).exists()}
    return "    ".join(f"{name}: {results}/{path}" for name, path in existing.items())
