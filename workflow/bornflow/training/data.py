"""Labelled frames as batches of padded arrays, prepared once a run.

Structures are sorted by size into a few buckets; each bucket has one padded shape, so that a run
compiles a few programs only. Missing labels carry a weight of zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from ase import Atoms
from jaxtyping import Array, Float, Int

from ..composition import composition
from ..errors import BornflowError
from ..io import frames
from ..models.graph import Graph, Shape
from ..models.model import Model
from ..models.pairs import Pairs, common_shape, pad


class Batch(NamedTuple):
    """Structures of one shape with their labels; `has_*` is 1 where one exists, `counts` in a real row."""

    graph: Graph
    energy: Float[Array, " batch"]  # eV, baseline subtracted
    forces: Float[Array, "batch atoms 3"]  # eV/Å
    bec: Float[Array, "batch atoms 3 3"]  # e
    has_energy: Float[Array, " batch"]
    has_forces: Float[Array, " batch"]
    has_bec: Float[Array, " batch"]
    counts: Float[Array, " batch"]
    index: Int[Array, " batch"]  # of the structure in the list that the batch was made of


@dataclass(frozen=True)
class Bucket:
    """All structures of one shape: their place in the list of frames, one large batch, their labels."""

    indices: np.ndarray
    data: Batch
    batch_size: int
    labels: tuple[str, ...]  # those that any of the structures has


def subset(structures: Sequence[Atoms], count: int) -> list[Atoms]:
    """`count` structures spread evenly over the list, so that each kind and size keeps its share.

    `split` shuffles each kind, so this is a random choice.
    """
    if count > len(structures):
        raise BornflowError(f"{count} structures asked for, {len(structures)} are there to train on")
    return [structures[index] for index in np.linspace(0, len(structures) - 1, count).round().astype(int)]


def padded_sizes(sizes: Sequence[int], most: int) -> np.ndarray:
    """The size that each is padded to, of `most` different ones at most, so that the least is added in all.

    Exact, by dynamic programming over the sizes in ascending order.
    """
    values, counts = np.unique(sizes, return_counts=True)
    weights = np.concatenate([[0], np.cumsum(counts)])
    # best[j]: the smallest sum over the first j values, and the places where a shape ends.
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ()), *[(np.inf, ())] * len(values)]
    for _ in range(min(most, len(values))):
        best = [
            min(
                [best[j]]
                + [
                    (best[i][0] + (weights[j] - weights[i]) * values[j - 1], (*best[i][1], j - 1))
                    for i in range(j)
                ]
            )
            for j in range(len(values) + 1)
        ]
    chosen = values[list(best[-1][1])]
    return chosen[np.searchsorted(chosen, sizes)]


def prepare(
    structures: Sequence[Atoms],
    model: Model,
    energies: np.ndarray,
    batch_atoms: int,
    shapes: int = 3,
    by_labels: bool = False,
) -> list[Bucket]:
    """Buckets of structures padded to one shape each.

    `energies` is the baseline, `batch_atoms` the atoms of a batch, `shapes` the largest number of sizes that
    clusters, and periodic structures, are padded to: each has a program of its own, compiled in seconds. With
    `by_labels` structures that have other labels are in another bucket, so that a step computes no more.
    """
    groups: dict[tuple, list[int]] = {}
    for periodic in (False, True):
        members = [
            index for index, atoms in enumerate(structures) if (frames.kind(atoms) == "bulk") == periodic
        ]
        if members:
            sizes = padded_sizes([len(structures[index]) for index in members], shapes)
            for index, size in zip(members, sizes.tolist(), strict=True):
                composition(structures[index], model.elements)
                held = labels_of(structures[index]) if by_labels else ()
                groups.setdefault((periodic, size, held), []).append(index)
    buckets = []
    for indices in groups.values():
        members = [structures[index] for index in indices]
        shape = _common_shape(members, model)
        stacked = [_one(structures[index], index, model, energies, shape) for index in indices]
        data = jax.tree.map(lambda *leaves: np.stack(leaves), *stacked)
        held = {key for atoms in members for key in labels_of(atoms)}
        labels = tuple(key for key in frames.LABELS if key in held)
        buckets.append(Bucket(np.array(indices), data, max(1, batch_atoms // shape.atoms), labels))
    return buckets


def labels_of(atoms: Atoms) -> tuple[str, ...]:
    """The keys of the labels that a structure has."""
    return tuple(key for key in frames.LABELS if frames.label(atoms, key) is not None)


def padding(buckets: Sequence[Bucket]) -> float:
    """The part of all atoms of an epoch's batches that is padding."""
    held = sum(bucket.data.graph.atom_mask.sum() for bucket in buckets)
    rows = [-(-len(bucket.indices) // bucket.batch_size) * bucket.batch_size for bucket in buckets]
    room = sum(n * bucket.data.graph.atom_mask.shape[1] for n, bucket in zip(rows, buckets, strict=True))
    return 1 - float(held) / room


def _common_shape(structures: Sequence[Atoms], model: Model) -> Shape:
    return common_shape([_pairs(atoms, model).shape for atoms in structures])


def _pairs(atoms: Atoms, model: Model) -> Pairs:
    cell = atoms.cell.array if frames.kind(atoms) == "bulk" else None
    try:
        return model.pairs(atoms.numbers, atoms.positions, cell)
    except BornflowError as error:
        raise BornflowError(f"structure {frames.name(atoms)}: {error}") from error


def _one(atoms: Atoms, index: int, model: Model, energies: np.ndarray, shape: Shape) -> Batch:
    energy, forces, bec = (frames.label(atoms, key) for key in ("energy", "forces", "bec"))
    padded_forces = np.zeros((shape.atoms, 3), np.float32)
    padded_bec = np.zeros((shape.atoms, 3, 3), np.float32)
    if forces is not None:
        padded_forces[: len(atoms)] = forces
    if bec is not None:
        padded_bec[: len(atoms)] = bec
    excess = 0.0 if energy is None else energy - composition(atoms, model.elements) @ energies
    return Batch(
        graph=pad(_pairs(atoms, model), shape),
        energy=np.float32(excess),
        forces=padded_forces,
        bec=padded_bec,
        has_energy=np.float32(energy is not None),
        has_forces=np.float32(forces is not None),
        has_bec=np.float32(bec is not None),
        counts=np.float32(1),
        index=np.int32(index),
    )


def take(bucket: Bucket, rows: np.ndarray) -> Batch:
    """A batch of `bucket.batch_size` structures; missing rows repeat the first with weight zero."""
    missing = bucket.batch_size - len(rows)
    padded = np.concatenate([rows, np.repeat(rows[:1], missing)])
    batch = jax.tree.map(lambda leaf: leaf[padded], bucket.data)
    weight = np.concatenate([np.ones(len(rows)), np.zeros(missing)]).astype(np.float32)
    return batch._replace(
        has_energy=batch.has_energy * weight,
        has_forces=batch.has_forces * weight,
        has_bec=batch.has_bec * weight,
        counts=batch.counts * weight,
    )


def epoch(buckets: Sequence[Bucket], rng: np.random.Generator) -> list[tuple[Batch, tuple[str, ...]]]:
    """One pass over all structures in random batches with the labels that they have, in random order."""
    batches = []
    for bucket in buckets:
        order = rng.permutation(len(bucket.indices))
        for first in range(0, len(order), bucket.batch_size):
            batches.append((take(bucket, order[first : first + bucket.batch_size]), bucket.labels))
    return [batches[index] for index in rng.permutation(len(batches))]
