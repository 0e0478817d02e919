"""Farthest-point sampling of a pool in the space of structure descriptors.

    python -m bornflow.structures.select --pool pool.extxyz --count 12 --config cfg.yaml --out S.extxyz \\
        --map map.csv --coverage coverage.csv

The first k structures of a longer selection are the selection of k structures, so a set can be extended
without repeating a label. With the count `all`, the structures keep their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float, Int
from sklearn.decomposition import PCA
from skmatter.sample_selection import FPS

from .. import cli, config
from ..errors import BornflowError
from ..io import frames
from ..io.files import atomic_write
from .columns import FARTHEST, PICK, RANDOM
from .descriptors import Vectors, describe
from .settings import SelectionSettings

KnownVectors = Float[np.ndarray, "known features"]

ALL = "all"
RANDOM_CHOICES = 5  # whose mean covering radius is compared with that of farthest-point sampling


@dataclass(frozen=True)
class Selection:
    """Indices of the chosen structures, and the covering radius after each pick.

    The covering radius is the largest distance of a structure of the pool from the nearest chosen one.
    """

    chosen: Int[np.ndarray, " chosen"]
    radii: Float[np.ndarray, " chosen"]


def farthest_points(vectors: Vectors, count: int, known: KnownVectors, duplicates: float) -> Selection:
    """`count` rows of `vectors`, each as far as possible from the earlier ones and from all rows of `known`.

    Without `known` the first row is the first one. A row that is nearer to a chosen or known one than
    `duplicates` times the mean norm of the rows is never chosen. Raises BornflowError if fewer than `count`
    rows are left.
    """
    everything = np.concatenate([known, vectors]).astype(float)
    order, squares = _greedy(everything, len(known), len(known) + count)
    limit = duplicates * float(np.linalg.norm(everything, axis=1).mean())
    is_new = np.sqrt(np.maximum(squares, 0)) > limit  # infinite for the first
    chosen = order[is_new & (order >= len(known))]
    if len(chosen) < count:
        raise BornflowError(
            f"{count} structures are requested, but only {len(chosen)} differ by more than {duplicates:g} of "
            "the descriptor (structures.selection.duplicates) from each other and from those of start_from; "
            "request fewer, or make the pool larger"
        )
    indices = chosen - len(known)
    return Selection(indices, _covering_radii(vectors, indices, known))


def _greedy(vectors: Vectors, known: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` rows in the order of their choice, the first `known` ones first, and squared distances."""
    if count == 1:
        return np.array([0]), np.array([np.inf])
    given = list(range(known)) or [0]
    # The sampler always leaves one row, which is the last one if all are chosen.
    sampler = FPS(n_to_select=min(count, len(vectors) - 1), initialize=given).fit(vectors)
    order, squares = sampler.selected_idx_, sampler.get_select_distance()
    if count == len(vectors):
        (last,) = set(range(count)) - set(order.tolist())
        return np.append(order, last), np.append(squares, sampler.hausdorff_[last])
    return order, squares


def _covering_radii(
    vectors: Vectors, picks: Int[np.ndarray, " picks"], known: KnownVectors
) -> Float[np.ndarray, " picks"]:
    """The covering radius after each of the `picks`."""
    nearest = np.full(len(vectors), np.inf)
    for row in known:
        nearest = np.minimum(nearest, np.linalg.norm(vectors - row, axis=1))
    radii = []
    for pick in picks:
        nearest = np.minimum(nearest, np.linalg.norm(vectors - vectors[pick], axis=1))
        radii.append(float(nearest.max()))
    return np.array(radii)


