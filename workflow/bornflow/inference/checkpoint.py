"""A trained model as one folder: config.yaml, parameters.msgpack, and what training wrote beside.

`config.yaml` holds everything needed to rebuild the model: format version, elements, variant, energies of the
baseline. `parameters.msgpack` holds the weights. Hashes cover all of it but the model's name, and whatever
the files say is held against the model that they describe.
"""

import functools
import hashlib
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import yaml
from ase.data import chemical_symbols
from flax import serialization, traverse_util
from jsonschema import Draft202012Validator

from ..config.schema import schema
from ..errors import BornflowError
from ..io import documents, strict_yaml
from ..io.files import atomic_write, write_text
from ..models.model import Model
from ..models.variants import Variant

FORMAT = 7  # of the folder that is written
WEIGHTS = 6  # the first format whose weights mean the same; its hash covers the weights alone
REMEDY = "copy the folder again, or train again"


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
        "variant": asdict(checkpoint.model.variant),
        "training": dict(training),
    }
    weights = serialization.to_bytes(checkpoint.parameters)
    description["parameters"] = _sha256(weights)
    # The hash is the last line: a file that has it was not cut.
    description["hash"] = _hash(strict_yaml.parse(yaml.safe_dump(description), "config.yaml"))
    with atomic_write(directory / "parameters.msgpack") as scratch:
        scratch.write_bytes(weights)
    write_text(directory / "config.yaml", yaml.safe_dump(description, sort_keys=False))


def load(directory: str | Path) -> Checkpoint:
    """Read a folder written by `save`.

    Raises BornflowError if a file is missing, cut, damaged, edited or of another format, or if elements,
    baseline, variant and weights are not those of one model.
    """
    directory = Path(directory)
    for name in ("config.yaml", "parameters.msgpack"):
        if not (directory / name).exists():
            raise BornflowError(f"{directory}: no {name}; train a model into this folder first")
    config = directory / "config.yaml"
    try:
        description = documents.read_yaml(config, {}, REMEDY)
    except BornflowError as error:
        raise BornflowError(f"config.yaml is damaged: {error}") from error
    found = description.get("format")
    if found not in (FORMAT, WEIGHTS) or isinstance(found, bool):
        raise BornflowError(
            f"{config} has format {found}, this version reads {FORMAT} and {WEIGHTS}; train again"
        )
    weights = (directory / "parameters.msgpack").read_bytes()
    _check_hashes(directory, description, weights)
    model = _model(config, description)
    baseline = np.array(description["baseline"], dtype=float)
    return Checkpoint(model, _parameters(directory / "parameters.msgpack", weights, model), baseline)


def _check_hashes(directory: Path, description: Mapping, weights: bytes) -> None:
    config = directory / "config.yaml"
    keys = ("parameters",) if description["format"] == WEIGHTS else ("parameters", "hash")
    missing = [key for key in keys if key not in description]
    if missing:
        raise BornflowError(f"{config}: config.yaml is cut: it holds no '{missing[0]}'; {REMEDY}")
    if description["parameters"] != _sha256(weights):
        raise BornflowError(
            f"{directory}: parameters.msgpack is damaged or of another training, or config.yaml is cut (the "
            f"SHA-256 of the weights is not the one that config.yaml names); {REMEDY}"
        )
    if description["format"] == WEIGHTS:
        print(
            f"{directory} is of format {WEIGHTS}, whose hash covers the weights alone: elements, variant and "
            "baseline are taken as config.yaml has them",
            file=sys.stderr,
        )
    elif description["hash"] != _hash(description):
        raise BornflowError(
            f"{config}: config.yaml is cut or was edited: elements, baseline, variant, seed and training are "
            f"not those that were saved (its hash does not fit); {REMEDY}"
        )


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _hash(description: Mapping) -> str:
    """Of all that config.yaml says, with the hash of the weights, but for the name and the hash itself."""
    covered = {key: value for key, value in description.items() if key not in ("name", "hash")}
    return _sha256(json.dumps(covered, sort_keys=True, default=str).encode())


