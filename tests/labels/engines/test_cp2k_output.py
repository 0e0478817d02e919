"""Outputs: a real one (shortened) is read, every damaged one is rejected with a reason.

`outputs/2023.1-field.out` is CP2K 2023.1's output of a water dimer in a field along x, made as labels are,
without the lines that the parser does not read. The formats of other versions are made from it line by
line.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from bornflow.errors import Rejected
from bornflow.labels.engines.cp2k.output_file import abort_reason, parse

TEXT = (Path(__file__).parent / "outputs/2023.1-field.out").read_text()
SYMBOLS = ["O", "H", "H"] * 2
FIELD = [5e-4, 0.0, 0.0]
FORCE = r"^( +{0} +\d+ +[OH] +)(\S+)( +\S+ +\S+)$"
NUMBERS = r"(\S+) +(\S+) +(\S+)"


def _row(label: str, words) -> str:
    return f" FORCES| {label:>6} " + " ".join(map(_exponential, words))


def _size(words) -> str:
    try:
        return f"{np.linalg.norm([float(word) for word in words]):.12f}"
    except ValueError:
        return "1.0"


def _exponential(word: str) -> str:
    return f"{float(word):15.8E}" if re.fullmatch(r"[-.0-9]+", word) else f"{word:>15}"


def as_2025_1(text: str) -> str:
    """The same numbers as 2025.1 prints them: FORCES| lines, exponents, eight digits and [hartree]."""
    text = text.replace("energy [a.u.]:", "energy [hartree]")
    text = re.sub(
        r"^ ATOMIC FORCES in \[a\.u\.\]\n\n.*$",
        " FORCES| Atomic forces [hartree/bohr]\n"
        " FORCES|   Atom     x               y               z               |f|",
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(
        rf"^ +(\d+) +\d+ +[OH] +{NUMBERS}$",
        lambda row: _row(row[1], (*row.groups()[1:], _size(row.groups()[1:]))),
        text,
        flags=re.MULTILINE,
    )
    return re.sub(
        rf"^ SUM OF ATOMIC FORCES +{NUMBERS} +(\S+)$",
        lambda row: f"{_row('Sum   ', row.groups()[:3])}\n FORCES| Total atomic force {float(row[4]):>65.8E}",
        text,
        flags=re.MULTILINE,
    )


def as_2026_2(text: str) -> str:
    """The same numbers with the `FORCES|` lines of 2025.1 and the number of digits of 2026.2."""
    return re.sub(r"(\d\.\d{8})(E[+-]\d\d)", r"\g<1>0000\2", as_2025_1(text))


def as_2025_2(text: str) -> str:
    """The same numbers with the old force block and [hartree]."""
    return text.replace("energy [a.u.]:", "energy [hartree]")


FORMS = pytest.mark.parametrize(
    "form", [str, as_2025_1, as_2025_2, as_2026_2], ids=lambda form: form.__name__
)


@FORMS
def test_a_good_output_is_read(form):
    output = parse(form(TEXT), SYMBOLS, FIELD)
    assert output.version == "2023.1"
    assert output.energy == pytest.approx(-34.495172567, abs=1e-9)
    assert output.forces.shape == (6, 3)
    assert np.abs(output.forces.sum(axis=0)).max() < 2e-3
    first = re.search(FORCE.format(1), TEXT, re.MULTILINE)
    assert output.forces[0, 0] == pytest.approx(float(first[2]), rel=1e-8)
    assert output.scf_steps > 3


def test_an_ot_run_counts_the_steps_of_all_outer_loops():
    again = TEXT.replace("in   1 iterations or    7 steps", "in   2 iterations or   31 steps")
    assert parse(again, SYMBOLS, FIELD).scf_steps == 31


def test_a_run_by_diagonalisation_has_no_outer_loops():
    text = "".join(line for line in TEXT.splitlines(keepends=True) if "outer SCF" not in line)
    assert parse(text, SYMBOLS, FIELD).scf_steps == 7


def _replace(pattern, new):
    def damage(text):
        damaged = re.sub(pattern, new, text, flags=re.MULTILINE)
        assert damaged != text, f"{pattern} does not occur"
        return damaged

    return damage


DAMAGES = {
    "not converged": (
        _replace(r"SCF run converged in +\d+ steps", "SCF run NOT converged"),
        "did not converge",
    ),
    "outer loop not converged": (
        lambda text: text + "  outer SCF loop FAILED to converge after   2 iterations or 60 steps\n",
        "did not converge",
    ),
    "no word on convergence": (_replace(r"^.*SCF run converged.*\n", ""), "no line reports"),
    "converged in no step": (
        _replace(r"(loop converged in +1 iterations or +)7", r"\g<1>0"),
        "no line reports",
    ),
    "aborted": (lambda text: text + " *   [ABORT]\n", "CP2K aborted"),
    "density on the edges": (
        lambda text: text + " *** Density non-zero on the edges of the cell ***\n",
        "reaches the edge",
    ),
    "two runs appended": (lambda text: text + text, "appended"),
    "two outputs' ends": (lambda text: text + text.splitlines()[-1] + "\n", "PROGRAM ENDED"),
    "no end": (_replace(r"^.*PROGRAM ENDED.*\n", ""), "PROGRAM ENDED"),
    "no energy": (_replace(r"^ ENERGY\|.*\n", ""), "total energy found 0 times"),
    "another energy": (_replace(r"(ENERGY\|.* )-34\.4", r"\1-44.4"), "the SCF ended at -34.49"),
    "energy of another sign": (_replace(r"(ENERGY\|.* )-34\.4", r"\1 34.4"), "the SCF ended at -34.49"),
    "no energy of the SCF": (_replace(r"^ +Total energy:.*\n", ""), "the SCF ended at none"),
    "energy with a stray sign": (_replace(r"(ENERGY\|.* )-34\.4", r"\1-3_4.4"), "total energy is '-3_4.49"),
    "energy not a number": (_replace(r"(ENERGY\|.* )-?\d+\.\d+", r"\1NaN"), "total energy is 'NaN'"),
    "stars for the energy": (_replace(r"(ENERGY\|.* )-?\d+\.\d+", r"\1*****"), r"total energy is '\*+'"),
    "no version": (_replace(r"^.*version string.*\n", ""), "version line found 0 times"),
    "another version": (_replace(r"CP2K version 2023\.1", "CP2K version 2024.3"), "from CP2K 2024.3"),
    "no forces": (_replace(r"^ ATOMIC FORCES.*\n", ""), "0 force blocks"),
    "two force blocks": (_replace(r"^( ATOMIC FORCES.*\n)", r"\1\1"), "2 force blocks"),
    "forces in another unit": (
        _replace(r"ATOMIC FORCES in \[a\.u\.\]", "ATOMIC FORCES in [eV/angstrom]"),
        "0 force blocks",
    ),
    "force not a number": (_replace(FORCE.format(2), r"\g<1>NaN\3"), "force on atom 2 is 'NaN'"),
    "force infinite": (_replace(FORCE.format(3), r"\g<1>Infinity\3"), "force on atom 3 is 'Infinity'"),
    "stars for a force": (_replace(FORCE.format(4), r"\g<1>**************\3"), r"force on atom 4 is '\*+'"),
    "a wrong digit": (_replace(r"0\.006848960647", "0.006848970647"), "add up to"),
    "no sum of forces": (_replace(r"^ SUM OF ATOMIC FORCES.*\n", ""), "sum of forces found 0 times"),
    "an atom missing": (_replace(FORCE.format(5) + "\n", ""), "forces of 5 atoms"),
    "an atom twice": (_replace(FORCE.format(5), r"\g<0>\n\g<0>"), "forces of 7 atoms"),
    "atoms swapped": (_replace(r"^( +1 +\d+ +)O(.*\n +2 +\d+ +)H", r"\1H\2O"), "order of the atoms"),
    "numbers swapped": (lambda text: _replace(r"^( +)1( +\d+ +O)", r"\g<1>4\2")(text), "expected in order"),
    "atoms of the input swapped": (_replace(r"^O( 3.*\n)H( .*)$", r"H\1O\2"), "order of the atoms"),
    "another molecule's input": (_replace(r"^H (?=6)", "F "), "order of the atoms"),
    "no coordinates": (_replace(r"&COORD\n(.*\n)*? *&END COORD", ""), "echo of the coordinates is missing"),
    "a field that ramps": (_replace(r"ENVELOP  CONSTANT", "ENVELOP  RAMP"), "is not constant"),
    "field by the Berry phase": (
        _replace(r"&(END )?EFIELD", r"&\1PERIODIC_EFIELD"),
        "applied by PERIODIC_EFIELD",
    ),
    "field along -x": (_replace(r"POLARISATION +1\.0", "POLARISATION -1.0"), r"applied was \[-0.0005"),
    "field along y": (_replace(r"(POLARISATION) +(\S+) +(\S+)", r"\1 \3 \2"), "applied was"),
    "field of half the size": (_replace(r"(INTENSITY +)5\.0", r"\g<1>2.5"), r"applied was \[0.00025"),
    "no field": (_replace(r"&EFIELD\n(.*\n)*? *&END EFIELD", ""), "no field is echoed"),
    "field of no size": (_replace(r"INTENSITY .*", "INTENSITY 0.0"), "applied was"),
    "field unreadable": (_replace(r"INTENSITY .*", ""), "cannot be read"),
}


# Damages to lines that 2025.1 prints in another way, which are made below; it prints no elements.
OLD_ONLY = {"no forces", "two force blocks", "forces in another unit", "atoms swapped", "numbers swapped"}
ROW = r"^( FORCES\| +{0} +)(\S+)(.*)$"
NEW_DAMAGES = {
    "no header": (_replace(r"^ FORCES\| Atomic forces.*\n", ""), "0 force blocks"),
    "two headers": (_replace(r"^( FORCES\| Atomic forces.*\n)", r"\1\1"), "2 force blocks"),
    "both formats": (lambda text: text + " ATOMIC FORCES in [a.u.]\n", "2 force blocks"),
    "another unit": (_replace(r"\[hartree/bohr\]", "[eV/angstrom]"), "forces are printed in eV/angstrom"),
    "numbers swapped": (_replace(r"^ FORCES\|( +)1 ", r" FORCES|\g<1>4 "), "expected in order"),
    "a row missing": (_replace(ROW.format(5) + "\n", ""), "forces of 5 atoms"),
    "a row twice": (_replace(ROW.format(5), r"\g<0>\n\g<0>"), "forces of 7 atoms"),
    "not a number": (_replace(ROW.format(2), r"\g<1>NaN\3"), "force on atom 2 is 'NaN'"),
    "components exchanged": (
        _replace(r"^( FORCES\| +1 +)(\S+)(.*\n FORCES\| +2 +)(\S+)", r"\1\4\3\2"),
        "its printed magnitude is",
    ),
}
FOR_2025_1 = {name: damage for name, damage in DAMAGES.items() if name not in OLD_ONLY} | NEW_DAMAGES


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("form", [str, as_2025_2], ids=lambda form: form.__name__)
def test_damage_is_rejected(form, damage, reason):
    with pytest.raises(Rejected, match=reason):
        parse(form(damage(TEXT)), SYMBOLS, FIELD, "2023.1", "position")


@pytest.mark.parametrize("name", FOR_2025_1)
def test_damage_to_an_output_of_2025_1_is_rejected(name):
    damage, reason = FOR_2025_1[name]
    damaged = damage(as_2025_1(TEXT)) if name in NEW_DAMAGES else as_2025_1(damage(TEXT))
    with pytest.raises(Rejected, match=reason):
        parse(damaged, SYMBOLS, FIELD, "2023.1", "position")


UNREAD = re.compile(r"\s*$|.*(# Atom|Atom +x|Total atomic force|outer SCF)")


@FORMS
def test_an_output_with_missing_lines_is_rejected(form):
    """Lines are missing between the end of the SCF and the end of the output."""
    lines = form(TEXT).splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if "SCF run converged" in line)
    last = next(number for number, line in enumerate(lines) if "PROGRAM ENDED" in line)
    for begin in range(first, last):
        for end in range(begin + 1, last + 1):
            if all(UNREAD.match(line) for line in lines[begin:end]):
                continue
            with pytest.raises(Rejected):
                parse("".join(lines[:begin] + lines[end:]), SYMBOLS, FIELD)


@FORMS
def test_an_output_cut_off_anywhere_is_rejected(form):
    text = form(TEXT)
    end = text.index("PROGRAM ENDED AT")
    for cut in np.linspace(0, end, 60).astype(int):
        with pytest.raises(Rejected):
            parse(text[:cut], SYMBOLS, FIELD)


BOX = """
 *******************************************************************************
 *   ___                                                                       *
 *  /   \\                                                                      *
 * [ABORT]                                                                     *
 *  \\___/     {:<64}*
 *    |       {:<64}*
 *  O/|                                                                        *
 * /| |                                                                        *
 * / \\                                             qs_collocate_density.F:2108 *
 *******************************************************************************
