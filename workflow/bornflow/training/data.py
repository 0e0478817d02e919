"""Labelled structures as batches of padded arrays, made once per run.

Structures are sorted by size into a few buckets of one padded shape each (`inference.batches`). Missing
labels have a weight of zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase import Atoms
from jaxtyping import Array, Float, Int

from ..composition import composition
from ..errors import BornflowError
from ..inference import batches
from ..io import frames
from ..models.graph import Graph
from ..models.model import Model


class Batch(NamedTuple):
    """Structures of one shape with their labels.

    `has_*` is 1 where a label exists, otherwise 0. All four weights are 0 in rows that only fill up a batch.
    """

    graph: Graph
    energy: Float[Array | np.ndarray, " batch"]  # eV, baseline subtracted
    forces: Float[Array | np.ndarray, "batch atoms 3"]  # eV/Å
    bec: Float[Array | np.ndarray, "batch atoms 3 3"]  # e
    has_energy: Float[Array | np.ndarray, " batch"]
    has_forces: Float[Array | np.ndarray, " batch"]
    has_bec: Float[Array | np.ndarray, " batch"]
    is_structure: Float[Array | np.ndarray, " batch"]  # 0 in rows that fill up a batch
    structures: Int[Array | np.ndarray, " batch"]  # indices into the list of structures


@dataclass(frozen=True)
class Bucket:
    """All structures of one shape: their indices in the list of structures, and all of them as one batch."""

    indices: Int[np.ndarray, " structures"]
    data: Batch
    batch_size: int
    labels: tuple[str, ...]  # keys of the labels that any of the structures has


def spread_evenly(structures: Sequence[Atoms], count: int) -> list[Atoms]:
    """`count` structures spread evenly over the list, so that each kind and size keeps its share.

    Raises BornflowError for too few structures.
    """
    if count > len(structures):
        raise BornflowError(
            f"--limit is {count}, but there are only {len(structures)} training structures; lower it"
        )
    return [structures[index] for index in np.linspace(0, len(structures) - 1, count).round().astype(int)]


def make_buckets(
    structures: Sequence[Atoms],
    model: Model,
    baseline: Float[np.ndarray, " elements"],
    batch_atoms: int,
    shapes: int = 3,
    by_labels: bool = False,
) -> list[Bucket]:
    """Buckets of structures padded to one shape each.

    `baseline` are energies [eV] of the elements, `batch_atoms` is the number of atoms in a batch. Clusters
    are padded to at most `shapes` sizes, and so are periodic structures: for each size a separate program is
    compiled in seconds. With `by_labels` structures with different labels are in different buckets, so that a
    step computes only labelled quantities. Raises BornflowError as `batches.stack_graphs` does.
    """
    groups: dict[tuple, list[int]] = {}
    for shape, members in batches.group_by_size(structures, shapes).items():
        for index in members:
            labels = present_labels(structures[index]) if by_labels else ()
            groups.setdefault((*shape, labels), []).append(index)
    return [_bucket(structures, indices, model, baseline, batch_atoms) for indices in groups.values()]


def _bucket(
    structures: Sequence[Atoms],
    indices: Sequence[int],
    model: Model,
    baseline: Float[np.ndarray, " elements"],
    batch_atoms: int,
) -> Bucket:
    graphs = batches.stack_graphs(structures, indices, model, batch_atoms)
    members = [structures[index] for index in indices]
    data = _with_labels(members, graphs.stacked, np.array(indices, np.int32), model, baseline)
    found = {key for atoms in members for key in present_labels(atoms)}
    labels = tuple(key for key in frames.LABELS if key in found)
    return Bucket(graphs.indices, data, graphs.batch_size, labels)


def _with_labels(
    members: Sequence[Atoms],
    graph: Graph,
    indices: Int[np.ndarray, " batch"],
    model: Model,
    baseline: Float[np.ndarray, " elements"],
) -> Batch:
    """Structures, their stacked `graph` and their labels as one batch."""
    rows, atoms_padded = graph.atom_mask.shape
    energies = np.zeros(rows, np.float32)
    forces = np.zeros((rows, atoms_padded, 3), np.float32)
    bec = np.zeros((rows, atoms_padded, 3, 3), np.float32)
    has = {key: np.zeros(rows, np.float32) for key in frames.LABELS}
    for row, atoms in enumerate(members):
        labels = {key: frames.label(atoms, key) for key in frames.LABELS}
        for key, value in labels.items():
            has[key][row] = value is not None
        if labels["energy"] is not None:
            energies[row] = labels["energy"] - composition(atoms, model.elements) @ baseline
        if labels["forces"] is not None:
            forces[row, : len(atoms)] = labels["forces"]
        if labels["bec"] is not None:
            bec[row, : len(atoms)] = labels["bec"]
    return Batch(
        graph=graph,
        energy=energies,
        forces=forces,
        bec=bec,
        has_energy=has["energy"],
        has_forces=has["forces"],
        has_bec=has["bec"],
        is_structure=np.ones(rows, np.float32),
        structures=indices,
    )


def present_labels(atoms: Atoms) -> tuple[str, ...]:
    """The keys of the labels that a structure has."""
    return tuple(key for key in frames.LABELS if frames.label(atoms, key) is not None)


def padding_fraction(buckets: Sequence[Bucket]) -> float:
    """The fraction of all atoms in an epoch's batches that is padding."""
    atoms = sum(bucket.data.graph.atom_mask.sum() for bucket in buckets)
    rows = [-(-len(bucket.indices) // bucket.batch_size) * bucket.batch_size for bucket in buckets]
    places = sum(n * bucket.data.graph.atom_mask.shape[1] for n, bucket in zip(rows, buckets, strict=True))
    return 1 - float(atoms) / places


def make_batch(bucket: Bucket, rows: Int[np.ndarray, " rows"]) -> Batch:
    """Rows of a bucket as a batch of `bucket.batch_size`, filled up with the first row at zero weight."""
    batch = batches.take_rows(bucket.data, rows, bucket.batch_size)
    weight = (np.arange(bucket.batch_size) < len(rows)).astype(np.float32)
    return batch._replace(
        has_energy=batch.has_energy * weight,
        has_forces=batch.has_forces * weight,
        has_bec=batch.has_bec * weight,
        is_structure=batch.is_structure * weight,
    )


def shuffled_batches(
    buckets: Sequence[Bucket], rng: np.random.Generator
) -> list[tuple[Batch, tuple[str, ...]]]:
    """One epoch: all structures in random batches, with the keys of their labels, in random order."""
    epoch = []
    for bucket in buckets:
        order = rng.permutation(len(bucket.indices))
        for first in range(0, len(order), bucket.batch_size):
            epoch.append((make_batch(bucket, order[first : first + bucket.batch_size]), bucket.labels))
    return [epoch[index] for index in rng.permutation(len(epoch))]


def steps_per_epoch(buckets: Sequence[Bucket]) -> int:
    """The number of batches in an epoch."""
    return sum(-(-len(bucket.indices) // bucket.batch_size) for bucket in buckets)
