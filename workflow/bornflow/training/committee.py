"""How well the spread of several models' predictions estimates their error, on held-out labels.

    python -m bornflow.training.committee --labels valid.extxyz --predictions P0.extxyz P1.extxyz P2.extxyz \\
        --out committee.json

The predictions are those of one variant trained with several seeds (`training.evaluate --predictions`). The
file contains the factors c that `inference.committee` multiplies spreads σ with, fitted for each quantity by

    c² = Σ (x̄ − x_label)² / Σ σ²

over all components: the maximum-likelihood value if errors are normally distributed with widths c σ.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float
from scipy.stats import spearmanr

from .. import cli
from ..errors import BornflowError
from ..io import frames
from ..io.files import write_json
from .metrics import REPORTED

Values = Float[np.ndarray, "structures_or_atoms components"]


def calibrate(labelled: Sequence[Atoms], predictions: Sequence[Sequence[Atoms]]) -> dict[str, Any]:
    """The factors `scales`, and for each quantity the errors and spreads that its factor was fitted to.

    - `rmse_member`, `rmse_mean`: root-mean-square errors of single members and of the mean [unit]
    - `spread`: root mean square of the spreads, before scaling [unit]
    - `rank_correlation`: Spearman's, between error and spread of structures (energy) or atoms
    - `within_1`, `within_2`: fractions of components with an error below one and two calibrated spreads; the
      factor is fitted to one half of the structures and tested on the other (a normal distribution: 0.68 and
      0.95)

    `rank_correlation` is None where it is not defined. Raises BornflowError if the predictions are not of the
    labelled structures, if there is only one, and if no quantity has labels of two structures.
    """
    _check(labelled, predictions)
    report: dict[str, Any] = {"members": len(predictions), "structures": len(labelled), "scales": {}}
    for key in frames.LABELS:
        chosen = _labelled(key, labelled)
        if len(chosen) < 2:
            continue
        for member in predictions:
            if missing := [index for index in chosen if frames.label(member[index], key) is None]:
                raise BornflowError(
                    f"{key} of {frames.name(member[missing[0]])} is not predicted; make the predictions "
                    "again with bornflow.training.evaluate"
                )
        errors, spreads = _deviations(key, labelled, predictions)
        if not any(spread.any() for spread in spreads):
            raise BornflowError(
                f"all models predict the same {key}: they are copies of one model; train several seeds"
            )
        report["scales"][key] = _scale(errors, spreads)
        members = [
            np.concatenate([_values(key, member[i]) - _values(key, labelled[i]) for i in chosen])
            for member in predictions
        ]
        report[key] = {
            f"rmse_member [{REPORTED[key][0]}]": float(np.sqrt(np.mean(np.square(members)))),
            f"rmse_mean [{REPORTED[key][0]}]": _rms(np.concatenate(errors)),
            f"spread [{REPORTED[key][0]}]": _rms(np.concatenate(spreads)),
            "rank_correlation": _rank_correlation(*norms(key, labelled, predictions)),
            **_coverage(errors, spreads),
        }
    if not report["scales"]:
        raise BornflowError(
            "no quantity has labels of two or more structures; calibrate on more labelled structures"
        )
    return report


def _check(labelled: Sequence[Atoms], predictions: Sequence[Sequence[Atoms]]) -> None:
    if len(predictions) < 2:
        raise BornflowError(f"predictions of {len(predictions)} model given; a committee has at least two")
    names = [frames.name(atoms) for atoms in labelled]
    for member in predictions:
        if [frames.name(atoms) for atoms in member] != names:
            raise BornflowError(
                "the predictions are not of the labelled structures; make both from one file with "
                "bornflow.training.evaluate"
            )


def _values(key: str, atoms: Atoms) -> Values:
    """A label in reported units: [1, 1] per atom for the energy, else [atoms, components]."""
    values = np.asarray(frames.label(atoms, key)) * REPORTED[key][1]
    return values.reshape(1, 1) / len(atoms) if key == "energy" else values.reshape(len(atoms), -1)


def _labelled(key: str, structures: Sequence[Atoms]) -> list[int]:
    """Indices of the structures that have a label."""
    return [index for index, atoms in enumerate(structures) if frames.label(atoms, key) is not None]


def _deviations(
    key: str, labelled: Sequence[Atoms], predictions: Sequence[Sequence[Atoms]]
) -> tuple[list[Values], list[Values]]:
    """Errors of the members' mean, and their spreads, for each structure that has the label."""
    errors, spreads = [], []
    for index in _labelled(key, labelled):
        guesses = np.array([_values(key, member[index]) for member in predictions])
        errors.append(guesses.mean(axis=0) - _values(key, labelled[index]))
        spreads.append(guesses.std(axis=0, ddof=1))
    return errors, spreads


def norms(
    key: str, labelled: Sequence[Atoms], predictions: Sequence[Sequence[Atoms]]
) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """Errors and spreads in reported units, as norms over components: of structures (energy) or atoms."""
    errors, spreads = _deviations(key, labelled, predictions)
    return tuple(np.linalg.norm(np.concatenate(values), axis=1) for values in (errors, spreads))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _scale(errors: Sequence[Values], spreads: Sequence[Values]) -> float:
    smallest = np.finfo(float).tiny
    return _rms(np.concatenate(errors)) / max(_rms(np.concatenate(spreads)), smallest)


def _rank_correlation(errors: np.ndarray, spreads: np.ndarray) -> float | None:
    """Spearman's correlation; None if all values of one kind are equal."""
    if np.ptp(errors) == 0 or np.ptp(spreads) == 0:
        return None
    return float(spearmanr(errors, spreads).statistic)


def _coverage(errors: Sequence[Values], spreads: Sequence[Values]) -> dict[str, float]:
    """Fractions of errors within one and two spreads, each half scaled by the factor of the other."""
    ratios = []
    for half in (0, 1):
        scale = _scale(errors[1 - half :: 2], spreads[1 - half :: 2])
        error, spread = (np.abs(np.concatenate(values[half::2])) for values in (errors, spreads))
        ratios.append(np.ravel(error / np.maximum(scale * spread, np.finfo(float).tiny)))
    ratio = np.concatenate(ratios)
    return {f"within_{widths}": float(np.mean(ratio < widths)) for widths in (1, 2)}


@cli.command
def main() -> None:
    """Write the calibration of a committee."""
    args = cli.parse(
        main,
        "out",
        labels=cli.option("labelled extxyz file that the models were not trained on"),
        predictions=cli.options("predictions of each model for these structures, from training.evaluate"),
    )
    members = [frames.read(path) for path in args.predictions]
    write_json(args.out, calibrate(frames.read(args.labels), members))


if __name__ == "__main__":
    main()
