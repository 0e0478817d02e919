"""Born effective charges from forces in an electric field (eq. 10 of the paper).

    Z[i, α, β] = (F_iβ(+E_α) − F_iβ(−E_α)) / (2 E)

The first index of Z is the field's, the second the force's. This module contains physics only, no files or
programs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..errors import BornflowError, Rejected

Direction = tuple[int, int]  # axis and sign of a field

# The six field runs, in the order in which they are made.
FIELDS: tuple[Direction, ...] = tuple((axis, sign) for axis in range(3) for sign in (1, -1))


@dataclass(frozen=True)
class FiniteField:
    """The response of one structure to an electric field.

    `bec` are Born effective charges [field, force] in e, `sum_rule` the largest component of |Σ_i Z_i − Q·1|
    in e with the total charge Q, `nonlinearity` the largest component of |F(+E) + F(−E) − 2 F(0)| in atomic
    units.
    """

    bec: Float[np.ndarray, "atoms 3 3"]
    sum_rule: float
    nonlinearity: float

    @property
    def residuals(self) -> dict[str, float]:
        """The residuals that the gate checks, with the keys of `labels.gate`."""
        return {"sum_rule": self.sum_rule, "nonlinearity": self.nonlinearity}


def sum_rule(bec: Float[np.ndarray, "atoms 3 3"], charge: float = 0) -> float:
    """The largest component of |Σ_i Z_i − Q·1| [e], with the total `charge` Q; 0 without numerical error."""
    return float(np.abs(bec.sum(axis=0) - charge * np.eye(3)).max())


def central_difference(
    forces: Mapping[Direction, Float[np.ndarray, "atoms 3"]],
    field_free: Float[np.ndarray, "atoms 3"],
    field: float,
    charge: float = 0,
) -> FiniteField:
    """Born effective charges from the forces in six fields, by (axis, sign), and the field-free forces.

    Forces and `field`, the magnitude of the fields, are in atomic units, the total `charge` in e. Raises
    BornflowError if one of the six is missing.
    """
    missing = [f"{'xyz'[axis]}{sign:+d}" for axis, sign in FIELDS if (axis, sign) not in forces]
    if missing:
        raise BornflowError(f"field runs {', '.join(missing)} are missing; six are needed")
    bec = np.stack([(forces[axis, 1] - forces[axis, -1]) / (2 * field) for axis in range(3)], axis=1)
    curvature = np.stack([forces[axis, 1] + forces[axis, -1] - 2 * field_free for axis in range(3)])
    return FiniteField(
        bec=bec,
        sum_rule=sum_rule(bec, charge),
        nonlinearity=float(np.abs(curvature).max()),
    )


def polarizability(
    dipoles: Mapping[Direction, Float[np.ndarray, "3"]],
    field: float,
    quantum: Float[np.ndarray, "3 3"] | None = None,
) -> Float[np.ndarray, "3 3"]:
    """α[α, β] = (μ_β(+E_α) − μ_β(−E_α)) / (2 E), with the field's index first, from dipoles in six fields.

    Dipoles of periodic structures are defined modulo the rows of `quantum` (e times the cell vectors); the
    smallest differences are taken. All quantities must be in the same system of units.
    """
    differences = np.stack([dipoles[axis, 1] - dipoles[axis, -1] for axis in range(3)])
    if quantum is not None:
        differences -= np.round(differences @ np.linalg.inv(quantum)) @ quantum
    return differences / (2 * field)


def accept(residuals: Mapping[str, float], gate: Mapping[str, float]) -> None:
    """The gate: raise Rejected if a residual is above its limit or not a number.

    `gate` is the section `labels.gate`, with units in the schema.
    """
    for name, value in residuals.items():
        if not value <= gate[name]:
            raise Rejected(
                f"{name} is {value:.2g}, above the limit {gate[name]:.2g} (labels.gate.{name}): "
                "tighten the settings of the engine, or leave the structure out"
            )