"""


def test_the_reason_of_an_abort_is_read_from_its_box():
    text = TEXT + BOX.format("CPASSERT failed", "")
    assert abort_reason(text) == "CP2K aborted: CPASSERT failed qs_collocate_density.F:2108"
    assert abort_reason(TEXT) is None
    # The end of a calculation in 2024.1 and later versions; 2023.1 continues.
    words = "SCF run NOT converged. To continue the calculation regardless,"
    text = TEXT + BOX.format(words, "please set the keyword IGNORE_CONVERGENCE_FAILURE.")
    assert abort_reason(text) == "the SCF did not converge"


def test_a_berry_phase_field_is_recognised():
    periodic = TEXT.replace("&EFIELD", "&PERIODIC_EFIELD").replace("&END EFIELD", "&END PERIODIC_EFIELD")
    assert periodic != TEXT
    parse(periodic, SYMBOLS, FIELD, operator="berry")
    with pytest.raises(Rejected, match="applied by EFIELD, expected PERIODIC_EFIELD"):
        parse(TEXT, SYMBOLS, FIELD, operator="berry")
    with pytest.raises(Rejected, match="the field applied was"):
        parse(periodic, SYMBOLS, [0.0, 5e-4, 0.0])


def test_a_field_that_was_not_requested_is_rejected():
    with pytest.raises(Rejected, match="none was requested"):
        parse(TEXT, SYMBOLS, None)
