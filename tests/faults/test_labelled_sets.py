"""Labelled sets with other units, signs, index orders or methods, made by changing real labels."""

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms

from bornflow.config.load import complete
from bornflow.errors import BornflowError
from bornflow.io import frames
from bornflow.training import labelled_sets, plausibility
from bornflow.training.bec_order import sum_rule_violations
from bornflow.training.copies import find_copies
from bornflow.training.methods import method_of
from bornflow.training.settings import TrainingSettings
from bornflow.training.split import split
from bornflow.units import BOHR, FORCE_AU, HARTREE

SHIPPED = "resources/labels/water.extxyz"
SETTINGS = TrainingSettings.from_section(complete({})["training"])


@pytest.fixture(scope="module")
def shipped():
    return frames.read(SHIPPED)


@pytest.fixture
def few(shipped):
    """Copies of about twenty clusters and a box."""
    return [relabel(atoms) for atoms in [*shipped[:16], *shipped[50:64]]]


def relabel(atoms, **changes):
    """A copy with labels, some of them changed by a function."""
    labels = {key: frames.label(atoms, key) for key in frames.LABELS}
    new = frames.with_labels(atoms, labels | {key: change(labels[key]) for key, change in changes.items()})
    new.info.pop("label_hash", None)  # as a file of another program
    return new


def stretched(atoms, factor):
    new = relabel(atoms)
    new.set_cell(new.cell.array * factor)
    new.positions *= factor
    return new


def findings(structures):
    return plausibility.findings(structures, find_copies(structures))


def what(structures) -> str:
    return " | ".join(finding.problem for finding in findings(structures))


def test_the_shipped_sets_are_plausible(shipped, few):
    assert what(shipped) == "" and what(few) == ""
    assert what(frames.read("resources/labels/water-xtb.extxyz")) == ""


WHOLE_SETS = {
    "energies in hartree": ({"energy": lambda e: e / HARTREE}, "energies are in hartree"),
    "energies in kcal/mol": ({"energy": lambda e: e * 23.0605}, "energies are in kcal/mol"),
    "energies in kJ/mol": ({"energy": lambda e: e * 96.4853}, "energies are in kJ/mol"),
    "forces in hartree/bohr": ({"forces": lambda f: f / FORCE_AU}, "forces are in hartree/bohr"),
    "gradients": ({"forces": lambda f: -f}, "wrong sign"),
    "energies and forces in atomic units": (
        {"energy": lambda e: e / HARTREE, "forces": lambda f: f / FORCE_AU},
        "forces are in eV/bohr",  # the factor that remains where both are wrong
    ),
    "charges of a sign": ({"bec": lambda z: np.abs(z)}, "sum of Born effective charges"),
    "charges of a proton": ({"bec": lambda z: z + np.eye(3) / len(z)}, "sum of Born effective charges"),
    "charges without one atom": (
        {"bec": lambda z: z * (np.arange(len(z)) > 0)[:, None, None]},
        "sum of Born",
    ),
}


@pytest.mark.parametrize("case", WHOLE_SETS)
def test_a_set_in_other_units_is_detected(case, few):
    changes, message = WHOLE_SETS[case]
    assert message in what([relabel(atoms, **changes) for atoms in few])


@pytest.mark.parametrize("factor", [1 / BOHR, 0.1, 10])
def test_positions_in_other_units_are_detected(factor, few):
    assert "bohr" in what([stretched(atoms, factor) for atoms in few]) or factor < 1
    assert what([stretched(atoms, factor) for atoms in few])


ONE_FRAME = {
    "energy in hartree": {"energy": lambda e: e / HARTREE},
    "energy of another method": {"energy": lambda e: e + 5 * 18},
    "energy of zero": {"energy": lambda e: 0.0},
    "forces a hundred times": {"forces": lambda f: 100 * f},
    "charge moved": {"bec": lambda z: z + np.eye(3) / len(z)},
}


@pytest.mark.parametrize("case", ONE_FRAME)
def test_one_frame_among_many_is_named(case, few):
    wrong = relabel(few[5], **ONE_FRAME[case])
    found = findings([*few[:5], wrong, *few[6:]])
    assert found and all(
        [frames.name(atoms) for atoms in each.structures] == [frames.name(wrong)] for each in found
    )


@pytest.mark.parametrize("factor", [1 / BOHR, 0.1])
def test_one_frame_in_other_units_of_length_is_named(factor, few):
    found = findings([*few[:5], stretched(few[5], factor), *few[6:]])
    assert [frames.name(atoms) for atoms in found[0].structures] == [frames.name(few[5])]


