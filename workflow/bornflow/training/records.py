"""Writer of the records of a run: history.csv and validation.csv of a model's folder.

`tables` reads them.
"""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from ..io.files import atomic_write
from .tables import QUANTITIES


def write_history(path: Path, history: Float[np.ndarray, "epochs columns"]) -> None:
    """Write history.csv: one row an epoch, the loss and root-mean-square errors."""
    header = [
        "epoch",
        "loss",
        "energy_rms [eV/atom]",
        "forces_rms [eV/Å]",
        "bec_rms [e]",
        "charge_penalty",
    ]
    with atomic_write(path) as scratch, scratch.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        for epoch, (total, energy, forces, bec, charge) in enumerate(history, start=1):
            values = (total, np.sqrt(energy), np.sqrt(forces), np.sqrt(bec), charge)
            writer.writerow([epoch, *(f"{value:.6g}" for value in values)])


def write_validation(
    path: Path, validation: Float[np.ndarray, "times columns"], seconds_before: float = 0
) -> None:
    """Write validation.csv: errors on the held-out structures, over epochs and seconds.

    `seconds_before` is the time of an earlier stage, which is added.
    """
    table = pd.DataFrame(validation, columns=["epoch", "seconds", *QUANTITIES])
    table["seconds"] += seconds_before
    with atomic_write(path) as scratch:
        table.astype({"epoch": int}).to_csv(scratch, index=False, float_format="%.6g")