def select(
    pool: Sequence[Atoms],
    count: int | str,
    settings: SelectionSettings,
    known: Sequence[Atoms] = (),
    threads: int = 1,
) -> tuple[list[Atoms], pd.DataFrame, pd.DataFrame]:
    """`count` structures, a map of the pool, and the covering radius against the number of picks.

    Distances are those of `descriptors.describe`; `known` are structures that are labelled already. The map
    has the first two principal components of every structure and the number of its pick. Raises BornflowError
    for a pool of fewer structures, or for one of periodic and isolated structures unless all are selected.
    """
    if count == ALL:
        return list(pool), pd.DataFrame(), pd.DataFrame()
    number = int(count)
    if number > len(pool):
        raise BornflowError(
            f"{number} structures are requested, but the pool has only {len(pool)} (frames that dissociated "
            "or fell apart are left out); make it larger (structures.pools: starts, temperatures, steps / "
            "interval) or request fewer"
        )
    if len({frames.kind(atoms) for atoms in pool}) > 1:
        raise BornflowError(
            f"{number} of {len(pool)} structures are requested, but some are periodic and some isolated; "
            "give each kind a pool of its own, or select all"
        )
    kind = frames.kind(pool[0])
    relevant = [atoms for atoms in known if frames.kind(atoms) == kind]
    vectors = describe([*pool, *relevant], settings, threads)
    vectors, others = vectors[: len(pool)], vectors[len(pool) :]
    selection = farthest_points(vectors, number, others, settings.duplicates)
    return (
        [pool[index] for index in selection.chosen],
        _map(pool, vectors, selection),
        _coverage(vectors, selection, others),
    )


def _map(pool: Sequence[Atoms], vectors: Vectors, selection: Selection) -> pd.DataFrame:
    components = np.zeros((len(vectors), 2))
    if len(vectors) > 1:
        width = min(2, *vectors.shape)
        components[:, :width] = PCA(width).fit_transform(vectors.astype(float))
    picks = np.full(len(pool), np.nan)
    picks[selection.chosen] = np.arange(1, len(selection.chosen) + 1)
    table = {"structure": [frames.name(atoms) for atoms in pool], PICK: picks}
    return pd.DataFrame(table | {"pc1": components[:, 0], "pc2": components[:, 1]}).astype({PICK: "Int64"})


def _coverage(vectors: Vectors, selection: Selection, known: KnownVectors) -> pd.DataFrame:
    count = len(selection.chosen)
    rng = np.random.default_rng(0)
    choices = [rng.permutation(len(vectors))[:count] for _ in range(RANDOM_CHOICES)]
    radii = np.mean([_covering_radii(vectors, choice, known) for choice in choices], axis=0)
    return pd.DataFrame({PICK: np.arange(1, count + 1), FARTHEST: selection.radii, RANDOM: radii})


def _count_or_all(text: str) -> int | str:
    return ALL if text == ALL else cli.count(text)


@cli.command
def main() -> None:
    """Write the selected structures of a pool, a map of the pool, and covering radii of the selection."""
    args = cli.parse(
        main,
        "config",
        "threads",
        "out",
        pool=cli.option("extxyz file of candidates"),
        count=cli.option("number of structures to select, or `all`", type=_count_or_all),
        map=cli.option("CSV file to write: principal components and picks; empty if all are selected", None),
        coverage=cli.option("CSV file to write: covering radius; empty if all are selected", None),
    )
    settings = SelectionSettings.from_section(config.load(args.config, "structures")["selection"])
    pool = frames.read_all([args.pool], allow_empty=True)
    if not pool:
        raise BornflowError(
            f"{args.pool} is empty: all frames were left out; the reasons are in the tables (csv) of its "
            "starts. Change the molecules, the sampler or the temperatures"
        )
    known = frames.read_all(settings.start_from)
    try:
        chosen, places, coverage = select(pool, args.count, settings, known, args.threads)
    except BornflowError as error:
        raise BornflowError(f"{args.pool}: {error}") from error
    frames.write(args.out, chosen)
    for path, table in ((args.map, places), (args.coverage, coverage)):
        if path:
            with atomic_write(Path(path)) as scratch:
                table.to_csv(scratch, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
