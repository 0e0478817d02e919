"""The programs that label structures, behind one interface (`base.Engine`).

    engine = create("cp2k", settings, threads=2)  # settings: the section `labels` as LabelSettings
    label = engine.label(atoms, Path("work"))

To add an engine:

1. Derive a class from `base.Engine` in a new module, with `identify`, `label` and `relax`.
   `finite_field.central_difference` turns forces in six fields into Born effective charges. The label's
   `residuals` are `sum_rule` and `nonlinearity`; a further residual needs a limit under `labels.gate`.
   `provenance` contains `label_program`, `label_settings` and `field_operator`; `join_sets` joins only sets
   in which these agree. A program with long runs can keep them in a `cp2k.cache.Cache`.
2. Enter module and class in ENGINES under the name that a configuration uses.
3. Add that name to `labels.engine` in workflow/schemas/config.schema.yaml, a section with the engine's
   settings next to `labels.cp2k` there, and a dataclass for that section to `labels/settings.py`.

Gate, batches, rejections, known labels and rules then work without further changes.
"""

import importlib
from collections.abc import Mapping

from ..settings import LabelSettings
from .base import Engine

# Module and class. A module is imported only if its engine is used, since each needs packages of its own.
ENGINES: Mapping[str, tuple[str, str]] = {
    "cp2k": ("cp2k.engine", "CP2K"),
    "xtb": ("xtb", "XTB"),
    "model": ("trained", "TrainedModels"),
}


def create(name: str, settings: LabelSettings, threads: int = 1) -> Engine:
    """The engine called `name`, a key of ENGINES, on `threads` processor cores."""
    module, engine = ENGINES[name]
    return getattr(importlib.import_module(f"{__name__}.{module}"), engine)(settings, threads)
