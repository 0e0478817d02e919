"""Packing, sampling, frames that are left out, candidates from files, and farthest-point sampling."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import CalculationFailed, Calculator
from ase.calculators.lj import LennardJones
from examples import ROOT, graph_of, ion, noisy_parameters, variant, water

from bornflow.config.load import complete
from bornflow.errors import BornflowError
from bornflow.inference import checkpoint
from bornflow.inference.checkpoint import Checkpoint
from bornflow.io import frames, rejections
from bornflow.models.model import Model
from bornflow.structures import runs, samplers
from bornflow.structures.candidates import read_candidates
from bornflow.structures.descriptors import describe
from bornflow.structures.molecules import MoleculeSettings, build, charge_and_multiplicity, compose
from bornflow.structures.packing import box_edge, pack, pack_water
from bornflow.structures.sample import packed_start, split_intact
from bornflow.structures.screen import bonded_pairs, evaporated, reason_to_leave_out
from bornflow.structures.select import covering_radii, farthest_points, select
from bornflow.structures.settings import PoolSettings, SelectionSettings

SOAP = SelectionSettings.from_section(complete({})["structures"]["selection"])
NOTHING = np.zeros((0, 2), np.float32)
SMILES = {"sodium": {"smiles": "[Na+]"}, "chloroform": {"smiles": "ClC(Cl)Cl"}}
MOLECULES = {
    "water": MoleculeSettings(ase="H2O"),
    "methanol": MoleculeSettings(smiles="CO"),
    "sodium": MoleculeSettings(smiles="[Na+]"),
    "chloride": MoleculeSettings(smiles="[Cl-]"),
    "oxygen": MoleculeSettings(ase="O2"),
}


def pool(**settings) -> PoolSettings:
    short = {"starts": 1, "steps": 60, "interval": 10} | settings
    given = {"structures": {"pools": {"p": short}}, "molecules": SMILES}
    return PoolSettings(**complete(given)["structures"]["pools"]["p"])


def test_a_box_of_water_has_the_requested_density():
    assert box_edge(32 * 18.015, 0.997) == pytest.approx(9.866, abs=2e-3)  # the size in the literature
    box = pack_water(32, np.random.default_rng(0), 0.997)
    assert box.cell.lengths() == pytest.approx([9.866] * 3, abs=2e-3)


@pytest.mark.parametrize("density", [None, 0.9])
def test_packing_leaves_no_overlap_and_keeps_molecules(density):
    parts = compose({"methanol": 3, "water": 4, "sodium": 1}, MOLECULES)
    atoms = pack(parts, seed=1, density=density)
    assert str(atoms.symbols) == "COH4COH4COH4OH2OH2OH2OH2Na"
    owner = np.repeat(np.arange(8), [6, 6, 6, 3, 3, 3, 3, 1])
    distances = atoms.get_all_distances(mic=density is not None)
    assert distances[owner[:, None] != owner].min() > 1.95
    methanol = parts[0][0].get_all_distances()
    np.testing.assert_allclose(atoms[6:12].get_all_distances(), methanol, atol=1e-4)
    again = pack(parts, seed=1, density=density)
    np.testing.assert_array_equal(atoms.positions, again.positions)
    assert np.abs(pack(parts, seed=2, density=density).positions - atoms.positions).max() > 0.1


def test_a_too_dense_box_is_rejected():
    with pytest.raises(BornflowError, match=r"no room for 2 H2O at 6.0 g/cm³; lower the density"):
        pack_water(2, np.random.default_rng(0), 6.0)


def test_molecules_come_from_smiles_names_and_files(tmp_path):
    methanol = build("methanol", MOLECULES["methanol"])
    assert methanol.get_chemical_formula() == "CH4O"
    assert 1.35 < methanol.get_distance(0, 1) < 1.5  # C–O
    assert build("na", MOLECULES["sodium"]).info["charge"] == 1
    assert build("o2", MOLECULES["oxygen"]).info["multiplicity"] == 3
    assert build("o", MoleculeSettings(ase="O", charge=-2)).info == {
        "charge": -2,
        "multiplicity": 1,
        "structure": "o",
    }
    assert build("mn", MoleculeSettings(smiles="[Mn+2]", multiplicity=6)).info["multiplicity"] == 6
    assert build("ne", MoleculeSettings(ase="Ne")).info["multiplicity"] == 1
    assert build("c", MoleculeSettings(ase="C")).info["multiplicity"] == 3
    frames.write(tmp_path / "own.extxyz", [ion("Na")])
    own = build("own", MoleculeSettings(file=str(tmp_path / "own.extxyz")))
    assert own.info["charge"] == 1 and len(own) == 13
    oxygen = molecule("O2")
    frames.write(tmp_path / "o2.extxyz", [oxygen])
    with pytest.raises(BornflowError, match="the spin of O2"):
        build("o2", MoleculeSettings(file=str(tmp_path / "o2.extxyz")))
    oxygen.info["multiplicity"] = 3
    frames.write(tmp_path / "o2.extxyz", [oxygen])
    assert build("o2", MoleculeSettings(file=str(tmp_path / "o2.extxyz"))).info["multiplicity"] == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (MoleculeSettings(smiles="C(("), r"molecules.m: smiles: 'C\(\('"),
        (MoleculeSettings(ase="water"), "molecules.m: ase: 'water'"),
        (MoleculeSettings(smiles="[Na+]", charge=0, multiplicity=1), "molecules.m: .*do not fit its 11 elec"),
        (MoleculeSettings(smiles="O=O"), "molecules.m: the spin of O2 .*give multiplicity"),
        (MoleculeSettings(smiles="[Fe+2]"), "molecules.m: the spin of Fe"),
        (MoleculeSettings(ase="Fe"), "molecules.m: the spin of Fe"),
        (MoleculeSettings(smiles="[C]"), "molecules.m: the spin of C"),
        (MoleculeSettings(smiles="S=S"), "molecules.m: the spin of S2"),
        (MoleculeSettings(smiles="[Na+].[Cl-]"), "molecules.m: .*which are 2 molecules"),
        (MoleculeSettings(smiles="*C"), "molecules.m: .*without element"),
        (MoleculeSettings(file="none.extxyz"), "none.extxyz"),
    ],
)
def test_wrong_molecules_are_named(settings, message):
    with pytest.raises((BornflowError, FileNotFoundError), match=message):
        build("m", settings)


def test_atoms_of_a_molecule_must_not_overlap(tmp_path):
    small = molecule("H2O")
    small.positions /= 2
    frames.write(tmp_path / "small.extxyz", [small])
    with pytest.raises(BornflowError, match=r"molecules\.m: atoms are closer than half a bond"):
        build("m", MoleculeSettings(file=str(tmp_path / "small.extxyz")))


def test_isotopes_keep_their_masses():
    heavy = {"heavy": MoleculeSettings(smiles="[2H]O[2H]"), "water": MoleculeSettings(ase="H2O")}
    given = {name: {"smiles": "O"} for name in heavy}
    full = {"structures": {"pools": {"p": {"contains": {"heavy": 1, "water": 1}}}}, "molecules": given}
    settings = PoolSettings(**complete(full)["structures"]["pools"]["p"])
    atoms, bonds = packed_start("p", settings, heavy, 0, seed=0)
    (frame,), _ = split_intact([("relaxed", atoms.positions)], atoms, bonds, "p-0", settings, 5.0)
    np.testing.assert_allclose(
        sorted(frame.get_masses()), [1.008, 1.008, 2.014, 2.014, 15.995, 15.999], atol=0.01
    )


def test_charges_and_unpaired_electrons_add_up():
    parts = compose({"sodium": 3, "chloride": 1, "water": 2}, MOLECULES)
    assert charge_and_multiplicity(parts) == {"charge": 2}
    assert charge_and_multiplicity(compose({"oxygen": 2}, MOLECULES)) == {"multiplicity": 5}
    with pytest.raises(BornflowError, match="ethanol is not one of molecules"):
        compose({"ethanol": 1}, MOLECULES)


def test_packings_have_a_group_and_their_charge():
    atoms, bonds = packed_start("p", pool(contains={"water": 4, "sodium": 1}), MOLECULES, start=3, seed=0)
    assert bonds == {(1 + 3 * n, 1 + 3 * n + k) for n in range(4) for k in (1, 2)}
    assert atoms.info["group"] == "cluster-sodium-1-water-4-3"
    assert atoms.info["charge"] == 1 and atoms.info["n_molecules"] == 5
    same, _ = packed_start("q", pool(contains={"sodium": 1, "water": 4}), MOLECULES, start=3, seed=0)
    np.testing.assert_array_equal(atoms.positions, same.positions)


def sampled(settings: PoolSettings, start: Atoms, folder) -> list:
    state = runs.state_file(folder / "0.extxyz")
    result = runs.sample_start(start, settings, [0, 0], "p-0", state)
    state.unlink()
    return result


def test_a_killed_start_resumes_with_the_same_frames(tmp_path, monkeypatch):
    settings, start = pool(contains={"water": 2}, temperatures=[300, 500], steps=200), water(2)
    whole, stopped = sampled(settings, start, tmp_path)
    assert not stopped
    assert [origin for origin, _ in whole][:3] == ["relaxed", "300K-0", "300K-1"]
    assert len(whole) == 1 + 2 * 20

    stored = runs._store

    def kill(path, identity, state):
        stored(path, identity, state)
        if (state.run, state.step) == (1, 100):
            raise KeyboardInterrupt

    monkeypatch.setattr(runs, "_store", kill)
    with pytest.raises(KeyboardInterrupt):
        sampled(settings, start, tmp_path)
    monkeypatch.setattr(runs, "_store", stored)
    resumed, _ = sampled(settings, start, tmp_path)
    for (origin, positions), (other, others) in zip(whole, resumed, strict=True):
        assert origin == other
        np.testing.assert_array_equal(positions, others)


def test_a_state_of_other_settings_or_a_broken_one_is_not_used(tmp_path, monkeypatch):
    settings, start = pool(contains={"water": 2}, temperatures=[300], steps=20), water(2)
    whole, _ = sampled(settings, start, tmp_path)
    (tmp_path / ".0.state.npz").write_bytes(b"broken")
    again, _ = sampled(settings, start, tmp_path)
    np.testing.assert_array_equal(whole[-1][1], again[-1][1])


def test_a_sampler_that_fails_ends_its_run_only(tmp_path, monkeypatch):
    settings, start = pool(contains={"water": 2}, temperatures=[300, 600]), water(2)
    make = samplers.create

    def failing(sampler, atoms):
        calculator = make(sampler, atoms)
        calculate = calculator.calculate

        def fail_at_300_K(atoms=None, *words):
            if 0 < getattr(fail_at_300_K, "count", 0) < 10_000 and atoms.get_kinetic_energy() > 0:
                fail_at_300_K.count = 10_000
                raise CalculationFailed("no convergence")
            fail_at_300_K.count = getattr(fail_at_300_K, "count", 0) + 1
            return calculate(atoms, *words)

        calculator.calculate = fail_at_300_K
        return calculator

    monkeypatch.setattr(samplers, "create", failing)
    candidates, stopped = sampled(settings, start, tmp_path)
    assert [name for name, _ in stopped] == ["p-0-300K"]
    assert "stopped: GFN2-xTB failed in step" in stopped[0][1] and "no convergence" in stopped[0][1]
    assert [origin for origin, _ in candidates] == ["relaxed", *(f"600K-{n}" for n in range(6))]


def test_frames_that_dissociated_or_fell_apart_are_left_out():
    start = water(3)
    broken, bonded, apart = (start.positions.copy() for _ in range(3))
    broken[1] += 3 * (broken[1] - broken[0])  # an O–H bond of four times its length
    bonded[3:6] += bonded[0] - bonded[3] + [1.4, 0, 0]  # two oxygen atoms at 1.4 Å
    apart[6:] += 30
    frames_of_run = [("good", start.positions), ("a", broken), ("b", bonded), ("c", apart)]
    settings = pool(contains={"water": 3})
    bonds = bonded_pairs(start)
    kept, left_out = split_intact(frames_of_run, start, bonds, "p-0", settings, 6.0)
    assert [frames.name(atoms) for atoms in kept] == ["p-0-good"]
    reasons = dict(left_out)
    assert reasons["p-0-a"].startswith("dissociated: atoms 0 (O) and 1 (H) are no longer bonded")
    assert "bonded, unlike in the start" in reasons["p-0-b"]
    assert reasons["p-0-c"].startswith("evaporated: a fragment is more than 6 Å")
    everything, nothing = split_intact(
        frames_of_run, start, bonds, "p-0", pool(contains={"water": 3}, reactive="keep"), 6.0
    )
    assert len(everything) == 4 and not nothing


def test_contacts_of_a_packing_are_not_bonds():
    """Molecules of heavy atoms touch in a packing; the bonds are those of the molecules."""
    described = {"chloroform": MoleculeSettings(smiles="ClC(Cl)Cl")}
    settings = pool(contains={"chloroform": 12}, density=1.4)
    for start in range(3):
        atoms, bonds = packed_start("p", settings, described, start, seed=0)
        assert len(bonds) == 12 * 4
        assert all(one // 5 == other // 5 for one, other in bonds)
        assert len(atoms) == 60


def test_a_single_atom_has_no_runs(tmp_path):
    atom = Atoms("Na", [[0.0, 0.0, 0.0]], info={"structure": "na", "charge": 1})
    candidates, stopped = sampled(pool(contains={"sodium": 1}), atom, tmp_path)
    assert [origin for origin, _ in candidates] == ["relaxed"] and not stopped


def test_a_run_whose_atoms_fly_apart_keeps_its_first_frames(tmp_path, monkeypatch):
    """Forces that are finite, but so large that an atom leaves the range of single precision."""

    class Late(Calculator):
        implemented_properties = ("energy", "forces")
        calls = 0

        def calculate(self, atoms=None, properties=(), system_changes=()):
            self.calls += 1
            forces = np.zeros((len(atoms), 3)) if self.calls < 25 else np.full((len(atoms), 3), 1e6)
            self.results = {"energy": 0.0, "forces": forces * np.arange(len(atoms))[:, None]}

    monkeypatch.setattr(samplers, "create", lambda *_: Late())
    settings = pool(contains={"water": 1}, temperatures=[300], steps=60, interval=5, relaxation_steps=2)
    candidates, stopped = runs.sample_start(water(1), settings, [0, 0], "p-0", tmp_path / "s.npz")
    assert len(candidates) > 2
    ((name, reason),) = stopped
    assert name == "p-0-300K" and "largest possible" in reason


def test_elements_without_parameters_are_named():
    with pytest.raises(BornflowError, match="gfn2 has no parameters for Cf"):
        samplers.create("gfn2", Atoms("Cf"))


def test_a_sampler_that_gives_no_numbers_is_stopped(tmp_path, monkeypatch):
    class Broken(LennardJones):
        def calculate(self, *words):
            super().calculate(*words)
            if self.atoms.get_kinetic_energy() > 0:
                self.results["forces"] = self.results["forces"] * np.nan

    monkeypatch.setattr(samplers, "create", lambda sampler, atoms: Broken(sigma=1.0, epsilon=1e-4))
    candidates, stopped = sampled(pool(contains={"water": 2}), water(4, 0.9), tmp_path)
    assert [origin for origin, _ in candidates] == ["relaxed"]
    assert [name for name, _ in stopped] == ["p-0-300K", "p-0-600K"]
    assert "not finite" in stopped[0][1]


def test_a_state_of_another_model_is_not_used(tmp_path):
    model = Model(variant(), ("H", "O"))
    for seed in (0, 1):
        trained = Checkpoint(model, model.initialise(graph_of(model, water(2)), seed), np.zeros(2))
        checkpoint.save(tmp_path / str(seed), trained, "m", {}, seed)
    identities = [samplers.identity({"model": str(tmp_path / name)}) for name in "01"]
    assert identities[0] != identities[1]
    assert samplers.identity("gfn2") == samplers.identity("gfn1") != samplers.identity("pet-mad")


def test_ions_have_no_bonds_that_could_break():
    atoms = ion("Na")
    bonds = bonded_pairs(atoms)
    assert len(bonds) == 8
    atoms.positions[1:4] *= 1.4  # a water moves away from the ion
    assert reason_to_leave_out(atoms, bonds, 6.0) is None


@pytest.mark.parametrize("name", ["gfn2", "gfn1"])
def test_tight_binding_is_that_of_the_charge(name):
    atoms = ion("Na")
    atoms.calc = samplers.create(name, atoms)
    assert atoms.get_charges().sum() == pytest.approx(1, abs=1e-6)
    assert samplers.describe(name) in ("GFN2-xTB", "GFN1-xTB")


def test_any_ase_calculator_is_a_sampler():
    lennard_jones = {"ase": "ase.calculators.lj.LennardJones", "arguments": {"sigma": 3.4}}
    assert samplers.create(lennard_jones, molecule("H2O")).parameters.sigma == 3.4
    assert samplers.describe(lennard_jones) == "ase.calculators.lj.LennardJones"


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        ({"ase": "no.such.module"}, "no.such.module cannot be imported"),
        ({"ase": "ase.calculators.lj.Nothing"}, "cannot be imported"),
        ({"ase": "ase.build.molecule", "arguments": {"name": "none"}}, "failed: .*correct its arguments"),
        ({"ase": "ase.build.molecule", "arguments": {"name": "H2O"}}, "Atoms, which is no ASE calculator"),
        ({"model": "nowhere"}, "nowhere"),
        ("pet-mad", "pip install upet|weights"),
    ],
)
def test_wrong_samplers_are_named(sampler, message):
    with pytest.raises((BornflowError, FileNotFoundError), match=message):
        samplers.create(sampler, molecule("H2O"))


def test_distant_ions_converge_in_a_second_attempt():
    """tblite's usual mixing does not converge for this pair, more damping does; a reset forgets it."""
    parts = compose({"sodium": 1, "chloride": 1, "water": 4}, MOLECULES)
    atoms = pack(parts, 1)
    atoms.positions[1] += 6 * (atoms.positions[1] - atoms.positions[0]) / atoms.get_distance(0, 1)
    atoms.calc = samplers.create("gfn2", atoms)
    usual = atoms.calc.parameters["mixer_damping"]
    energy = atoms.get_potential_energy()
    assert atoms.calc.parameters["mixer_damping"] < usual
    atoms.calc.reset()
    assert atoms.calc.parameters["mixer_damping"] == usual
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-4)


