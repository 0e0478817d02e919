"""Checks that the files of a checkpoint describe a model: elements, baseline, variant and weights."""

import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ase.data import chemical_symbols
from flax import serialization, traverse_util
from jsonschema import Draft202012Validator

from ..config.schema import schema
from ..errors import BornflowError
from ..io import documents
from ..models.model import Model
from ..models.types import Parameters
from ..models.variants import Variant

REMEDY = "copy the folder again, or train again"


def checked_model(config: Path, description: Mapping[str, Any]) -> Model:
    """The model described by a config.yaml.

    Raises BornflowError unless elements, baseline and variant describe a model.
    """
    documents.check_keys(
        str(config), description, {"elements": list, "baseline": list, "variant": dict}, REMEDY
    )
    _check_elements(config, description["elements"])
    _check_baseline(config, description["baseline"], description["elements"])
    _check_variant(config, description["variant"])
    return Model(description["variant"], description["elements"])


def _check_elements(config: Path, elements: list[Any]) -> None:
    known = set(chemical_symbols[1:])
    are_known = all(isinstance(element, str) and element in known for element in elements)
    if not are_known or not elements or len(set(elements)) < len(elements):
        raise BornflowError(
            f"{config}: elements are {elements}, symbols of elements expected, each once; {REMEDY}"
        )


def _check_baseline(config: Path, baseline: list[Any], elements: list[str]) -> None:
    are_finite = all(
        isinstance(energy, int | float) and not isinstance(energy, bool) and math.isfinite(energy)
        for energy in baseline
    )
    if not are_finite or len(baseline) != len(elements):
        raise BornflowError(
            f"{config}: baseline is {baseline}, a finite energy [eV] expected for each of "
            f"{', '.join(elements)}; {REMEDY}"
        )


def _check_variant(config: Path, variant: dict[Any, Any]) -> None:
    node = schema()["properties"]["models"]["additionalProperties"]
    known = set(node["properties"]) - {"published"}
    for words, keys in (
        ("lacks", known - set(variant)),
        ("has the unknown", set(variant) - known),
    ):
        if keys:
            raise BornflowError(f"{config}: variant {words} {', '.join(sorted(map(str, keys)))}; {REMEDY}")
    error = next(Draft202012Validator(node).iter_errors(variant), None)
    if error is not None:
        raise BornflowError(f"{config}: variant.{'.'.join(map(str, error.path))}: {error.message}; {REMEDY}")


def checked_parameters(path: Path, weights: bytes, model: Model) -> Parameters:
    """The weights in a parameters.msgpack.

    Raises BornflowError unless their names and shapes are those of the model and all are finite.
    """
    try:
        parameters = serialization.msgpack_restore(weights)
    except Exception as error:  # msgpack raises many kinds
        raise BornflowError(
            f"{path} is damaged: it contains no weights ({type(error).__name__}: {error}); {REMEDY}"
        ) from error
    expected = _shapes(model.variant, model.elements)
    flat = _flat(parameters)
    for name in sorted(set(flat) ^ set(expected)):
        words = "lacks" if name in expected else "has the unknown"
        raise BornflowError(
            f"{path} {words} weights {name or 'of a model'}: they are not of the variant that config.yaml "
            f"describes; {REMEDY}"
        )
    for name, shape in expected.items():
        values = flat[name]
        if not isinstance(values, np.ndarray) or values.shape != shape or values.dtype.kind != "f":
            kind = getattr(values, "shape", type(values).__name__)
            raise BornflowError(f"{path}: weights {name} are {kind}, {shape} expected; {REMEDY}")
        if not np.isfinite(values).all():
            raise BornflowError(f"{path}: weights {name} are not finite; train again")
    return parameters


def _flat(parameters: Parameters) -> dict[str, Any]:
    """Leaves by their names, joined by slashes; a value that is not a mapping is a leaf without a name."""
    if not isinstance(parameters, dict):
        return {"": parameters}
    flat = traverse_util.flatten_dict(parameters, keep_empty_nodes=True)
    return {"/".join(map(str, path)): leaf for path, leaf in flat.items()}


@functools.lru_cache(maxsize=8)
def _shapes(variant: Variant, elements: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """The shapes of a model's weights by name, found without computing any weights."""
    model = Model(variant, elements)
    numbers = np.flatnonzero(model.species(np.arange(len(chemical_symbols))) >= 0)[:1]
    graph = model.graph(numbers, np.zeros((1, 3)), None)
    shapes = jax.eval_shape(model.network.init, jax.random.key(0), graph)
    return {name: tuple(leaf.shape) for name, leaf in _flat(serialization.to_state_dict(shapes)).items()}
