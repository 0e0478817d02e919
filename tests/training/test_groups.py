"""Copies, and the random split: related structures together, every kind and element in training."""

import numpy as np
import pytest
from ase import Atoms
from examples import jiggle, water
from scipy.spatial.transform import Rotation

from bornflow.errors import BornflowError
from bornflow.io import frames
from bornflow.training.copies import copies_across, find_copies
from bornflow.training.groups import fixed_split, random_split, related


def split(structures, fraction, seed, by_group=True):
    relation = related(structures, find_copies(structures), by_group)
    subsets = random_split(structures, relation, fraction, seed)
    return tuple([structures[index] for index in subset] for subset in subsets)


def energy(atoms: Atoms, value: float = 0.0) -> Atoms:
    return frames.with_labels(atoms, {"energy": value})


def moved(atoms: Atoms, seed: int) -> Atoms:
    """The same structure: translated, rotated, mirrored, its atoms in another order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(atoms))
    turn = Rotation.random(random_state=rng).as_matrix() * (-1) ** seed
    copy = Atoms(atoms.numbers[order], atoms.positions[order] @ turn.T + rng.normal(scale=5, size=3))
    copy.info = {"structure": f"copy-{seed}"}
    return copy


def test_the_split_keeps_every_structure_once_and_both_kinds():
    pool = [water(1, seed=s) for s in range(10)] + [water(8, 0.9, seed=s) for s in range(5)]
    train, valid = split(pool, 0.8, seed=0)
    assert len(train) == 12 and len(valid) == 3
    assert {frames.kind(atoms) for atoms in valid} == {"cluster", "bulk"}
    assert {id(a) for a in train + valid} == {id(a) for a in pool}


def test_the_split_holds_out_some_of_every_kind_and_label():
    pool = [energy(water(2, seed=s)) for s in range(8)] + [water(2, seed=s) for s in range(8, 10)]
    pool += [water(8, 0.9, seed=0), water(8, 0.9, seed=1)]
    train, valid = split(pool, 0.95, seed=0)
    for part in (train, valid):
        kinds = {(frames.kind(atoms), frames.label(atoms, "energy") is None) for atoms in part}
        assert kinds == {("cluster", False), ("cluster", True), ("bulk", True)}
    assert split([water(1)], 0.8, seed=0)[1] == [], "one structure is trained on"


def test_copies_are_found_in_any_orientation_and_similar_structures_are_not():
    pool = [water(n, seed=n) for n in (1, 2, 3)]
    pool += [moved(pool[1], 0), moved(pool[2], 1), jiggle(pool[1], 1, width=0.02)]
    box = water(8, 0.9)
    shifted = box.copy()
    shifted.positions += [1.0, 2.0, 3.0]
    shifted.wrap()
    pool += [box, shifted, water(8, 0.9, seed=1)]
    assert sorted(tuple(sorted(pair)) for pair in find_copies(pool)) == [(1, 3), (2, 4), (6, 7)]


def test_copies_are_found_after_rounding_to_three_decimals():
    for atoms in (water(6), water(8, 0.9)):
        rounded = atoms.copy()
        rounded.positions = rounded.positions.round(3)
        rounded.rotate(30, "z", rotate_cell=True)
        rounded.positions = rounded.positions.round(3)
        assert find_copies([atoms, rounded]) == [(0, 1)]


def test_copies_under_two_names_stay_together():
    pool = [water(2, seed=seed) for seed in range(20)]
    pool += [moved(pool[seed], seed) for seed in range(20)]
    for by_group in (True, False):
        train, valid = split(pool, 0.8, seed=1, by_group=by_group)
        assert len(train) == 32 and len(valid) == 8
        assert not copies_across(train, valid)
    assert len(copies_across(pool[:20], pool[20:])) == 20


def test_groups_stay_together_at_about_the_requested_fraction():
    pool = []
    for index in range(60):
        atoms = water(1, seed=index)
        atoms.info["group"] = f"run-{index % 12}"
        pool.append(atoms)
    train, valid = split(pool, 0.8, seed=0)
    groups = [{atoms.info["group"] for atoms in part} for part in (train, valid)]
    assert not groups[0] & groups[1] and len(groups[1]) >= 2
    assert abs(len(train) - 48) <= 5
    by_structure = split(pool, 0.8, seed=0, by_group=False)
    assert {a.info["group"] for a in by_structure[0]} & {a.info["group"] for a in by_structure[1]}


def test_without_groups_and_copies_the_split_is_a_permutation():
    """Each kind is split separately, in the order of the generator's permutation."""
    pool = [water(1, seed=seed) for seed in range(10)]
    order = np.random.default_rng(3).permutation(10)
    train, valid = split(pool, 0.7, seed=3)
    assert [id(a) for a in train + valid] == [id(pool[index]) for index in order]
    assert len(train) == 7


def test_an_element_of_few_structures_is_trained_on():
    for seed in range(10):
        pool = [water(1, seed=s) for s in range(20)] + [Atoms("S", info={"structure": "sulphur"})]
        train, _ = split(pool, 0.6, seed=seed)
        assert any("S" in atoms.symbols for atoms in train)


def marked_files() -> list[Atoms]:
    """Ten structures of one file, two of them marked and one more of their group, and five of another."""
    pool = [water(2, seed=seed) for seed in range(15)]
    for index in (0, 1):
        pool[index].info["split"] = "validation"
    for index in (0, 2):
        pool[index].info["group"] = "run-0"
    for index in (3, 10):
        pool[index].info["group"] = "run-1"
    pool[14] = moved(pool[1], 0)
    return pool


def test_marked_structures_are_the_validation_subset_of_their_file():
    pool = marked_files()
    files = [0] * 10 + [1] * 5
    chosen = fixed_split(pool, files, related(pool, find_copies(pool), by_group=True))
    assert chosen.valid == [0, 1]
    assert chosen.left_out == [2, 14], "one of their group, and a copy in the other file"
    assert chosen.train == [3, 4, 5, 6, 7, 8, 9, 10], "10 has the group of 3"
    assert chosen.free == [11, 12, 13]
    by_structure = fixed_split(pool, files, related(pool, find_copies(pool), by_group=False))
    assert 2 in by_structure.train and by_structure.left_out == [14]


def test_without_marks_nothing_is_prescribed():
    pool = [water(2, seed=seed) for seed in range(4)]
    chosen = fixed_split(pool, [0] * 4, related(pool, [], by_group=True))
    assert chosen.free == [0, 1, 2, 3]
    pool[0].info["split"] = "train"
    chosen = fixed_split(pool, [0] * 4, related(pool, [], by_group=True))
    assert chosen.train == [0, 1, 2, 3], "a file whose marks say that all of it is trained on"


def test_an_unknown_mark_is_rejected():
    pool = [water(2)]
    pool[0].info["split"] = "test"
    with pytest.raises(BornflowError, match="split=test found; write split=train or split=validation"):
        fixed_split(pool, [0], related(pool, [], by_group=True))


def test_a_large_group_does_not_end_the_training_subset():
    """Groups that fit into the requested number follow one that does not."""
    pool = []
    for index in range(40):
        atoms = water(1, seed=index)
        atoms.info["group"] = "large" if index < 30 else f"run-{index}"
        pool.append(atoms)
    for seed in range(5):
        train, valid = split(pool, 0.5, seed=seed)
        assert len(train) == 10 and len(valid) == 30