def test_a_pool_of_files_keeps_names_and_drops_labels(tmp_path):
    labelled = [frames.with_labels(water(2, seed=seed), {"energy": -1.0}) for seed in range(3)]
    frames.write(tmp_path / "own.extxyz", labelled)
    read = read_candidates([str(tmp_path / "own.extxyz")], relax=False)
    assert [atoms.info["structure"] for atoms in read] == [a.info["structure"] for a in labelled]
    assert all(frames.label(atoms, "energy") is None for atoms in read)
    np.testing.assert_allclose(read[1].positions, labelled[1].positions, atol=1e-7)


def test_structures_of_files_are_extended(tmp_path):
    own = ion("Na")
    frames.write(tmp_path / "own.extxyz", [water(2), own])
    section = {"files": [str(tmp_path / "own.extxyz")], "extend": True, "steps": 20, "interval": 10}
    config = {"structures": {"pools": {"mine": section | {"temperatures": [200]}}}}
    (tmp_path / "cfg.yaml").write_text(yaml.safe_dump(config))
    words = ["--structure", "mine", "--start", "1", "--config", tmp_path / "cfg.yaml"]
    words += ["--out", tmp_path / "1.extxyz", "--left-out", tmp_path / "1.csv"]
    call = [sys.executable, "-m", "bornflow.structures.sample", *map(str, words)]
    subprocess.run(call, check=True, cwd=ROOT, capture_output=True)
    found = frames.read(tmp_path / "1.extxyz")
    assert [frames.name(atoms) for atoms in found] == ["mine-1-relaxed", "mine-1-200K-0", "mine-1-200K-1"]
    assert all(atoms.info["charge"] == 1 and atoms.info["group"] == "Na-4" for atoms in found)
    assert rejections.read(tmp_path / "1.csv") == []


