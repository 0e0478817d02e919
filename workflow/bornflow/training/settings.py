"""The section `training` of a configuration as frozen dataclasses, for the code of this folder.

`workflow/schemas/config.schema.yaml` describes every field, with unit, range and default. The fields have
the same names and nesting as its keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss terms (eq. 13), in units of eV/atom, eV/Å and e."""

    energy: float
    forces: float
    bec: float
    charge: float


@dataclass(frozen=True)
class WeightDecay:
    """Decoupled weight decay of each backbone."""

    physical: float
    lorem: float


@dataclass(frozen=True)
class LearningCurve:
    """Which models are trained on how many structures for the learning curve."""

    sizes: Sequence[int]
    models: Sequence[str]


@dataclass(frozen=True)
class TrainingSettings:
    """All settings of the section `training`."""

    # Labelled files, and how they are read and checked.
    data: Sequence[str]
    pretraining: Sequence[str]
    validation: Sequence[str]
    keys: Mapping[str, str]
    bec_order: str
    implausible_labels: str
    several_methods: str
    # The random split.
    split_by: str
    train_fraction: float
    split_seed: int
    # Jobs.
    seeds: Sequence[int]
    threads: int
    learning_curve: LearningCurve
    recipes: Mapping[str, Mapping[str, Any]]
    # Length of a run, and its records.
    epochs: int
    pretraining_epochs: int
    patience: int  # epochs
    improvement: float
    hours: float
    validate_epochs: int
    checkpoint_minutes: float
    # Batches.
    batch_atoms: int
    shapes: int
    # Loss and optimiser.
    loss: LossWeights
    optimiser: str
    learning_rate: float
    final_learning_rate: float
    schedule: str
    warmup: float
    clip: float
    weight_decay: WeightDecay
    average: float
    initial_charges: bool

    @classmethod
    def from_section(cls, section: Mapping[str, Any]) -> "TrainingSettings":
        """The settings of a complete, checked section `training` (`config.load` returns one)."""
        nested = {
            "loss": LossWeights(**section["loss"]),
            "weight_decay": WeightDecay(**section["weight_decay"]),
            "learning_curve": LearningCurve(**section["learning_curve"]),
        }
        return cls(**{**section, **nested})

    def decay_of(self, backbone: str) -> float:
        """The weight decay of a backbone."""
        return getattr(self.weight_decay, backbone)
