"""The published models of the paper (arXiv:2601.03656) as models of bornflow.

    python -m bornflow.inference.published --checkpoint FOLDER --out DIR

A published folder has `model.yaml` (the network and its sizes), `model.msgpack` (weights) and `baseline.yaml`
(energies of the elements, eV); `inference.checkpoint` describes the folder that is written. With converged
long-range sums, energies, charges and tensors are those of the published network to rounding. Forces, and
Born effective charges of coupled models, are exact derivatives; what the published code returns is not.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import yaml
from ase.data import chemical_symbols
from flax import serialization

from .. import cli
from ..config.schema import validate
from ..errors import BornflowError
from ..io import documents
from ..models.model import Model
from . import checkpoint, published_weights
from .checkpoint import Checkpoint
from .checkpoint_checks import checked_parameters

logger = logging.getLogger(__name__)

REMEDY = "only models of the paper can be imported"
PHYSICAL, LOREM = "model.Critias", "lorem.Lorem"  # the published networks
BOTH = {"cutoff_fn": "cosine_cutoff", "radial_basis": "basic_bernstein"}
# Settings of the networks that have one value here.
FIXED: Mapping[str, Mapping[str, Any]] = {
    PHYSICAL: BOTH
    | {"activation": "silu", "message_degree": 0, "semilocal_radial": False, "semilocal_spherical": False},
    LOREM: BOTH | {"num_message_passing": 0, "initialize_node_features": False, "lr": True},
}
# Our settings of a variant: those that follow from the network, and those that it gives, with its names.
SHARED = {"radial_decay": 0, "contraction": 0, "invariants": "published", "tensor_head": "published"}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    PHYSICAL: SHARED | {"backbone": "physical", "harmonics": "solid"},
    LOREM: SHARED | {"backbone": "lorem", "harmonics": "unit"},
}
SIZES = {
    "cutoff": ("cutoff",),
    "max_degree": ("max_degree",),
    "radial": ("num_radial",),
    "embedding": ("num_species",),
    "features": ("num_scalar", "num_features"),
    "channels": ("num_spherical", "num_spherical_features"),
    "charge_degree": ("max_degree_lr",),
}
TENSORS, SCREENING = "PerParticleTensorPredictor_0", "MLP_3"  # weights that only some models have


def read(folder: str | Path, screening: float | None = None) -> Checkpoint:
    """The model in a published folder, with weights in double precision.

    `screening` is the one γ of a model for energies and forces (1 if None), which the folder does not have.
    Raises BornflowError for other files, and for a network with parts that bornflow does not have.
    """
    folder = Path(folder)
    network, sizes = _read_network(folder / "model.yaml")
    weights = _read_weights(folder / "model.msgpack")
    baseline = _read_baseline(folder / "baseline.yaml")
    try:
        variant, parameters = _convert(network, sizes, weights, list(baseline))
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise BornflowError(
            f"{folder}/model.msgpack does not have the weights of {network} ({error}); {REMEDY}"
        ) from error
    if variant["charges"] == "global":
        parameters["screening"] = {"gamma": np.array(1.0 if screening is None else screening)}
    model = Model(variant, [chemical_symbols[number] for number in baseline])
    content = serialization.to_bytes({"params": parameters})
    checked = checked_parameters(folder / "model.msgpack", content, model)
    return Checkpoint(model, checked, np.array(list(baseline.values())))


def _convert(
    network: str, sizes: Mapping[str, Any], weights: Mapping[str, Any], numbers: list[int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our variant and its parameters; the one γ of a global screening is left to the caller."""
    charges = "uncoupled" if TENSORS in weights else "local" if SCREENING in weights else "global"
    given = {**SETTINGS[network], **sizes, "charges": charges}
    if charges == "uncoupled":
        given["tensor_channels"] = weights[TENSORS]["Dense_2"]["0+"]["kernel"].shape[1]
    variant = validate({"models": {"m": given}}, "model.yaml")["models"]["m"]
    if network == PHYSICAL:
        shape = (variant["radial"], variant["max_degree"] + 1, variant["channels"])
        parameters = published_weights.physical(weights, numbers, variant["cutoff"], shape)
    else:
        parameters = published_weights.lorem(weights, numbers)
    if charges == "uncoupled":
        parameters["bec"] = published_weights.tensor_head(weights[TENSORS])
    elif charges == "local":
        parameters["screening"] = {"Readout_0": weights[SCREENING]}
    return variant, parameters


def _read_network(path: Path) -> tuple[str, dict[str, Any]]:
    """The name of the network and our settings of its sizes."""
    described = documents.read_yaml(path, {}, REMEDY)
    network = next(iter(described), "")
    if len(described) != 1 or network not in FIXED:
        raise BornflowError(
            f"{path} describes {', '.join(described) or 'nothing'}, not {' or '.join(FIXED)}; {REMEDY}"
        )
    settings = described[network]
    for key, value in FIXED[network].items():
        if settings.get(key, value) != value:
            raise BornflowError(f"{path}: {key} is {settings[key]}, but {value} is expected; {REMEDY}")
    sizes = {}
    for ours, theirs in SIZES.items():
        found = [settings[name] for name in theirs if name in settings]
        if found:
            sizes[ours] = found[0]
        elif ours != "charge_degree" or network == LOREM:
            raise BornflowError(f"{path} has no {' or '.join(theirs)}; {REMEDY}")
    return network, sizes


def _read_weights(path: Path) -> dict[str, Any]:
    """The nested weights in double precision."""
    if not path.exists():
        raise BornflowError(f"{path}: no such file; give the folder of a published model")
    try:
        restored = serialization.msgpack_restore(path.read_bytes())["params"]
        return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), restored)
    except Exception as error:  # msgpack raises many kinds
        raise BornflowError(
            f"{path} contains no weights ({type(error).__name__}: {error}); {REMEDY}"
        ) from error


def _read_baseline(path: Path) -> dict[int, float]:
    """The energy of each element [eV] by atomic number, in ascending order."""
    remedy = "energies [eV] by atomic number under `elemental` are expected"
    try:
        described = yaml.safe_load(documents.read_text(path, remedy))  # its keys are numbers
        found = {int(number): float(energy) for number, energy in described["elemental"].items()}
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BornflowError(f"{path} cannot be read ({error}); {remedy}") from error
    for number, energy in found.items():
        if not 0 < number < len(chemical_symbols) or not np.isfinite(energy):
            raise BornflowError(f"{path}: {number}: {energy} found; {remedy}")
    return dict(sorted(found.items()))


@cli.command
def main() -> None:
    """Write a published model as a folder that all programs read."""
    args = cli.parse(
        main,
        checkpoint=cli.option("folder of a published model"),
        screening=cli.option("the one γ of a model for energies and forces (default: 1)", None, type=float),
        out=cli.option("folder to write"),
    )
    imported = read(args.checkpoint, args.screening)
    charges = imported.model.variant.charges
    if args.screening is not None and charges != "global":
        raise BornflowError(
            f"--screening is {args.screening:g}, but the charges of this model are {charges}; omit it"
        )
    if args.screening is None and charges == "global":
        logger.warning("Born effective charges are those of γ = 1: the folder has no γ; give --screening")
    name = Path(args.checkpoint).resolve().name
    checkpoint.save(args.out, imported, name, {"imported": name}, 0)


if __name__ == "__main__":
    main()