def test_a_pool_of_boxes_and_clusters_is_rejected():
    with pytest.raises(BornflowError, match="a pool of its own"):
        select([water(4), water(4, 0.9)], 1, SOAP)
    assert len(select([water(4), water(4, 0.9)], "all", SOAP)[0]) == 2


def test_a_longer_selection_begins_with_the_shorter_one():
    candidates = [water(2, seed=seed) for seed in range(20)]
    names = [[atoms.info["structure"] for atoms in select(candidates, n, SOAP)[0]] for n in (3, 8)]
    assert names[1][:3] == names[0]
    assert len(set(names[1])) == 8


def test_the_outlier_is_selected():
    candidates = [water(1, seed=0) for _ in range(10)]
    for index, atoms in enumerate(candidates):
        atoms.info["structure"] = f"w{index}"
        atoms.positions[1] *= 1 + 1e-4 * index
    candidates[6].positions[1] = 2 * candidates[6].positions[0] - candidates[6].positions[2] + [0.3, 0, 0]
    assert select(candidates, 2, SOAP)[0][1].info["structure"] == "w6"


def test_the_covering_radius_falls_faster_than_by_random_choice():
    candidates = [water(2, seed=seed) for seed in range(40)]
    chosen, places, coverage = select(candidates, 10, SOAP)
    assert list(coverage["pick"]) == list(range(1, 11))
    assert (np.diff(coverage["farthest-point"]) <= 0).all()
    assert coverage["farthest-point"].iloc[-1] < coverage["random"].iloc[-1]
    by_pick = places.dropna().sort_values("pick")["structure"]
    assert list(by_pick) == [frames.name(atoms) for atoms in chosen]
    assert len(places) == 40 and np.ptp(places["pc1"]) >= np.ptp(places["pc2"]) > 0


