"""Figure: the local screening γ_i of a coupled model, by cluster size and on pictured structures.

python -m bornflow.figures.screening --predictions P.extxyz --pictures book cage prism --out f.pdf f.png
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import natural_cutoffs, neighbor_list
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from scipy.spatial.transform import Rotation

from .. import cli
from ..connectivity import count_molecules, dangling_hydrogens, hydrogen_bonds
from ..errors import BornflowError
from ..io import frames
from . import drawing

COLORMAP = "viridis"


def draw(seeds: Sequence[Sequence[Atoms]], pictured: Sequence[str] = ()) -> Figure:
    """γ_i by element against the number of molecules, from the structures that each seed predicts.

    The mean of the boxes is dashed, with its standard deviation over seeds. The upper row shows structures
    named in `pictured`, with the γ_i of the first seed in colour. Raises BornflowError for structures without
    a screening.
    """
    screened = [[atoms for atoms in predicted if "screening" in atoms.arrays] for predicted in seeds]
    if not all(screened):
        raise BornflowError(
            "no structure has a screening: only models with charges: local predict one; give the predictions "
            "of such a model"
        )
    by_name = {atoms.info["structure"]: atoms for atoms in screened[0]}
    pictures = [by_name[name] for name in pictured if name in by_name]
    elements = sorted({symbol for atoms in screened[0] for symbol in atoms.get_chemical_symbols()})
    figure = plt.figure(figsize=(6.8, 2.4 + 2.0 * bool(pictures)))
    heights = [1, 1.2] if pictures else [1]
    rows = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
    letters = drawing.letters()
    if pictures:
        _pictures(rows[0, 0], pictures, next(letters))
    panels = rows[-1, 0].subplots(1, len(elements), squeeze=False, sharey=True)[0]
    for number, (axis, symbol) in enumerate(zip(panels, elements, strict=True)):
        _by_size(axis, _collect(screened, symbol), f"C{number}")
        axis.set_title(f"{next(letters)}  {symbol}", loc="left")
    panels[0].set_ylabel(r"local screening $\gamma_i$")
    return figure


@dataclass(frozen=True)
class _Screening:
    """γ_i of one element: for clusters by number of molecules, for the bulk the mean of each seed."""

    values: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    unbound: dict[int, list[bool]] = field(default_factory=lambda: defaultdict(list))  # dangling hydrogens
    bulk: list[float] = field(default_factory=list)


def _collect(seeds: Sequence[Sequence[Atoms]], symbol: str) -> _Screening:
    """γ_i of all atoms of one element."""
    screening = _Screening()
    for structures in seeds:
        periodic: list[float] = []
        for atoms in structures:
            chosen = np.array(atoms.get_chemical_symbols()) == symbol
            values = atoms.arrays["screening"][chosen]
            if frames.kind(atoms) == "bulk":
                periodic.extend(values)
            elif len(values):
                size = count_molecules(atoms)
                screening.values[size].extend(values)
                screening.unbound[size].extend(dangling_hydrogens(atoms)[chosen])
        if periodic:
            screening.bulk.append(float(np.mean(periodic)))
    return screening


def _by_size(axis: Axes, screening: _Screening, color: str) -> None:
    """Distributions by number of molecules, dangling hydrogens dark, and the mean of the boxes."""
    sizes = sorted(screening.values)
    if sizes:
        violins = axis.violinplot(
            [screening.values[size] for size in sizes], sizes, widths=0.85, showextrema=False
        )
        for body in violins["bodies"]:  # type: ignore[attr-defined]
            body.set(facecolor=color, alpha=0.35)
        places = np.concatenate([np.full(len(screening.values[size]), float(size)) for size in sizes])
        places += np.random.default_rng(0).uniform(-0.2, 0.2, len(places))
        heights = np.concatenate([screening.values[size] for size in sizes])
        unbound = np.concatenate([screening.unbound[size] for size in sizes])
        for mask, shade, label in ((~unbound, color, None), (unbound, "0.15", "no hydrogen bond")):
            if mask.any():
                x, y = places[mask], heights[mask]
                axis.plot(x, y, ".", color=shade, label=label, markersize=1.5, rasterized=True)
        axis.set_xticks(sizes)
    if screening.bulk:
        _bulk(axis, screening.bulk)
    if axis.get_legend_handles_labels()[1]:
        # Next to the title, where the legend covers no point.
        axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, markerscale=3)
    axis.set(xlabel="molecules in the cluster")


def _bulk(axis: Axes, means: Sequence[float]) -> None:
    """The mean over seeds, with its standard deviation."""
    mean = float(np.mean(means))
    axis.axhline(mean, color="0.4", linestyle="--", linewidth=0.8, label="mean of the boxes")
    if len(means) > 1 and (spread := float(np.std(means, ddof=1))):
        axis.axhspan(mean - spread, mean + spread, color="0.4", alpha=0.15, linewidth=0)


def _pictures(figure: SubFigure, pictures: Sequence[Atoms], letter: str) -> None:
    """The structures next to each other, with one colour bar."""
    values = np.concatenate([atoms.arrays["screening"] for atoms in pictures])
    colours = ScalarMappable(Normalize(values.min(), values.max()), COLORMAP)
    axes = figure.subplots(1, len(pictures), squeeze=False)[0]
    for axis, atoms in zip(axes, pictures, strict=True):
        _molecules(axis, atoms, colours)
        axis.set_title(drawing.literal(str(atoms.info["structure"])), fontsize=7)
    axes[0].set_title(letter, loc="left")
    figure.colorbar(colours, ax=list(axes), label=r"$\gamma_i$", shrink=0.8)


def _molecules(axis: Axes, atoms: Atoms, colours: ScalarMappable) -> None:
    """Balls and sticks, seen from the direction with the least overlap."""
    x, y, depth = _view(atoms).T
    for first, second in zip(*neighbor_list("ij", atoms, natural_cutoffs(atoms, 1.1)), strict=True):
        axis.plot(x[[first, second]], y[[first, second]], color="0.6", linewidth=1.5, zorder=1)
    oxygens = np.flatnonzero(atoms.numbers == 8)
    for donor, acceptor in hydrogen_bonds(atoms):
        ends = oxygens[[donor, acceptor]]
        axis.plot(x[ends], y[ends], ":", color="0.6", linewidth=0.8, zorder=0)
    order = np.argsort(depth)
    axis.scatter(
        x[order],
        y[order],
        s=280 * covalent_radii[atoms.numbers[order]],
        c=colours.to_rgba(atoms.arrays["screening"][order]),
        edgecolors="0.2",
        linewidths=0.5,
        zorder=2,
        clip_on=False,  # atoms at the edge of the panel are drawn completely
    )
    axis.set_aspect("equal", adjustable="datalim")
    axis.margins(0.12)
    axis.axis("off")


def _view(atoms: Atoms) -> Float[np.ndarray, "atoms 3"]:
    """Positions, rotated so that the balls overlap least when seen along the last axis."""
    centred = atoms.positions - atoms.positions.mean(axis=0)
    reach = 0.5 * np.add.outer(*2 * [covalent_radii[atoms.numbers]])
    pairs = np.triu_indices(len(atoms), 1)
    best, least = centred, np.inf
    for rotation in Rotation.random(500, rng=0):
        rotated = rotation.apply(centred)
        distances = np.linalg.norm(rotated[pairs[0], :2] - rotated[pairs[1], :2], axis=1)
        overlap = np.square(np.maximum(1.3 * reach[pairs] - distances, 0)).sum()
        if overlap < least:
            best, least = rotated, overlap
    # The longer side is horizontal.
    _, _, in_plane = np.linalg.svd(best[:, :2], full_matrices=False)
    return np.column_stack([best[:, :2] @ in_plane.T, best[:, 2]])


@cli.command
def main() -> None:
    """Draw the local screening that a model predicts."""
    args = drawing.parse(
        main,
        predictions=cli.options("extxyz files of predictions, one for each seed"),
        pictures=cli.options("names of structures to picture", []),
    )
    drawing.save(draw([frames.read(path) for path in args.predictions], args.pictures), args.out)


if __name__ == "__main__":
    main()