def test_zero_forces_on_fixed_atoms_are_found(few):
    few[3].set_constraint(FixAtoms([0, 1]))
    assert what(few) == "", "a mask alone changes no label"
    few[3] = relabel(few[3], forces=lambda f: f * (np.arange(len(f)) > 1)[:, None])
    assert "fixed by move_mask" in what(few)


def test_sums_of_charges_that_scatter_everywhere_are_reported_and_trained_on(few, caplog):
    rng = np.random.default_rng(0)
    noisy = [
        relabel(atoms, bec=lambda z: z + rng.normal(scale=0.5 / len(z) ** 0.5, size=z.shape)) for atoms in few
    ]
    labelled_sets.check(noisy, SETTINGS)
    assert "WARNING" in caplog.text and "the sum of Born effective charges" in caplog.text


def test_lone_atoms_and_dissociated_pairs_are_plausible(few):
    lone = [
        frames.with_labels(Atoms(symbol), {"energy": value})
        for symbol, value in (("H", -13.6), ("O", -430.0))
    ]
    pair = frames.with_labels(Atoms("H2", [[0, 0, 0], [0, 0, 6.0]]), {"energy": -27.2})
    assert what([*few, *lone]) == ""
    assert "bond" not in what([*few, pair])


def test_transposed_born_effective_charges_are_rejected_and_can_be_transposed(few, tmp_path):
    path = tmp_path / "other.extxyz"
    frames.write(path, [relabel(atoms, bec=lambda z: z.transpose(0, 2, 1)) for atoms in few])
    with pytest.raises(BornflowError, match=r"order \[force, field\].*training.bec_order: force-field"):
        labelled_sets.read([path], SETTINGS)
    back = labelled_sets.read([path], replace(SETTINGS, bec_order="force-field"))
    for ours, other in zip(few, back, strict=True):
        np.testing.assert_allclose(frames.label(ours, "bec"), frames.label(other, "bec"), atol=1e-8)
    # Written and read again, with the same settings, they are not transposed twice.
    frames.write(path, back)
    for order in ("field-force", "force-field"):
        again = labelled_sets.read([path], replace(SETTINGS, bec_order=order))
        np.testing.assert_array_equal(frames.label(again[3], "bec"), frames.label(back[3], "bec"))
    frames.write(path, few)
    with pytest.raises(BornflowError, match="set it to field-force"):
        labelled_sets.read([path], replace(SETTINGS, bec_order="force-field"))


def test_labels_of_bornflow_are_not_transposed(shipped, tmp_path, caplog):
    path = tmp_path / "own.extxyz"
    frames.write(path, shipped[:20])
    found = labelled_sets.read([path], replace(SETTINGS, bec_order="force-field"))
    np.testing.assert_array_equal(frames.label(found[4], "bec"), frames.label(shipped[4], "bec"))
    boxes = [relabel(atoms) for atoms in shipped if atoms.pbc.all()]
    frames.write(path, boxes)
    labelled_sets.read([path], SETTINGS)
    assert "cannot be checked" in caplog.text


def test_the_order_of_every_cluster_is_found(shipped):
    violations = sum_rule_violations(shipped)
    given, transposed = violations.given, violations.transposed
    assert len(given) == sum(not atoms.pbc.any() for atoms in shipped)
    assert ((given < transposed) | (transposed < 1e-3)).all()
    assert np.median(transposed) > 10 * np.median(given)


@pytest.mark.parametrize("every", [10, 3, 2])
@pytest.mark.parametrize("order", ["field-force", "force-field"])
def test_a_file_in_both_orders_is_rejected(every, order, shipped, tmp_path):
    mixed = [
        relabel(atoms, bec=lambda z: z.transpose(0, 2, 1)) if index % every == 0 else relabel(atoms)
        for index, atoms in enumerate(shipped[:40])
    ]
    frames.write(tmp_path / "a.extxyz", mixed)
    with pytest.raises(BornflowError, match="in both orders"):
        labelled_sets.read([tmp_path / "a.extxyz"], replace(SETTINGS, bec_order=order))


@pytest.mark.parametrize("noise", [0.005, 0.02, 0.05])
def test_noisy_labels_are_not_taken_for_a_file_in_both_orders(noise, shipped, tmp_path):
    rng = np.random.default_rng(0)

    def noisy(z):
        errors = rng.normal(scale=noise, size=z.shape)
        return z + errors - errors.mean(axis=0)

    frames.write(tmp_path / "a.extxyz", [relabel(atoms, bec=noisy) for atoms in shipped])
    found = labelled_sets.read([tmp_path / "a.extxyz"], SETTINGS)
    assert len(found) == len(shipped)


