"""Broken and foreign extxyz files are read correctly, or rejected with file, frame, line and remedy."""

import numpy as np
import pytest

from bornflow.errors import BornflowError
from bornflow.io import frames

ROWS = "O 0.0 0.0 0.1 0.3 -0.4 -0.1\nH 0.8 0.0 -0.5 -0.1 0.2 0.1\nH -0.8 0.0 -0.5 -0.2 0.2 0.0\n"
PROPERTIES = "Properties=species:S:1:pos:R:3:forces:R:3"
LATTICE = 'Lattice="9 0 0 0 9 0 0 0 9"'
GOOD = f"3\n{PROPERTIES} energy=-17.0\n{ROWS}"


def read(tmp_path, text: str, keys=None):
    path = tmp_path / "set.xyz"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return frames.read(path, keys)


def with_comment(comment: str) -> str:
    return f"3\n{comment}\n{ROWS}"


# Comment line, energy, whether the frame is periodic.
READ_CORRECTLY = {
    "blank around =": (f"{PROPERTIES} energy = -17.0", -17.0, False),
    "empty value before the energy": (f"{PROPERTIES} note= energy=-17.0", -17.0, False),
    "empty quotes before the energy": (f'{PROPERTIES} note="" energy=-17.0', -17.0, False),
    "empty quotes before the cell": (f'note="" {LATTICE} {PROPERTIES} energy=-17.0', -17.0, True),
    "empty value before the cell": (f"note= {LATTICE} {PROPERTIES} energy=-17.0", -17.0, True),
    "empty value before a spaced key": (f"{PROPERTIES} note = energy = -17.0", -17.0, False),
    "empty at the end": (f"{PROPERTIES} energy=-17.0 note=", -17.0, False),
    "lower case": (f"{LATTICE.lower()} {PROPERTIES.lower()} energy=-17.0", -17.0, True),
    "upper case": (f"{PROPERTIES} PBC='F F F' ENERGY=-17.0", -17.0, False),
    "apostrophe": (f"{PROPERTIES} note=it's energy=-17.0 other=isn't", -17.0, False),
    "braces": (f"{PROPERTIES} note={{a b=c}} energy=-17.0", -17.0, False),
    "= in a value": (f"{PROPERTIES} url=http://x?energy=3 energy=-17.0", -17.0, False),
    "six stresses": (f'{LATTICE} {PROPERTIES} stress="1 2 3 4 5 6" energy=-17.0', -17.0, True),
    "six virials": (f'{LATTICE} {PROPERTIES} virial="1 2 3 4 5 6" energy=-17.0', -17.0, True),
    "none": (f"{PROPERTIES} dipole=None magmom=nan energy=-17.0", -17.0, False),
    "Fortran": (f"{PROPERTIES} energy=-1.7D1", -17.0, False),
    "flag": (f"{PROPERTIES} relaxed energy=-17.0", -17.0, False),
    "our units": (f"{PROPERTIES} energy=-17.0 energy-unit=eV force-unit=eV/Å units=metal", -17.0, False),
    "nan": (f"{PROPERTIES} energy=nan", None, False),
    "no number": (f"{PROPERTIES} energy=None", None, False),
    "masked": (f"{PROPERTIES} energy=0.0 config_energy_weight=0.0", None, False),
    "masked in short": (f"{PROPERTIES} energy=0.0 energy_weight=0", None, False),
    "other weight": (f"{PROPERTIES} energy=-17.0 config_stress_weight=0.0 config_weight=1", -17.0, False),
    "alias": (f"{PROPERTIES} REF_energy=-17.0 MACE_energy=3", -17.0, False),
    "dft": (f"{PROPERTIES} dft_energy=-17.0", -17.0, False),
    "pbc with commas": (f'{LATTICE} pbc="F, F, F" {PROPERTIES} energy=-17.0', -17.0, False),
    "pbc in one word": (f"{LATTICE} pbc=TTT {PROPERTIES} energy=-17.0", -17.0, True),
    "pbc in lower case": (f"{LATTICE} pbc='t t t' {PROPERTIES} energy=-17.0", -17.0, True),
    "cell in brackets": (f"Lattice=[[9,0,0],[0,9,0],[0,0,9]] {PROPERTIES} energy=-17.0", -17.0, True),
    "unit cell of words": (f"unit_cell=conventional {PROPERTIES} energy=-17.0", -17.0, False),
    "units of all": (f'{PROPERTIES} energy=-17.0 units="energy: eV, forces: eV/A"', -17.0, False),
    "charge of none": (f"{PROPERTIES} energy=-17.0 charge=None total_charge", -17.0, False),
    "weight of none": (f"{PROPERTIES} energy=-17.0 config_weight=None", -17.0, False),
    "w": (f"{PROPERTIES} energy=0.0 w_energy=0", None, False),
    "no label of that name": (f"{PROPERTIES} energy_error=0.1 free_energy=-17.0", None, False),
    "pbc of one": (f"{LATTICE} pbc=T {PROPERTIES} energy=-17.0", -17.0, True),
}


