"""Reader of the file in which `training.committee` calibrates the uncertainties of a committee of models."""

from pathlib import Path

from ..errors import BornflowError
from . import documents
from .quantities import LABELS

REMEDY = "make it again with bornflow.training.committee"


def read_scales(path: str | Path) -> dict[str, float]:
    """The factors of the uncertainties of energy, forces and bec, where known. Raises BornflowError."""
    scales = documents.read_json(path, {"scales": dict}, REMEDY)["scales"]
    documents.check_keys(f"{path}: 'scales'", scales, dict.fromkeys(scales, float), REMEDY)
    if wrong := [key for key, scale in scales.items() if key not in LABELS or not scale > 0]:
        raise BornflowError(
            f"{path}: 'scales' has {wrong[0]}: {scales[wrong[0]]}; positive factors of "
            f"{', '.join(LABELS)} are expected; {REMEDY}"
        )
    return dict(scales)