PLACEHOLDERS = {"energy": lambda e: 0.0, "forces": lambda f: 0 * f, "bec": lambda z: 0 * z}


@pytest.mark.parametrize("key", PLACEHOLDERS)
def test_zeros_in_place_of_labels_are_found(key, few):
    for place in (4, 6):
        few[place] = relabel(few[place], **{key: PLACEHOLDERS[key]})
    assert f"{key} exactly zero" in what(few)
    crystal = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    perfect = frames.with_labels(crystal, {"energy": -27.0, "forces": np.zeros((8, 3))})
    assert "zero" not in what([perfect])


def test_methods_are_mixed_only_on_request(few, shipped):
    other = frames.read("resources/labels/water-xtb.extxyz")[:30]
    mixed = [*few, *other]
    for atoms in other:
        atoms.info["structure"] = "xtb-" + frames.name(atoms)
    with pytest.raises(
        BornflowError, match=r"several methods .*: cp2k revPBE-D3 .* \(30 structures\), tblite GFN2"
    ):
        labelled_sets.check(mixed, SETTINGS)
    energies = np.array([frames.label(atoms, "energy") / len(atoms) for atoms in other])
    labelled_sets.check(mixed, replace(SETTINGS, several_methods="baselines"))
    shifted = np.array([frames.label(atoms, "energy") / len(atoms) for atoms in other])
    assert np.ptp(shifted - energies) < 1e-6 and abs(shifted.mean() - energies.mean()) > 1
    ours = np.mean([frames.label(atoms, "energy") / len(atoms) for atoms in few])
    assert abs(shifted.mean() - ours) < 0.1
    # Other versions, cells and accuracies are the same method: the shipped set has two settings.
    assert len({atoms.info["label_settings"] for atoms in shipped}) == 2
    assert len({method_of(atoms) for atoms in shipped}) == 1


def test_files_of_the_split_are_read_without_change(few, shipped, tmp_path):
    """bornflow's labels and a foreign file, mapped and transposed, are split, written and read again."""
    foreign = [relabel(atoms, bec=lambda z: z.transpose(0, 2, 1)) for atoms in [*few, *shipped[-4:]]]
    for atoms in foreign:
        atoms.info["structure"] = "foreign-" + frames.name(atoms)
        atoms.info |= {"label_program": "cp2k-9.1", "label_settings": "revPBE-D3 DZVP-MOLOPT-SR-GTH"}
    frames.write(tmp_path / "foreign.extxyz", foreign)
    text = (tmp_path / "foreign.extxyz").read_text()
    (tmp_path / "foreign.extxyz").write_text(text.replace(" energy=", " E_own=").replace(":bec:", ":zeff:"))
    frames.write(tmp_path / "own.extxyz", [*shipped[80:100], *shipped[-12:-4]])
    settings = replace(SETTINGS, keys={"energy": "E_own", "bec": "zeff"}, bec_order="force-field")
    train, valid = split([str(tmp_path / "own.extxyz"), str(tmp_path / "foreign.extxyz")], [], settings)
    frames.write(tmp_path / "t.extxyz", train)
    for again in (settings, SETTINGS):
        back = labelled_sets.read([tmp_path / "t.extxyz"], again)
        labelled_sets.check(back, again)
        for before, after in zip(train, back, strict=True):
            assert frames.label(after, "energy") == frames.label(before, "energy")
            np.testing.assert_allclose(frames.label(after, "bec"), frames.label(before, "bec"), atol=1e-8)
    original = {frames.name(atoms): atoms for atoms in shipped}
    for atoms in (*train, *valid):
        truth = original[frames.name(atoms).removeprefix("foreign-")]
        np.testing.assert_allclose(frames.label(atoms, "bec"), frames.label(truth, "bec"), atol=1e-8)


def test_baselines_of_methods_are_shifted_once(few, tmp_path):
    other = frames.read("resources/labels/water-xtb.extxyz")[:40]
    for atoms in other:
        atoms.info["structure"] = "xtb-" + frames.name(atoms)
    settings = replace(SETTINGS, several_methods="baselines")
    labelled_sets.check([*few, *other], settings)
    frames.write(tmp_path / "t.extxyz", [*few, *other[:5]])  # now the other method is more frequent
    back = labelled_sets.read([tmp_path / "t.extxyz"], settings)
    labelled_sets.check(back, settings)
    energies = [frames.label(atoms, "energy") for atoms in (*few, *other[:5])]
    assert [frames.label(atoms, "energy") for atoms in back] == energies
    labelled_sets.check(back, SETTINGS)  # after the shift all energies count as one method


