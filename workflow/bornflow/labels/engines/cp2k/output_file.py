"""Reader of CP2K outputs. An output is rejected unless it passes every check.

CP2K 2023.1 exits with status 0 and prints forces even when the SCF did not converge, appends to
old outputs, and falls back to an atomic guess without a message, so convergence, field, elements and sums
are all checked. The formats of 2023.1 to 2026.2 are read: the force block is `ATOMIC FORCES in [a.u.]`
(until 2024.3) or lines of `FORCES|` (2025.1, 2026.2); the unit of the energy is `[a.u.]` or `[hartree]`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from ....errors import Rejected
from ....units import BOHR, DEBYE

NUMBER = r"[-+]?\d*\.?\d+(?:[EeDd][-+]?\d+)?"
TOTAL_LINE = re.compile(r"^ +Total energy: +(\S+)", re.MULTILINE)  # where the SCF ends
ENERGY_LINE = re.compile(r"ENERGY\| Total FORCE_EVAL \( QS \) energy \[?(?:a\.u\.|hartree)\]?:?\s+(\S+)")
VERSION_LINE = re.compile(r"CP2K\| version string:\s+CP2K version (\S+)")
CONVERGED = re.compile(r"SCF run converged in\s+(\d+) steps")
OUTER_CONVERGED = re.compile(r"outer SCF loop converged in\s+(\d+) iterations or\s+(\d+) steps")
OLD_FORCE_HEADER = re.compile(r"^ ATOMIC FORCES in \[a\.u\.\]", re.MULTILINE)
OLD_FORCE_ROW = re.compile(r"^\s*(\d+)\s+\d+\s+([A-Z][a-z]?)\s+(\S+)\s+(\S+)\s+(\S+)\s*$")
NEW_FORCE_HEADER = re.compile(r"^ FORCES\| Atomic forces \[(\S+)\]", re.MULTILINE)
NEW_FORCE_ROW = re.compile(r"^ FORCES\|\s+(\d+)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+(\S+))?\s*$")
FORCE_SUM = re.compile(r"^ (?:SUM OF ATOMIC FORCES|FORCES\| Sum)\s+(\S+)\s+(\S+)\s+(\S+).*$", re.MULTILINE)
ABORT_BOX = re.compile(r"^ \* \[ABORT\].*?^ \*{20,}$", re.DOTALL | re.MULTILINE)
ABORT_PICTURE = 13  # columns of the drawing on the left of the box
FIELD_SECTION = re.compile(r"&(EFIELD|PERIODIC_EFIELD)\n(.*?)&END", re.DOTALL)
FIELD_SECTIONS = {"position": "EFIELD", "berry": "PERIODIC_EFIELD"}  # by `input_file.operator`
COORDINATES = re.compile(r"&COORD\n(.*?)&END", re.DOTALL)


# The line after `Dipole moment [Debye]`: `X= -0.215E-06 Y= -0.544E-06 Z= -0.179E+01   Total= 1.790`.
DIPOLE = re.compile(r"Dipole moment \[Debye\]\s*\n\s*X=\s*(\S+)\s+Y=\s*(\S+)\s+Z=\s*(\S+)\s+Total=")

Match = TypeVar("Match")
Row = tuple[int, str, tuple[str, ...], str | None]  # number, element, force, its magnitude if printed


@dataclass(frozen=True)
class Output:
    """The results of one accepted output in atomic units: energy [Ha], forces [Ha/bohr], dipole [e bohr].

    The dipole of a periodic structure is the Berry-phase dipole, modulo e times the cell vectors. It is None
    if the output does not contain one.
    """

    version: str
    energy: float
    forces: Float[np.ndarray, "atoms 3"]
    scf_steps: int
    dipole: Float[np.ndarray, "3"] | None = None
    safe: bool = False  # whether the safer solver was needed
    wall: float = np.nan  # wall time of the run [s]


def parse(
    text: str,
    symbols: Sequence[str],
    field: Sequence[float] | None = None,
    version: str | None = None,
    operator: str | None = None,
) -> Output:
    """Read an output and check it against the requested calculation.

    `symbols` are the elements in order; `field` [3] is the electric field in atomic units (None: no field);
    `version` is that of the installed program and `operator` the kind of field, as in `input_file.operator`
    (None: any). Raises Rejected with the first reason found.
    """
    for mark, reason in (
        ("SCF run NOT converged", "the SCF did not converge"),
        ("outer SCF loop FAILED to converge", "the SCF did not converge"),
        ("Density non-zero on the edges", "the density reaches the edge of the cell: increase vacuum"),
        ("[ABORT]", abort_reason(text)),
    ):
        if mark in text:
            raise Rejected(str(reason))
    if text.count("PROGRAM STARTED AT") > 1:
        raise Rejected("several runs were appended to one output")
    if text.count("PROGRAM ENDED AT") != 1:
        raise Rejected("the output is cut off: PROGRAM ENDED is missing")
    printed = _one(VERSION_LINE.findall(text), "version line")
    if version not in (None, printed):
        raise Rejected(f"the output is from CP2K {printed}, but CP2K {version} was run")
    energy = _number(_one(ENERGY_LINE.findall(text), "total energy"), "total energy")
    totals = [_number(word, "energy of the SCF") for word in TOTAL_LINE.findall(text)]
    if not totals or abs(totals[-1] - energy) > 1e-9 * abs(energy):
        raise Rejected(f"the total energy is {energy}, the SCF ended at {totals[-1] if totals else 'none'}")
    _check_field(text, field, operator)
    _check_elements(text, symbols)
    return Output(
        version=printed,
        energy=energy,
        forces=_forces(text, symbols),
        scf_steps=_scf_steps(text),
        dipole=_dipole(text),
    )


def abort_reason(text: str) -> str | None:
    """The text in the box around `[ABORT]`, or None. From 2024.1 on, a failed SCF also aborts."""
    box = ABORT_BOX.search(text)
    if not box:
        return "CP2K aborted" if "[ABORT]" in text else None
    if "SCF run NOT converged" in text:
        return "the SCF did not converge"
    words = " ".join(line[ABORT_PICTURE:].strip(" *") for line in box[0].splitlines()[:-1])
    return f"CP2K aborted: {' '.join(words.split())}"


def _one(matches: list[Match], what: str) -> Match:
    if len(matches) != 1:
        raise Rejected(f"{what} found {len(matches)} times in the output, expected once")
    return matches[0]


def _number(word: str, what: str) -> float:
    if not re.fullmatch(NUMBER, word):
        raise Rejected(f"{what} is '{word}', not a finite number")
    return float(word.upper().replace("D", "E"))


def _scf_steps(text: str) -> int:
    inner, outer = CONVERGED.findall(text), OUTER_CONVERGED.findall(text)
    steps = int(outer[-1][1] if outer else inner[-1]) if inner else 0
    if not steps:
        raise Rejected("no line reports that the SCF converged")
    return steps


def _dipole(text: str) -> Float[np.ndarray, "3"] | None:
    rows = DIPOLE.findall(text)
    if not rows:
        return None
    return np.array([_number(word, "dipole") for word in _one(rows, "dipole")]) * DEBYE / BOHR


def _forces(text: str, symbols: Sequence[str]) -> Float[np.ndarray, "atoms 3"]:
    old, new = list(OLD_FORCE_HEADER.finditer(text)), list(NEW_FORCE_HEADER.finditer(text))
    if len(old) + len(new) != 1:
        raise Rejected(f"{len(old) + len(new)} force blocks in the output, expected one")
    rows = _old_rows(text, old[0]) if old else _new_rows(text, new[0], symbols)
    if [row[0] for row in rows] != list(range(1, len(symbols) + 1)):
        raise Rejected(f"forces of {len(rows)} atoms, {len(symbols)} expected in order")
    if [row[1] for row in rows] != list(symbols):
        raise Rejected("the order of the atoms differs from the structure's")
    forces = np.array([[_number(word, f"force on atom {row[0]}") for word in row[2]] for row in rows])
    for force, (number, *_, size) in zip(forces, rows, strict=True):
        if size and abs(np.linalg.norm(force) - _number(size, f"force on atom {number}")) > 1e-7:
            raise Rejected(f"the force on atom {number} is {force.tolist()}, its printed magnitude is {size}")
    total = [_number(word, "sum of forces") for word in _one(FORCE_SUM.findall(text), "sum of forces")]
    rounding = 1e-8 * np.abs(forces).sum() + 1e-10  # at least nine digits are printed
    if not np.allclose(forces.sum(axis=0), total, rtol=0, atol=rounding):
        raise Rejected(f"forces add up to {forces.sum(axis=0).tolist()}, the printed sum is {total}")
    return forces


def _old_rows(text: str, header: re.Match[str]) -> list[Row]:
    rows: list[Row] = []
    for line in text[header.end() :].splitlines():
        if line.startswith(" SUM OF ATOMIC FORCES"):
            break
        if match := OLD_FORCE_ROW.match(line):
            rows.append((int(match[1]), match[2], match.groups()[2:], None))
    return rows


def _new_rows(text: str, header: re.Match[str], symbols: Sequence[str]) -> list[Row]:
    """Rows of the format without elements; the elements are those of the structure."""
    if header[1].lower() not in ("hartree/bohr", "a.u."):
        raise Rejected(f"forces are printed in {header[1]}, expected hartree/bohr")
    rows: list[Row] = []
    for line in text[header.end() :].splitlines():
        if match := NEW_FORCE_ROW.match(line):
            number = int(match[1])
            symbol = symbols[(number - 1) % len(symbols)]
            rows.append((number, symbol, match.groups()[1:4], match[5]))
    return rows


def _check_elements(text: str, symbols: Sequence[str]) -> None:
    """Raise Rejected unless the echoed input has the structure's elements in order."""
    lines = [[line.split() for line in body.splitlines()] for body in COORDINATES.findall(text)]
    echoed = [[words[0] for words in block if len(words) == 4] for block in lines]  # others are keywords
    if not echoed:
        raise Rejected("the echo of the coordinates is missing")
    if any(elements != list(symbols) for elements in echoed):
        raise Rejected("the order of the atoms differs from the structure's")