def test_covering_radii_are_the_largest_distances_to_the_nearest_pick():
    rng = np.random.default_rng(0)
    rows, known = rng.normal(size=(300, 5)), rng.normal(size=(3, 5))
    selection = farthest_points(rows, 150, known, 1e-4)
    for picks in (selection.chosen, rng.permutation(300)[:150]):
        points = np.concatenate([known, rows[picks]])
        distances = np.linalg.norm(rows[:, None] - points, axis=-1)
        expected = [distances[:, :count].min(axis=1).max() for count in range(4, 154)]
        np.testing.assert_allclose(covering_radii(rows, picks, known), expected, rtol=1e-4)
    np.testing.assert_allclose(covering_radii(rows, selection.chosen, known), selection.radii, rtol=1e-4)


def test_points_are_far_from_known_ones_and_copies_are_never_chosen():
    line = np.array([[x, 0.0] for x in (0, 1, 2, 3, 10, 10, 10)], np.float32)
    assert list(farthest_points(line, 3, NOTHING, 1e-4).chosen) == [0, 4, 3]
    known = np.array([[10.0, 0.0]], np.float32)
    selection = farthest_points(line, 2, known, 1e-4)
    assert list(selection.chosen) == [0, 3]
    np.testing.assert_allclose(selection.radii, [3, 1])
    with pytest.raises(BornflowError, match="6 structures are requested, but only 5 differ"):
        farthest_points(line, 6, NOTHING, 1e-4)
    assert sorted(farthest_points(line[:5], 5, NOTHING, 1e-4).chosen) == [0, 1, 2, 3, 4]
    assert list(farthest_points(line[:1], 1, NOTHING, 1e-4).chosen) == [0]
    assert sorted(farthest_points(line[:3], 3, known, 1e-4).chosen) == [0, 1, 2]


