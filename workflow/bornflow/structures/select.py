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
from ..electrons import multiplicity, total_charge
from ..errors import BornflowError
from ..io import frames
from ..io.files import atomic_write
from .candidates import read_pool
from .columns import FARTHEST, PICK, RANDOM
from .descriptors import Vectors, describe
from .settings import SelectionSettings

KnownVectors = Float[np.ndarray, "known features"]

ALL = "all"
PIECE = 64  # picks whose distances are in memory at a time
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
    order, distances, rest = _greedy(everything, len(known), len(known) + count)
    limit = duplicates * float(np.linalg.norm(everything, axis=1).mean())
    is_chosen = (distances > limit) & (order >= len(known))  # the distance of the first is infinite
    if is_chosen.sum() < count:
        raise BornflowError(
            f"{count} structures are requested, but only {is_chosen.sum()} differ by more than "
            f"{duplicates:g} of the descriptor (structures.selection.duplicates) from each other and from "
            "those of start_from; request fewer, or make the pool larger"
        )
    # The row that is farthest after a pick is the next pick.
    radii = np.append(distances[1:], rest)
    return Selection(order[is_chosen] - len(known), radii[is_chosen])


def _greedy(vectors: Vectors, known: int, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """`count` rows in the order of their choice, the first `known` ones first.

    Also returns the distance of each from the earlier ones, and the largest distance of a row that is left.
    """
    if count == 1:
        return np.array([0]), np.array([np.inf]), float(np.linalg.norm(vectors - vectors[0], axis=1).max())
    given = list(range(known)) or [0]
    # The sampler always leaves one row, which is the last one if all are chosen.
    sampler = FPS(n_to_select=min(count, len(vectors) - 1), initialize=given).fit(vectors)
    order, squares, left = sampler.selected_idx_, sampler.get_select_distance(), sampler.hausdorff_.max()
    if count == len(vectors):
        (last,) = set(range(count)) - set(order.tolist())
        order, squares, left = np.append(order, last), np.append(squares, sampler.hausdorff_[last]), 0.0
    return order, np.sqrt(np.maximum(squares, 0)), float(np.sqrt(max(left, 0)))


def covering_radii(
    vectors: Vectors, picks: Int[np.ndarray, " picks"], known: KnownVectors
) -> Float[np.ndarray, " picks"]:
    """The covering radius after each of the `picks`, which may be in any order."""
    points = np.concatenate([known, vectors[picks]]).astype(np.float32)
    rows = vectors.astype(np.float32)
    norms, nearest = (rows**2).sum(axis=1), np.full(len(rows), np.inf, np.float32)
    squares = []
    for first in range(0, len(points), PIECE):
        piece = points[first : first + PIECE]
        distances = np.maximum(norms[:, None] + (piece**2).sum(axis=1) - 2 * rows @ piece.T, 0)
        distances[:, 0] = np.minimum(distances[:, 0], nearest)
        np.minimum.accumulate(distances, axis=1, out=distances)
        nearest = distances[:, -1]
        squares.append(distances.max(axis=0))
    return np.sqrt(np.concatenate(squares)[len(known) :].astype(float))


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
    everything = [*pool, *relevant]
    vectors = _with_states(describe(everything, settings, threads), everything)
    vectors, others = vectors[: len(pool)], vectors[len(pool) :]
    selection = farthest_points(vectors, number, others, settings.duplicates)
    return (
        [pool[index] for index in selection.chosen],
        _map(pool, vectors, selection),
        _coverage(vectors, selection, others),
    )


def _with_states(vectors: Vectors, structures: Sequence[Atoms]) -> Float[np.ndarray, "structures columns"]:
    """`vectors` with a column for each total charge and spin, if there are several.

    Structures that differ in these are as far apart as the mean norm of the vectors, never copies.
    """
    states = [(total_charge(atoms), multiplicity(atoms)) for atoms in structures]
    known = sorted(set(states))
    if len(known) == 1:
        return vectors
    columns = np.array([[state == other for other in known] for state in states], vectors.dtype)
    return np.concatenate([vectors, columns * np.linalg.norm(vectors, axis=1).mean() / np.sqrt(2)], axis=1)


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
    radii = np.mean([covering_radii(vectors, choice, known) for choice in choices], axis=0)
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
    pool = read_pool(args.pool)
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
