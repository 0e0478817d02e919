"""Trained models as an engine: cheap labels for the training of other models (distillation).

The label is the mean of the models in `labels.model.folders`. Forces are derivatives of the mean energy. Born
effective charges are shifted, all atoms alike, so that their sum is the total charge Q:

    Z_i ← Z_i − (Σ_k Z_k − Q·1) / N

Those of a tensor head violate this sum rule; the violation is stored as `unshifted_sum_rule` [e]. Several
models also give the spread of their predictions, which is stored too.
"""

import functools
import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from jaxtyping import Float

from ... import inference, jax_setup
from ...composition import composition
from ...electrons import multiplicity, total_charge
from ...errors import BornflowError, Rejected
from ...inference import checkpoint
from ...inference.checkpoint import Checkpoint
from ...inference.predict import predictions
from ...io import frames
from ...progress import track
from .. import limits
from ..finite_field import FiniteField, sum_rule
from ..settings import LabelSettings
from .base import Engine, Label, relaxed_positions, text_hash

logger = logging.getLogger(__name__)


class TrainedModels(Engine):
    """Labels by one model, or by the mean of several. Raises BornflowError for a folder that is no model."""

    def __init__(self, settings: LabelSettings, threads: int = 1):
        super().__init__(settings, threads)
        jax_setup.configure()
        self._folders = settings.model.folders
        if not self._folders:
            raise BornflowError(
                "labels.model.folders: no model given; list the folders of trained models, of which engine "
                "`model` takes the mean"
            )
        self._models = [checkpoint.load(folder) for folder in self._folders]
        self._predicted: dict[str, list[Atoms]] = {}  # by the hash of the label, one for each model

    def identify(self, atoms: Atoms) -> str:
        """Hash of the structure and the models."""
        structure = [
            *(atoms.get_chemical_symbols(), atoms.positions.tolist(), atoms.pbc.tolist()),
            *(atoms.cell.array.tolist(), total_charge(atoms)),
        ]
        identity = json.dumps([structure, self._identities])
        return text_hash(hashlib.sha256(identity.encode()).hexdigest())

    def prepare(self, structures: Sequence[Atoms]) -> None:
        """Evaluate the models for all structures together, in batches of one shape."""
        if radicals := [frames.name(atoms) for atoms in structures if multiplicity(atoms) > 1]:
            logger.warning(
                "%s: models are not told multiplicities; labels are right only if the training structures of "
                "the models had these",
                ", ".join(radicals[:5]),
            )
        suited = {self.identify(atoms): atoms for atoms in structures if not _reason(atoms, self._models)}
        for model in self._models:
            for key, frame in zip(suited, _predict(model, list(suited.values())), strict=True):
                self._predicted.setdefault(key, []).append(frame)

    def label(self, atoms: Atoms, workdir: Path) -> Label:
        """The mean of the models' predictions, and their spread."""
        if reason := _reason(atoms, self._models):
            raise Rejected(reason)
        key = self.identify(atoms)
        if key not in self._predicted:
            self.prepare([atoms])
        members = self._predicted[key]
        energies, forces, bec = (
            np.stack([np.asarray(frames.label(member, name)) for member in members])
            for name in ("energy", "forces", "bec")
        )
        charge, mean = total_charge(atoms), bec.mean(axis=0)
        shifted = mean - (mean.sum(axis=0) - charge * np.eye(3)) / len(mean)
        response = FiniteField(shifted, sum_rule(shifted, charge), nonlinearity=0.0)
        numbers = {"unshifted_sum_rule": sum_rule(mean, charge)}
        return Label(
            energy=float(energies.mean()),
            forces=forces.mean(axis=0),
            response=response,
            residuals=response.residuals,
            hash=key,
            numbers=numbers | (_spread(energies, forces, bec) if len(members) > 1 else {}),
            provenance={
                "label_program": "bornflow",
                "label_settings": f"model {' '.join(self._identities)}",
                "field_operator": "none",
            },
        )

    def relax(self, atoms: Atoms, workdir: Path) -> Float[np.ndarray, "atoms 3"]:
        """Positions [Å] of the nearest minimum of the mean energy."""
        if reason := _reason(atoms, self._models):
            raise Rejected(reason)
        return relaxed_positions(atoms, self._calculator, "engine model")

    @functools.cached_property
    def _calculator(self) -> BaseCalculator:
        return inference.calculator(self._folders)

    @functools.cached_property
    def _identities(self) -> list[str]:
        return [text_hash(model.hash) for model in self._models]


def _reason(atoms: Atoms, models: Sequence[Checkpoint]) -> str:
    """Why the models cannot label a structure; empty if they can."""
    try:
        limits.reject_overlaps(atoms)
        for model in models:
            composition(atoms, model.model.elements)
    except BornflowError as error:
        return str(error)
    return ""


def _predict(model: Checkpoint, structures: Sequence[Atoms]) -> list[Atoms]:
    progress: Iterator[tuple[int, Atoms]] = track(
        predictions(model, structures), "predictions", len(structures), "structures"
    )
    predicted = dict(progress)
    return [predicted[index] for index in range(len(structures))]


def _spread(
    energies: Float[np.ndarray, " models"],
    forces: Float[np.ndarray, "models atoms 3"],
    bec: Float[np.ndarray, "models atoms 3 3"],
) -> dict[str, float]:
    """Standard deviations of the models' predictions: energy [eV], largest of a force [eV/Å] and of Z [e].

    σ of a force is √(Σ_α σ_α²), that of Z √(Σ_αβ σ_αβ²).
    """
    by_force, by_bec = forces.std(axis=0, ddof=1), bec.std(axis=0, ddof=1)
    return {
        "energy_uncertainty": float(energies.std(ddof=1)),
        "force_uncertainty": float(np.linalg.norm(by_force, axis=1).max()),
        "bec_uncertainty": float(np.linalg.norm(by_bec, axis=(1, 2)).max()),
    }