def _check_field(text: str, field: Sequence[float] | None, operator: str | None) -> None:
    """Raise Rejected unless the echoed input has the requested field."""
    echoed = []
    for section, body in FIELD_SECTION.findall(text):
        if operator is not None and section != FIELD_SECTIONS[operator]:
            raise Rejected(f"the field was applied by {section}, expected {FIELD_SECTIONS[operator]}")
        if not re.search(r"ENVELOP\s+CONSTANT", body) and "ENVELOP" in body:
            raise Rejected("the field applied is not constant")
        intensity = re.search(rf"INTENSITY\s+({NUMBER})", body)
        direction = re.search(rf"POLARISATION\s+({NUMBER})\s+({NUMBER})\s+({NUMBER})", body)
        if not intensity or not direction:
            raise Rejected("the echoed electric field cannot be read")
        words = [_number(word, "field") for word in (intensity[1], *direction.groups())]
        echoed.append(words[0] * np.array(words[1:]))
    if field is None:
        if echoed:
            raise Rejected("a field was applied although none was requested")
        return
    if not echoed:
        raise Rejected("no field is echoed in the output although one was requested")
    for value in echoed:
        if not np.allclose(value, field, rtol=1e-9, atol=1e-15):
            raise Rejected(f"the field applied was {value.tolist()}, expected {list(field)}")
