"""A trained model as one folder: config.yaml, parameters.msgpack, and what training wrote beside.

`config.yaml` holds everything needed to rebuild the model: format version, elements, variant,
energies of the baseline. `parameters.msgpack` holds the weights.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from flax import serialization

from ..errors import BornflowError
from ..io.files import atomic_write, write_text
from ..models.variants import Model

FORMAT = 6


@dataclass(frozen=True)
class Checkpoint:
    """A model with its parameters and its energy baseline [eV] per element."""

    model: Model
    parameters: Any
    baseline: np.ndarray


def save(
    directory: str | Path,
    checkpoint: Checkpoint,
    name: str,
    training: Mapping,
    seed: int,
) -> None:
    """Write the folder's config.yaml and parameters.msgpack."""
    directory = Path(directory)
    description = {
        "format": FORMAT,
        "name": name,
        "seed": seed,
        "elements": list(checkpoint.model.elements),
        "baseline": [float(energy) for energy in checkpoint.baseline],
        "variant": dict(checkpoint.model.variant),
        "training": dict(training),
    }
    weights = serialization.to_bytes(checkpoint.parameters)
    description["parameters"] = f"sha256:{hashlib.sha256(weights).hexdigest()}"
    with atomic_write(directory / "parameters.msgpack") as scratch:
        scratch.write_bytes(weights)
    write_text(directory / "config.yaml", yaml.safe_dump(description, sort_keys=False))


def load(directory: str | Path) -> Checkpoint:
    """Read a folder written by `save`. Raises BornflowError if it is missing, cut or of another format."""
    directory = Path(directory)
    for name in ("config.yaml", "parameters.msgpack"):
        if not (directory / name).exists():
            raise BornflowError(f"{directory}: no {name}; train a model into this folder first")
    try:
        description = yaml.safe_load((directory / "config.yaml").read_text())
    except yaml.YAMLError as error:
        raise BornflowError(f"{directory}/config.yaml is damaged: {error}") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        found = description.get("format") if isinstance(description, dict) else None
        raise BornflowError(
            f"{directory}/config.yaml has format {found}, this version reads {FORMAT}; train again"
        )
    # The hash is written last: a file that has it was not cut, and its weights are those it describes.
    weights = (directory / "parameters.msgpack").read_bytes()
    if description.get("parameters") != f"sha256:{hashlib.sha256(weights).hexdigest()}":
        raise BornflowError(
            f"{directory}: config.yaml is cut, or parameters.msgpack is damaged or of another training (its "
            "SHA-256 is not the one that config.yaml names); copy both again, or train again"
        )
    model = Model(description["variant"], description["elements"])
    return Checkpoint(model, serialization.msgpack_restore(weights), np.array(description["baseline"]))
