"""The universal potential PET-MAD (arXiv:2503.14118), as a sampler and as a descriptor of structures.

Its package upet and its weights are optional: `pip install` the version UPET, which downloads the weights at
the first use.
"""

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from ..errors import BornflowError

PET_MAD: dict[str, Any] = {"model": "pet-mad-s", "version": "1.6.0", "device": "cpu"}
UPET = "upet==0.3.1"  # the extra `pet-mad` of pyproject.toml
NAME = f"PET-MAD {PET_MAD['version']}"
FEATURES = "mtt::aux::energy_last_layer_features"
BATCH = 32  # structures evaluated together


def calculator(setting: str, otherwise: str) -> Any:
    """The ASE calculator. Raises BornflowError, naming the `setting`, without the package or the weights.

    The message proposes the value `otherwise`.
    """
    try:
        package = importlib.import_module("upet.ase")
    except ImportError as error:
        raise BornflowError(
            f"{setting}: pet-mad needs the package upet, which `pip install {UPET}` installs; or "
            f"use {otherwise}"
        ) from error
    try:
        return package.UPETCalculator(**PET_MAD)
    except Exception as error:  # its download fails in many ways
        raise BornflowError(
            f"{setting}: pet-mad: the weights of {NAME} cannot be loaded ({error}). Without a network "
            "connection, download them elsewhere into the cache of Hugging Face (HF_HOME)"
        ) from error


def mean_features(structures: Sequence[Atoms]) -> Iterator[np.ndarray]:
    """Batches of the features of the last layer for the energy, averaged over the atoms of each structure."""
    model = calculator("structures.selection.descriptor", "soap").calculator
    wanted = {FEATURES: importlib.import_module("metatomic.torch").ModelOutput(sample_kind="atom")}
    for first in range(0, len(structures), BATCH):
        batch = list(structures[first : first + BATCH])
        block = model.run_model(batch, wanted)[FEATURES].block()
        features = block.values.detach().cpu().numpy()
        owners = block.samples.column("system").cpu().numpy()
        yield np.stack([features[owners == number].mean(axis=0) for number in range(len(batch))])
