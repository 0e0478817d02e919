"""A trained model as one folder: config.yaml, parameters.msgpack, and the reports of its training.

`config.yaml` has everything needed to rebuild the model: format version, elements, variant and the energies
of the baseline. `parameters.msgpack` has the weights. The hashes cover all of these except the model's name.
`checkpoint_checks` compares what the files contain with the model that they describe.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from flax import serialization
from jaxtyping import Float

from ..errors import BornflowError
from ..io import documents, strict_yaml
from ..io.files import atomic_write, write_text
from ..models.model import Model
from ..models.types import Parameters
from .checkpoint_checks import REMEDY, checked_model, checked_parameters

FORMAT = 10  # of the folder that is written
FORMATS = (6, 7, 8, 9, 10)  # that are read
WEIGHTS_FORMAT = 6  # the oldest format with the same meaning of weights; its hash covers the weights alone
# Settings that variants have since a format, with the values that earlier models had.
ADDED: Mapping[int, dict[str, Any]] = {
    8: {"tensor_degree": 2},
    9: {"contraction": 0},
    10: {"charge_degree": "scalar"},
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A model with its parameters and its energy baseline [eV] for each element."""

    model: Model
    parameters: Parameters
    baseline: Float[np.ndarray, " elements"]

    @property
    def hash(self) -> str:
        """SHA-256 of elements, baseline, variant and weights."""
        described = [self.model.elements, self.baseline.tolist(), asdict(self.model.variant)]
        weights = serialization.to_bytes(self.parameters)
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode() + weights).hexdigest()


def save(
    directory: str | Path, checkpoint: Checkpoint, name: str, training: Mapping[str, Any], seed: int
) -> None:
    """Write the folder's config.yaml and parameters.msgpack; `training` are settings to record."""
    directory = Path(directory)
    description = {
        "format": FORMAT,
        "name": name,
        "seed": seed,
        "elements": list(checkpoint.model.elements),
        "baseline": [float(energy) for energy in checkpoint.baseline],
        "variant": asdict(checkpoint.model.variant),
        "training": dict(training),
    }
    weights = serialization.to_bytes(checkpoint.parameters)
    description["parameters"] = _sha256(weights)
    # The hash is the last line: a file that has it is complete.
    description["hash"] = _hash(strict_yaml.parse(yaml.safe_dump(description), "config.yaml"))
    with atomic_write(directory / "parameters.msgpack") as scratch:
        scratch.write_bytes(weights)
    write_text(directory / "config.yaml", yaml.safe_dump(description, sort_keys=False))


def load(directory: str | Path) -> Checkpoint:
    """Read a folder written by `save`.

    Raises BornflowError if a file is missing, cut, damaged, edited or of another format, or if elements,
    baseline, variant and weights do not belong to one model.
    """
    directory = Path(directory)
    for name in ("config.yaml", "parameters.msgpack"):
        if not (directory / name).exists():
            raise BornflowError(f"{directory}: no {name}; train a model into this folder first")
    config, parameters = directory / "config.yaml", directory / "parameters.msgpack"
    try:
        description = documents.read_yaml(config, {}, REMEDY)
    except BornflowError as error:
        raise BornflowError(f"config.yaml is damaged: {error}") from error
    version = description.get("format")
    if version not in FORMATS or isinstance(version, bool):
        raise BornflowError(
            f"{config} has format {version}, this version reads {', '.join(map(str, FORMATS))}; train again"
        )
    weights = parameters.read_bytes()
    _check_hashes(directory, description, weights)
    for since, added in ADDED.items():
        if version < since and isinstance(description.get("variant"), dict):
            description["variant"] = {**added, **description["variant"]}
    model = checked_model(config, description)
    baseline = np.array(description["baseline"], dtype=float)
    return Checkpoint(model, checked_parameters(parameters, weights, model), baseline)


def _check_hashes(directory: Path, description: Mapping[str, Any], weights: bytes) -> None:
    config = directory / "config.yaml"
    has_full_hash = description["format"] != WEIGHTS_FORMAT
    for key in ("parameters", "hash") if has_full_hash else ("parameters",):
        if key not in description:
            raise BornflowError(f"{config}: config.yaml is cut: it has no '{key}'; {REMEDY}")
    if description["parameters"] != _sha256(weights):
        raise BornflowError(
            f"{directory}: parameters.msgpack is damaged or belongs to another training, or config.yaml is "
            f"cut (the SHA-256 of the weights differs from the one in config.yaml); {REMEDY}"
        )
    if not has_full_hash:
        logger.warning(
            f"{directory} has format {WEIGHTS_FORMAT}, whose hash covers the weights alone: elements, "
            "variant and baseline are taken from config.yaml without a check"
        )
    elif description["hash"] != _hash(description):
        raise BornflowError(
            f"{config}: config.yaml is cut or was edited: elements, baseline, variant, seed or training "
            f"differ from what was saved (the hash does not fit); {REMEDY}"
        )


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _hash(description: Mapping[str, Any]) -> str:
    """The hash of config.yaml, the weights' hash included, without the name and this hash itself."""
    covered = {key: value for key, value in description.items() if key not in ("name", "hash")}
    return _sha256(json.dumps(covered, sort_keys=True, default=str).encode())