def test_labels_without_a_method_are_not_mixed_with_named_ones(few, caplog):
    unnamed = relabel(few[3], energy=lambda e: e + 0.5)
    del unnamed.info["label_program"]
    with pytest.raises(BornflowError, match=r"several methods .*not named"):
        labelled_sets.check([*few, unnamed], SETTINGS)
    labelled_sets.check([*few, unnamed], replace(SETTINGS, several_methods="same"))
    assert "one structure has two energies" in caplog.text
    unnamed = relabel(unnamed, energy=lambda e: e + 5.0)
    with pytest.raises(BornflowError, match="one structure has two energies"):
        labelled_sets.check([*few, unnamed], replace(SETTINGS, several_methods="same"))


def one(symbols, positions, energy, cell=None, force=0.0):
    atoms = Atoms(symbols, positions, cell=cell, pbc=cell is not None)
    forces = np.zeros((len(atoms), 3))
    forces[0, 0] = force
    return frames.with_labels(atoms, {"energy": energy, "forces": forces})


def test_crystals_molecules_and_bond_curves_are_plausible():
    silicon = bulk("Si", cubic=True)
    sets = {
        "a crystal and a dimer": [
            one(silicon.symbols, silicon.positions, -8 * 5.4, silicon.cell),
            one("Si2", [[0, 0, 0], [0, 0, 2.3]], -3.2),
        ],
        "an oxide and its elements": [
            one(bulk("Hf").symbols, bulk("Hf").positions, -2 * 9.9, bulk("Hf").cell),
            one("O2", [[0, 0, 0], [0, 0, 1.2]], -9.9),
            one("HfO2", [[0, 0, 0], [0, 0, 1.8], [0, 1.8, 0]], -26.0),
        ],
        "nitrogen, pulled apart": [
            one("N2", [[0, 0, 0], [0, 0, d]], e, force=f)
            for d, e, f in (
                (0.8, -10, 153),
                (1.1, -16.6, 0.1),
                (1.3, -15, 12),
                (1.6, -11, 9),
                (2.5, -7.5, 0.9),
            )
        ],
        "a relaxation": [
            one("OH2", [[0, 0, 0], [0.9 + d, 0, 0], [0, 0.96, 0]], -14 + d, force=f)
            for d, f in ((0.0, 13.0), (0.02, 3.0), (0.05, 0.4), (0.06, 0.02), (0.061, 0.001))
        ],
    }
    for name, structures in sets.items():
        assert "eV" not in what(structures), name


def test_a_large_set_is_checked_in_seconds():
    rng = np.random.default_rng(0)
    box = frames.read("resources/structures/box-32.extxyz")[0]
    structures, places = [], box.positions.copy()
    for _ in range(200):  # a trajectory, of frames that resemble each other
        atoms = box.copy()
        atoms.positions = places = places + rng.normal(scale=0.01, size=places.shape)
        structures.append(frames.with_labels(atoms, {"energy": -15000.0, "forces": rng.normal(size=(96, 3))}))
    begun = time.process_time()
    assert not plausibility.check_distances(structures)
    assert not plausibility.check_copies(structures, find_copies(structures))
    assert time.process_time() - begun < 5


def test_methods_without_a_name_are_found_by_their_energies(few):
    other = [relabel(atoms, energy=lambda e, atoms=atoms: e + 5.0 * len(atoms)) for atoms in few[::2]]
    assert "eV/atom from those of similar frames" in what([*few[1::2], *other])


def test_born_effective_charges_of_another_total_charge_are_rejected(few):
    few[2].info["charge"] = 1
    with pytest.raises(BornflowError, match=f"differs from the charge(.|\n)*{frames.name(few[2])}"):
        labelled_sets.check(few, SETTINGS)


def test_ions_and_neutral_structures_of_one_geometry_are_no_copies(few):
    """An ionisation energy is no gap between methods, and the cation is no copy of the neutral structure."""
    bec = [np.asarray(frames.label(atoms, "bec")) for atoms in few]
    cations = []
    for atoms, charges in zip(few, bec, strict=True):
        shifted = charges + np.eye(3) / len(atoms)
        cation = relabel(atoms, energy=lambda e: e + 12.0, bec=lambda z, shifted=shifted: shifted)
        cation.info |= {"structure": f"{frames.name(atoms)}-cation", "charge": 1, "multiplicity": 2}
        cations.append(cation)
    assert not labelled_sets.check([*few, *cations], SETTINGS)