def _model(config: Path, description: Mapping) -> Model:
    """The model that a config.yaml describes; BornflowError for elements, a baseline or a variant of none."""
    documents.check_keys(
        str(config), description, {"elements": list, "baseline": list, "variant": dict}, REMEDY
    )
    elements, baseline = description["elements"], description["baseline"]
    known = set(chemical_symbols[1:])
    odd = [element for element in elements if not isinstance(element, str) or element not in known]
    if odd or not elements or len(set(elements)) < len(elements):
        raise BornflowError(
            f"{config}: elements are {elements}, symbols of elements expected, each once; {REMEDY}"
        )
    numbers = [
        energy
        for energy in baseline
        if isinstance(energy, int | float) and not isinstance(energy, bool) and math.isfinite(energy)
    ]
    if len(numbers) != len(baseline) or len(baseline) != len(elements):
        raise BornflowError(
            f"{config}: baseline is {baseline}, a finite energy [eV] expected for each of "
            f"{', '.join(elements)}; {REMEDY}"
        )
    variant = description["variant"]
    node = schema()["properties"]["models"]["additionalProperties"]
    for words, keys in (
        ("lacks", set(node["properties"]) - set(variant)),
        ("has the unknown", set(variant) - set(node["properties"])),
    ):
        if keys:
            raise BornflowError(f"{config}: variant {words} {', '.join(sorted(map(str, keys)))}; {REMEDY}")
    error = next(Draft202012Validator(node).iter_errors(variant), None)
    if error is not None:
        raise BornflowError(f"{config}: variant.{'.'.join(map(str, error.path))}: {error.message}; {REMEDY}")
    return Model(variant, elements)


def _parameters(path: Path, weights: bytes, model: Model) -> Any:
    """The weights; BornflowError unless they have the names and shapes of the model's and are finite."""
    try:
        parameters = serialization.msgpack_restore(weights)
    except Exception as error:  # whatever msgpack stumbles over
        raise BornflowError(
            f"{path} is damaged: it holds no weights ({type(error).__name__}: {error}); {REMEDY}"
        ) from error
    expected = _shapes(model.variant, model.elements)
    found = _flat(parameters)
    for name in sorted(set(found) ^ set(expected)):
        words = "lacks" if name in expected else "has the unknown"
        raise BornflowError(
            f"{path} {words} weights {name or 'of a model'}: they are not of the variant that config.yaml "
            f"describes; {REMEDY}"
        )
    for name, shape in expected.items():
        values = found[name]
        if not isinstance(values, np.ndarray) or values.shape != shape or values.dtype.kind != "f":
            said = getattr(values, "shape", type(values).__name__)
            raise BornflowError(f"{path}: weights {name} are {said}, {shape} expected; {REMEDY}")
        if not np.isfinite(values).all():
            raise BornflowError(f"{path}: weights {name} are not finite; train again")
    return parameters


def _flat(parameters: Any) -> dict[str, Any]:
    """Leaves by their names, joined by slashes; what is no mapping is one leaf without a name."""
    if not isinstance(parameters, dict):
        return {"": parameters}
    flat = traverse_util.flatten_dict(parameters, keep_empty_nodes=True)
    return {"/".join(map(str, place)): leaf for place, leaf in flat.items()}


@functools.lru_cache(maxsize=8)
def _shapes(variant: Variant, elements: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """The shapes of a model's weights by name, found without calculating any."""
    model = Model(variant, elements)
    numbers = np.flatnonzero(model.species(np.arange(len(chemical_symbols))) >= 0)[:1]
    graph = model.graph(numbers, np.zeros((1, 3)), None)
    shapes = jax.eval_shape(model.network.init, jax.random.key(0), graph)
    return {name: tuple(leaf.shape) for name, leaf in _flat(serialization.to_state_dict(shapes)).items()}