@pytest.mark.parametrize("case", READ_CORRECTLY)
def test_files_of_other_programs_are_read_without_loss(case, tmp_path):
    described, energy, periodic = READ_CORRECTLY[case]
    (atoms,) = read(tmp_path, with_comment(described))
    assert frames.label(atoms, "energy") == energy
    assert bool(atoms.pbc.all()) == periodic
    assert frames.label(atoms, "forces")[0].tolist() == [0.3, -0.4, -0.1]


REJECTED = {
    "no count": ("water\n\nO 0 0 0\n", "line 1: the number of atoms .* found 'water'"),
    "count with words": ("3 atoms\n", "line 1"),
    "no atoms": (f"0\n{PROPERTIES}\n{GOOD}", "frame 0, line 1: the frame has 0 atoms"),
    "count too large": (
        f"{10**12}\n{PROPERTIES}\n{ROWS}",
        "1000000000000 atoms are more than the 100000000 that can be read",
    ),
    "count above the file": (
        f"99999\n{PROPERTIES}\n{ROWS}",
        "announces 99999 atoms, but the file ends after 3",
    ),
    "negative": (f"-3\n{PROPERTIES}\n{ROWS}", "'-3'"),
    "cut": (GOOD + GOOD[:-30], "frame 1: line 6 announces 3 atoms, but the file ends after 2"),
    "cut row": (GOOD[:-8], "line 5: 5 columns found|line 5: 6 columns found"),
    "cut comment": ("3\nProperties=spec", "ends after 0"),
    "blank in a frame": (GOOD.replace("H 0.8", "\nH 0.8"), "line 4: 0 columns found"),
    "count below the rows": (GOOD.replace("3\n", "2\n", 1), "frame 1, line 5: the number of atoms"),
    "damaged Properties": (GOOD.replace("pos:R:3", "pos:R"), "is damaged at"),
    "type of Properties": (GOOD.replace("pos:R:3", "pos:Q:3"), "is damaged at 'pos:Q:3'"),
    "no Properties": (GOOD.replace(PROPERTIES, ""), "7 columns found, but 4 are expected"),
    "misspelt Properties": (
        GOOD.replace("Properties", "Propertis"),
        "'Propertis' .* Properties may be meant",
    ),
    "misspelt Lattice": (
        with_comment(f"{LATTICE.replace('Latt', 'Lat')} {PROPERTIES}"),
        "Lattice .* may be meant",
    ),
    "cell": (with_comment(f'cell="9 0 0 0 9 0 0 0 9" {PROPERTIES}'), "'cell' .* Lattice .* may be meant"),
    "cell of three": (with_comment(f'Lattice="9 9 9" {PROPERTIES}'), "nine finite numbers"),
    "cell of nan": (with_comment(f'Lattice="nan 0 0 0 9 0 0 0 9" {PROPERTIES}'), "nine finite numbers"),
    "flat cell": (
        with_comment(f'Lattice="9 0 0 9 0 0 0 0 9" {PROPERTIES}'),
        "three independent cell vectors",
    ),
    "periodic without a cell": (with_comment(f'pbc="T T T" {PROPERTIES}'), "no Lattice is given"),
    "pbc": (with_comment(f'{LATTICE} pbc="yes" {PROPERTIES}'), 'pbc="yes" found'),
    "periodic in two": (
        with_comment(f'{LATTICE} pbc="T T F" {PROPERTIES}'),
        "all three directions or in none",
    ),
    "kind": (with_comment(f"kind=bulk {PROPERTIES}"), "kind=bulk found, but the frame is isolated"),
    "open quote": (with_comment(f'{PROPERTIES} note="a energy=-17'), 'the " in column .* is not closed'),
    "after a quote": (
        with_comment(f'{PROPERTIES} note="a"energy=-17'),
        "a space is expected after the closing",
    ),
    "two energies": (with_comment(f"{PROPERTIES} energy=-17 energy=-18"), "'energy' is given twice"),
    "two cells": (
        with_comment(f'{LATTICE} lattice="8 0 0 0 8 0 0 0 8" {PROPERTIES}'),
        "Lattice is given twice",
    ),
    "energy of text": (with_comment(f"{PROPERTIES} energy=low"), "'energy' is 'low', not a number"),
    "underscore": (with_comment(f"{PROPERTIES} energy=1_000"), "'energy' is '1_000', not a number"),
    "empty energy": (
        with_comment(f'{PROPERTIES} energy="-17 -18"'),
        "'energy' has 2 numbers instead of 1",
    ),
    "infinite": (with_comment(f"{PROPERTIES} energy=inf"), "'energy' is not finite"),
    "hartree": (
        with_comment(f"{PROPERTIES} energy=-0.6 energy-unit=hartree"),
        "'energy-unit=hartree' found, but eV",
    ),
    "forces in hartree": (
        with_comment(f"{PROPERTIES} force_unit=Ha/bohr"),
        "'force_unit=Ha/bohr' found, but eV/Å",
    ),
    "bohr": (with_comment(f"{PROPERTIES} pos_unit=bohr"), "'pos_unit=bohr' found, but Å"),
    "bohr, spelt otherwise": (with_comment(f"{PROPERTIES} coordinates_unit=bohr"), "'coordinates_unit=bohr'"),
    "hartree in one word": (with_comment(f"{PROPERTIES} energyunit=Ha"), "'energyunit=Ha' found, but eV"),
    "hartree in short": (with_comment(f"{PROPERTIES} e_unit=Ha"), "'e_unit=Ha' found, but eV"),
    "NUL": (GOOD.replace("O 0.0", "O\0 0.0"), "NUL"),
    "units": (with_comment(f"{PROPERTIES} units=real"), "'units=real' found"),
    "weight of text": (with_comment(f"{PROPERTIES} energy=1 energy_weight=low"), "'energy_weight' is 'low'"),
    "two names": (
        with_comment(f"{PROPERTIES} REF_energy=-17 dft_energy=-18"),
        "may be stored under several keys",
    ),
    "charge": (with_comment(f"{PROPERTIES} charge=half"), "charge=half found; an integer"),
    "charge of inf": (with_comment(f"{PROPERTIES} charge=inf"), "charge=inf found; an integer"),
    "multiplicity": (with_comment(f"{PROPERTIES} multiplicity=0"), "multiplicity=0 found"),
    "molecules": (with_comment(f"{PROPERTIES} n_molecules=-2"), "n_molecules=-2 found"),
    "two columns of positions": (
        GOOD.replace("forces:R:3", "positions:R:3"),
        "columns pos and positions mean the same",
    ),
    "type that is empty": (GOOD.replace("pos:R:3", "pos::3"), "is damaged at 'pos::3'"),
    "mask of text": (
        "1\nProperties=species:S:1:pos:R:3:move_mask:S:1\nO 0 0 0 F\n",
        "T or F are expected for move_mask",
    ),
    "box": (with_comment(f'box_vectors="9 0 0 0 9 0 0 0 9" {PROPERTIES}'), "'box_vectors' .* Lattice"),
    "vector": (with_comment(f'VEC1="9 0 0" {PROPERTIES}'), "'VEC1' .* Lattice"),
    "periodic": (with_comment(f"periodic=T {PROPERTIES}"), "'periodic' .* Lattice"),
    "two charges": (
        with_comment(f"{PROPERTIES} charge=0 total_charge=1"),
        "two values of charge found, 0 and total_charge=1",
    ),
    "negative weight": (with_comment(f"{PROPERTIES} energy=1 energy_weight=-1"), "must be zero or positive"),
    "dummy": (GOOD.replace("O 0.0", "X 0.0"), "line 3: 'X' is not an element"),
    "site": (GOOD.replace("O 0.0", "Ow 0.0"), "line 3: 'Ow' is not an element; O may be meant"),
    "capitals": (GOOD.replace("O 0.0", "CL 0.0"), "'CL' is not an element; Cl may be meant"),
    "deuterium": (
        GOOD.replace("H 0.8", "D 0.8"),
        r"line 4: 'D' is not an element; write H, and .* masses:R:1",
    ),
    "number": (GOOD.replace("O 0.0", "O 0_0"), "line 3: 'pos' is '0_0'; a number is expected"),
    "position": (GOOD.replace("O 0.0", "O nan"), "line 3: the position is not finite"),
    "half missing forces": (GOOD.replace("0.3 -0.4", "nan -0.4"), "'forces' of atom 0 is not finite"),
    "latin": (
        "3\nProperties=species:S:1:pos:R:3 note=ü\n".encode("latin-1") + b"O 0 0 0\n" * 3,
        "not text in UTF-8",
    ),
    "binary": (bytes(range(256)) * 4, "not text in UTF-8|the number of atoms"),
    "empty": ("", "contains no structures"),
    "blank": ("\n\n", "contains no structures"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_files_that_are_not_understood_are_rejected_in_one_line(case, tmp_path):
    text, message = REJECTED[case]
    with pytest.raises(BornflowError, match=message) as caught:
        read(tmp_path, text)
    assert "set.xyz" in str(caught.value) and "\n" not in str(caught.value)


def test_empty_lines_may_stand_between_frames(tmp_path):
    found = read(tmp_path, "\n".join([GOOD] * 3) + "\n\n" + GOOD)
    assert [frames.label(atoms, "energy") for atoms in found] == [-17.0] * 4


def test_windows_line_ends_byte_order_marks_and_plain_xyz_are_read(tmp_path):
    (atoms,) = read(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert frames.label(atoms, "energy") == -17.0
    (atoms,) = read(tmp_path, "1\nwater, by hand: step 5\nh 0 0 0\n")
    assert atoms.get_chemical_formula() == "H" and not atoms.pbc.any()


def test_a_last_line_without_a_line_break_is_reported(tmp_path, caplog):
    read(tmp_path, GOOD[:-1])
    assert "its last line may be cut" in caplog.text


def test_a_file_cut_anywhere_is_read_without_loss_or_rejected(tmp_path):
    """A file of two frames, cut at any position, never loses a label without a message."""
    text = GOOD + GOOD.replace("-17.0", "-18.0")
    for end in range(len(text)):
        try:
            found = read(tmp_path, text[:end])
        except BornflowError:
            continue
        energies = [frames.label(atoms, "energy") for atoms in found]
        # A cut in the last number or in blank lines cannot be detected; every other cut is.
        assert energies in ([-17.0], [-17.0, -18.0])
        assert end >= len(GOOD) - 3 and (len(found) == 1 or end >= len(text) - 3)
        assert len(found) == 2 or not text[len(GOOD) : end].strip()


def test_a_column_with_weight_zero_is_masked(tmp_path):
    rows = "O 0 0 0 0 0 0 {}\nH 0 0 1 0 0 0 {}\n"
    head = "2\nProperties=species:S:1:pos:R:3:forces:R:3:forces_weight:R:1 energy=-1\n"
    (atoms,) = read(tmp_path, head + rows.format(0, 0))
    assert frames.label(atoms, "forces") is None and frames.label(atoms, "energy") == -1
    with pytest.raises(BornflowError, match="'forces_weight' is zero for some atoms only"):
        read(tmp_path, head + rows.format(0, 1))


def test_forces_of_nan_are_missing(tmp_path):
    (atoms,) = read(tmp_path, "1\nProperties=species:S:1:pos:R:3:forces:R:3 energy=-1\nO 0 0 0 nan nan nan\n")
    assert frames.label(atoms, "forces") is None and frames.label(atoms, "energy") == -1


def test_energies_of_two_methods_are_not_mixed(tmp_path):
    both = with_comment(f"{PROPERTIES} energy=-1 energy_rPBE=-470")
    only = with_comment(f"{PROPERTIES} energy=-2")
    found = read(tmp_path, both + only, {"energy": "energy_rPBE"})
    assert [frames.label(atoms, "energy") for atoms in found] == [-470, None]
    with pytest.raises(BornflowError, match="several keys"):
        read(tmp_path, with_comment(f"{PROPERTIES} REF_energy=-470") + only)
    with pytest.raises(BornflowError, match="'local' is a column"):
        read(tmp_path, GOOD.replace("forces:R:3", "local:R:3"), {"energy": "local"})


def test_frames_of_files_with_the_same_name_get_different_names(tmp_path):
    paths = [tmp_path / folder / "data" / "train.xyz" for folder in "xy"]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text(GOOD)
    names = [atoms.info["structure"] for atoms in frames.read_all(paths, unique=True)]
    assert names == ["x-data-train-0", "y-data-train-0"]
    for name in ("water.300K.xyz", "water.600K.xyz"):
        (tmp_path / name).write_text(GOOD)
    found = frames.read_all(sorted(tmp_path.glob("water.*")), unique=True)
    assert [atoms.info["structure"] for atoms in found] == ["water.300K-0", "water.600K-0"]
    paths[1].write_text(GOOD.replace("energy", "structure=x-data-train-0 energy"))
    with pytest.raises(BornflowError, match=r"x/data/train\.xyz, frame 0 and .*y/data/train\.xyz, frame 0"):
        frames.read_all(paths, unique=True)


@pytest.mark.parametrize("key", ["total_charge", "Charge", "net_charge", "qm_charge", "REF_total_charge"])
def test_keys_of_total_charges_are_recognised(key, tmp_path):
    (atoms,) = read(tmp_path, with_comment(f"{PROPERTIES} {key}=1 spin_multiplicity=2"))
    assert atoms.info["charge"] == 1 and atoms.info["multiplicity"] == 2


@pytest.mark.parametrize("key", ["spin", "Spin", "total_spin", "uhf"])
def test_spins_that_may_be_counted_in_three_ways_are_not_guessed(key, tmp_path, caplog):
    (atoms,) = read(tmp_path, with_comment(f"{PROPERTIES} {key}=2"))
    assert f"{key}: this spin is not read" in caplog.text and "multiplicity" not in atoms.info
    caplog.clear()
    read(tmp_path, with_comment(f"{PROPERTIES} {key}=0"))
    read(tmp_path, with_comment(f"{PROPERTIES} {key}=2 multiplicity=3"))
    assert not caplog.text


def test_atomic_numbers_may_replace_symbols(tmp_path):
    for properties in ("Z:I:1", "species:I:1", "numbers:I:1"):
        (atoms,) = read(tmp_path, f"2\nProperties={properties}:pos:R:3\n8 0 0 0\n1 0 0 1\n")
        assert atoms.get_chemical_formula() == "HO"
    text = "1\nProperties=species:S:1:pos:R:3:Z:R:1:numbers:R:1\nO 0 0 0 -0.8 3\n"
    (atoms,) = read(tmp_path, text)
    assert atoms.numbers.tolist() == [8] and atoms.arrays["Z"].tolist() == [-0.8]


@pytest.mark.parametrize("typo", ["ener0gy", "enrgy", "energy_pbe", "E"])
def test_a_misspelt_key_loses_no_label_without_a_message(typo, tmp_path, caplog):
    wrong = with_comment(f"{PROPERTIES} {typo}=-17")
    with pytest.raises(
        BornflowError, match=f"frame 1, line 7: no 'energy', which other frames have, but '{typo}'"
    ):
        read(tmp_path, GOOD + wrong)
    read(tmp_path, wrong)
    assert f"no 'energy', so this label is masked, but '{typo}'" in caplog.text


def test_masses_are_read_or_rejected(tmp_path):
    def file(key, mass):
        return f"2\nProperties=species:S:1:pos:R:3:{key}:R:1\nO 0 0 0 16\nH 0 0 1 {mass}\n"

    for key in ("mass", "masses"):
        (atoms,) = read(tmp_path, file(key, 2.014))
        np.testing.assert_allclose(atoms.get_masses(), [16, 2.014])
        for wrong in (0, -1, "nan", "inf"):
            with pytest.raises(BornflowError, match="line 4: the mass is"):
                read(tmp_path, file(key, wrong))


def test_spellings_of_units_are_recognised(tmp_path):
    for unit in ("eV/Å", "eV/A", "ev/Ang", "eV/Angstrom", "eV / angstrom"):
        assert read(tmp_path, with_comment(f'{PROPERTIES} energy=1 forces_unit="{unit}"'))


@pytest.mark.parametrize(
    ("comment", "keys", "message"),
    [
        ("REF_energy=-17", None, "energy is taken from 'REF_energy' (1 of 1 frames)"),
        ("energy=-17 dft_energy=-18", None, "'energy' is used and 'dft_energy' is not"),
        ("energy=-17 config_weight=2", None, "the weights config_weight are not used"),
        (
            "E=-17",
            {"energy": "e_xtb"},
            "1 of 1 frames have no 'e_xtb', so this label is masked, but 'E' is there",
        ),
    ],
)
def test_guesses_and_ignored_keys_are_warnings(comment, keys, message, tmp_path, caplog):
    text = with_comment(f"{PROPERTIES} {comment}")
    read(tmp_path, text, keys)
    (record,) = caplog.records
    assert record.levelname == "WARNING" and "set.xyz" in record.getMessage()
    assert message in record.getMessage()


def test_a_file_with_known_keys_is_read_without_messages(tmp_path, caplog):
    caplog.set_level("DEBUG")
    read(tmp_path, GOOD)
    assert not caplog.records