def test_structures_that_differ_in_charge_are_no_copies():
    atoms = water(2)
    structures = [atoms.copy() for _ in range(3)]
    for charge, copy in zip((0, 1, -1), structures, strict=True):
        copy.info = {"structure": f"q{charge}", "charge": charge, "multiplicity": 1 + abs(charge)}
    chosen, _, _ = select(structures, 3, SOAP)
    assert {frames.name(atoms) for atoms in chosen} == {"q0", "q1", "q-1"}


def test_a_known_set_is_not_selected_again(tmp_path):
    candidates = [water(2, seed=seed) for seed in range(8)]
    chosen, _, _ = select(candidates, 4, SOAP, known=[*candidates[:4], water(4, 0.9)])
    assert {frames.name(atoms) for atoms in chosen} == {f"water-2-{seed}" for seed in range(4, 8)}


def test_features_of_a_model_are_descriptors(tmp_path):
    model = Model(variant(), ("H", "O"))
    trained = Checkpoint(model, noisy_parameters(model), np.zeros(2))
    checkpoint.save(tmp_path / "m", trained, "m", {}, 0)
    by_model = replace(SOAP, descriptor={"model": str(tmp_path / "m")})
    atoms = water(3)
    turned = atoms.copy()
    turned.rotate(40, (1, 2, 3))
    vectors = describe([atoms, turned, water(3, seed=1), water(4, 0.9)], by_model)
    assert vectors.shape == (4, model.variant.features)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-4)
    assert np.abs(vectors[0] - vectors[2]).max() > 1e-3
    with pytest.raises(BornflowError, match="contains Na, which the model in"):
        describe([ion("Na")], by_model)


def test_too_few_candidates_are_named():
    with pytest.raises(BornflowError, match="2 structures are requested, but the pool has only 1"):
        select([water(2)], 2, SOAP)


def test_clusters_of_files_that_fell_apart_are_found():
    atoms = water(2)
    assert evaporated(atoms, 20.0) is None
    atoms.positions[3:] += 30
    assert "more than 20 Å" in evaporated(atoms, 20.0)
    assert evaporated(water(4, 0.1), 1.0) is None, "a periodic box"