def test_findings_can_be_overruled(few, tmp_path, caplog):
    path = tmp_path / "a.extxyz"
    frames.write(path, [relabel(atoms, energy=lambda e: e / HARTREE) for atoms in few])
    with pytest.raises(BornflowError, match=r"implausible(.|\n)*monomer-0-relaxed.*frame 0, line 2"):
        split([str(path)], [], SETTINGS)
    train, valid = split([str(path)], [], replace(SETTINGS, implausible_labels="warn"))
    assert len(train) + len(valid) == len(few)
    assert "WARNING" in caplog.text and "the labels are implausible" in caplog.text


def test_a_validation_file_is_held_out(few, tmp_path, caplog):
    caplog.set_level("INFO")
    train_file, valid_file = tmp_path / "t.extxyz", tmp_path / "v.extxyz"
    held = [relabel(atoms) for atoms in few[:3]]
    for atoms in held:
        atoms.info["structure"] = "held-" + frames.name(atoms)
        atoms.info.pop("group", None)
        atoms.positions += 1.0
    frames.write(train_file, few)
    frames.write(valid_file, held)
    train, valid = split([str(train_file)], [str(valid_file)], SETTINGS)
    assert [frames.name(atoms) for atoms in valid] == [frames.name(atoms) for atoms in held]
    assert [frames.name(atoms) for atoms in train] == [frames.name(atoms) for atoms in few[3:]]
    assert "it is not trained on" in caplog.text


def written(folder, name, structures, **info) -> str:
    """A file of copies of structures with other names and positions, and with entries of `info`."""
    copies = [relabel(atoms) for atoms in structures]
    for atoms in copies:
        atoms.info["structure"] = f"{name}-{frames.name(atoms)}"
        atoms.info.pop("split", None)
        atoms.info.pop("group", None)
        atoms.info.update(info)
    frames.write(folder / f"{name}.extxyz", copies)
    return str(folder / f"{name}.extxyz")


def test_the_shipped_set_has_a_fixed_validation_subset(shipped):
    train, valid = split([SHIPPED], [], SETTINGS)
    assert len(valid) == 48 and len(train) + len(valid) == len(shipped)
    assert {atoms.info["split"] for atoms in valid} == {"validation"}
    assert not {atoms.info["group"] for atoms in train} & {atoms.info["group"] for atoms in valid}
    assert {frames.kind(atoms) for atoms in valid} == {"bulk", "cluster"}
    other_seed = split([SHIPPED], [], replace(SETTINGS, split_seed=5))[1]
    assert list(map(frames.name, other_seed)) == list(map(frames.name, valid))


def test_files_without_marks_are_split_at_random_beside_marked_ones(shipped, tmp_path):
    marked = written(tmp_path, "marked", shipped[:4], split="train")
    held_out = written(tmp_path, "held", shipped[4:6], split="validation")
    free = written(tmp_path, "free", shipped[10:20])
    train, valid = split([marked, held_out, free], [], SETTINGS)
    names = [frames.name(atoms).split("-")[0] for atoms in valid]
    assert names.count("held") == 2 and names.count("marked") == 0 and 0 < names.count("free") < 5
    assert len(train) + len(valid) == 16


def test_marked_structures_are_trained_on_only_with_a_warning(shipped, tmp_path, caplog):
    marked = written(tmp_path, "marked", shipped[:4], split="validation")
    given = written(tmp_path, "given", shipped[4:6])
    train, valid = split([marked], [given], SETTINGS)
    assert "4 structures marked split=validation are trained on" in caplog.text
    assert len(train) == 4 and {atoms.info["split"] for atoms in train} == {"train"}
    assert len(valid) == 2
    with pytest.raises(BornflowError, match="all are marked split=validation or related to such"):
        split([marked], [], SETTINGS)


def test_the_command_ends_in_one_clear_error(few, tmp_path):
    frames.write(tmp_path / "a.extxyz", [relabel(atoms, forces=lambda f: -f) for atoms in few])
    (tmp_path / "cfg.yaml").write_text(yaml.safe_dump({}))
    command = ["--labels", "a.extxyz", "--config", "cfg.yaml", "--train", "t.extxyz", "--valid", "v.extxyz"]
    result = subprocess.run(
        [sys.executable, "-m", "bornflow.training.split", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "wrong sign" in result.stderr and "training.implausible_labels: warn" in result.stderr
    assert not (tmp_path / "t.extxyz").exists()
