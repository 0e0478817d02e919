"""Energies and forces for the sampling of structures: tight binding, trained models, or any ASE calculator.

The setting `structures.pools.NAME.sampler` is one of

    gfn2, gfn1                                  GFN2-xTB, GFN1-xTB (tblite)
    pet-mad                                     the universal potential PET-MAD (package upet)
    {model: FOLDER} or {model: [F0, F1, F2]}    models trained by bornflow; several act as their mean
    {ase: module.function, arguments: {...}}    what this call returns
"""

import hashlib
import importlib
import logging
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.data import chemical_symbols

from .. import tight_binding
from ..composition import composition
from ..electrons import multiplicity, total_charge
from ..errors import BornflowError
from . import pet_mad
from .settings import Sampler

logger = logging.getLogger(__name__)

TIGHT_BINDING = {"gfn2": "GFN2-xTB", "gfn1": "GFN1-xTB"}


def describe(sampler: Sampler) -> str:
    """The sampler in a few words, for the `source` of structures."""
    if isinstance(sampler, str):
        return TIGHT_BINDING.get(sampler, pet_mad.NAME)
    if "ase" in sampler:
        return str(sampler["ase"])
    folders = sampler["model"]
    return "model " + (folders if isinstance(folders, str) else " ".join(folders))


def identity(sampler: Sampler) -> list[str]:
    """What the forces of a sampler depend on besides its setting: weights of models, tblite's version."""
    if isinstance(sampler, str):
        return [version("tblite")] if sampler in TIGHT_BINDING else [pet_mad.UPET]
    folders = sampler.get("model", [])
    weights = (Path(folder, "parameters.msgpack") for folder in _as_list(folders))
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in weights]


def create(sampler: Sampler, atoms: Atoms) -> BaseCalculator:
    """The calculator for structures like `atoms`.

    Raises BornflowError for a missing package, for weights that cannot be read, and for an import path or
    arguments that give no calculator.
    """
    if isinstance(sampler, str) and sampler in TIGHT_BINDING:
        if (heaviest := int(atoms.numbers.max())) > tight_binding.HEAVIEST:
            raise BornflowError(
                f"sampler: {sampler} has no parameters for {chemical_symbols[heaviest]}, only up "
                f"to {chemical_symbols[tight_binding.HEAVIEST]}; choose another sampler (docs/structures.md)"
            )
        return tight_binding.calculator(TIGHT_BINDING[sampler], atoms)
    if total_charge(atoms) or multiplicity(atoms) > 1:
        logger.warning(
            "%s is not told charge %d and multiplicity %d; it may read them from `info`, or treat all "
            "structures alike",
            describe(sampler),
            total_charge(atoms),
            multiplicity(atoms),
        )
    if isinstance(sampler, str):
        return pet_mad.calculator("sampler", "gfn2")
    if "ase" in sampler:
        return _imported(sampler["ase"], sampler.get("arguments", {}))
    return _trained(sampler["model"], atoms)


def _trained(folders: str | list[str], atoms: Atoms) -> BaseCalculator:
    from .. import inference

    trained = inference.calculator(_as_list(folders))
    composition(atoms, trained.elements)  # rejects unknown elements
    return trained


def _as_list(folders: str | list[str]) -> list[str]:
    return [folders] if isinstance(folders, str) else folders


def _imported(path: str, arguments: Mapping[str, Any]) -> BaseCalculator:
    place = f"sampler: ase: {path}"
    module, _, function = path.rpartition(".")
    try:
        make = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise BornflowError(
            f"{place} cannot be imported ({error}); install its package, or correct it"
        ) from error
    try:
        calculator = make(**arguments)
    except Exception as error:  # whatever another package raises
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise BornflowError(f"{place}({dict(arguments)}) failed: {reason}; correct its arguments") from error
    if not hasattr(calculator, "get_property"):
        raise BornflowError(f"{place} returned {type(calculator).__name__}, which is no ASE calculator")
    return calculator
