"""Figure: the local screening γ_i of a coupled model, by size of the cluster and on the hexamers.

python -m bornflow.figures.screening --predictions P.extxyz --pictures book cage prism --out f.pdf f.png
"""

import argparse
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import natural_cutoffs, neighbor_list
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from scipy.spatial.transform import Rotation

from ..cli import command
from ..connectivity import count_molecules, dangling_hydrogens, hydrogen_bonds
from ..errors import BornflowError
from ..io import frames
from . import drawing

COLORMAP = "viridis"


def draw(seeds: Sequence[Sequence[Atoms]], pictured: Sequence[str] = ()) -> Figure:
    """γ_i of the structures predicted from each seed by element and number of molecules, the bulk's mean
    dashed, with its standard deviation over seeds.

    Above, the structures named in `pictured`, each atom in the colour of its γ_i, of the first seed.
    """
    screened = [[atoms for atoms in predicted if "screening" in atoms.arrays] for predicted in seeds]
    if not all(screened):
        raise BornflowError("no structure carries a screening: only models with charges: local predict one")
    named = {atoms.info["structure"]: atoms for atoms in screened[0]}
    pictures = [named[name] for name in pictured if name in named]
    elements = sorted({symbol for atoms in screened[0] for symbol in atoms.get_chemical_symbols()})
    figure = plt.figure(figsize=(6.8, 2.4 + 2.0 * bool(pictures)))
    heights = [1, 1.2] if pictures else [1]
    rows = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
    if pictures:
        _pictures(rows[0, 0], pictures)
    letters = drawing.letters()
    if pictures:
        next(letters)  # theirs
    panels = rows[-1, 0].subplots(1, len(elements), squeeze=False, sharey=True)[0]
    for number, (axis, symbol) in enumerate(zip(panels, elements, strict=True)):
        _by_size(axis, screened, symbol, f"C{number}")
        axis.set_title(f"{next(letters)}  {symbol}", loc="left")
    panels[0].set_ylabel(r"local screening $\gamma_i$")
    return figure


def _by_size(axis: Axes, seeds: Sequence[Sequence[Atoms]], symbol: str, color: str) -> None:
    """Distributions of γ_i of one element over the number of molecules, dangling hydrogens darker."""
    values: dict[int, list[float]] = {}
    free: dict[int, list[bool]] = {}
    bulk: list[float] = []  # a mean for each seed
    for structures in seeds:
        periodic: list[float] = []
        for atoms in structures:
            chosen = np.array(atoms.get_chemical_symbols()) == symbol
            if frames.kind(atoms) == "bulk":
                periodic.extend(atoms.arrays["screening"][chosen])
            else:
                values.setdefault(count_molecules(atoms), []).extend(atoms.arrays["screening"][chosen])
                free.setdefault(count_molecules(atoms), []).extend(dangling_hydrogens(atoms)[chosen])
        bulk += [float(np.mean(periodic))] if periodic else []
    sizes = sorted(size for size, found in values.items() if found)
    if sizes:
        parts = axis.violinplot([values[size] for size in sizes], sizes, widths=0.85, showextrema=False)
        for body in parts["bodies"]:
            body.set(facecolor=color, alpha=0.35)
        places = np.concatenate([np.full(len(values[size]), float(size)) for size in sizes])
        places += np.random.default_rng(0).uniform(-0.2, 0.2, len(places))
        heights, unbound = (np.concatenate([held[size] for size in sizes]) for held in (values, free))
        style = {"markersize": 1.5, "rasterized": True}
        axis.plot(places[~unbound], heights[~unbound], ".", color=color, **style)
        if unbound.any():
            axis.plot(places[unbound], heights[unbound], ".", color="0.15", label="no hydrogen bond", **style)
        axis.set_xticks(sizes)
    if bulk:
        mean, spread = np.mean(bulk), np.std(bulk, ddof=1) if len(bulk) > 1 else 0
        axis.axhline(mean, color="0.4", linestyle="--", linewidth=0.8, label="mean of the bulk")
        if spread:
            axis.axhspan(mean - spread, mean + spread, color="0.4", alpha=0.15, linewidth=0)
    if bulk or any(map(any, free.values())):
        # Beside the title, where nothing is hidden.
        axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, markerscale=3)
    axis.set(xlabel="molecules in the cluster")


def _pictures(figure: SubFigure, pictures: Sequence[Atoms]) -> None:
    values = np.concatenate([atoms.arrays["screening"] for atoms in pictures])
    colours = ScalarMappable(Normalize(values.min(), values.max()), COLORMAP)
    axes = figure.subplots(1, len(pictures), squeeze=False)[0]
    for axis, atoms in zip(axes, pictures, strict=True):
        _molecules(axis, atoms, colours)
        axis.set_title(drawing.literal(str(atoms.info["structure"])), fontsize=7)
    axes[0].set_title("a", loc="left")
    figure.colorbar(colours, ax=list(axes), label=r"$\gamma_i$", shrink=0.8)


def _molecules(axis: Axes, atoms: Atoms, colours: ScalarMappable) -> None:
    """Balls and sticks, from where the fewest atoms hide others."""
    x, y, depth = _view(atoms).T
    bonds = zip(*neighbor_list("ij", atoms, natural_cutoffs(atoms, 1.1)), strict=True)
    for first, second in bonds:
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
        clip_on=False,  # an atom at the edge of its panel is drawn whole
    )
    axis.set_aspect("equal", adjustable="datalim")
    axis.margins(0.12)
    axis.axis("off")


def _view(atoms: Atoms) -> np.ndarray:
    """Positions [N, 3] turned so that, seen along the last axis, balls cover one another least."""
    centred = atoms.positions - atoms.positions.mean(axis=0)
    reach = 0.5 * np.add.outer(*2 * [covalent_radii[atoms.numbers]])
    pairs = np.triu_indices(len(atoms), 1)
    best, least = centred, np.inf
    for turn in Rotation.random(500, rng=0):
        turned = turn.apply(centred)
        apart = np.linalg.norm(turned[pairs[0], :2] - turned[pairs[1], :2], axis=1)
        covered = np.square(np.maximum(1.3 * reach[pairs] - apart, 0)).sum()
        if covered < least:
            best, least = turned, covered
    # The longer side lies flat.
    _, _, flat = np.linalg.svd(best[:, :2], full_matrices=False)
    return np.column_stack([best[:, :2] @ flat.T, best[:, 2]])


@command
def main() -> None:
    """Draw the screening that a model predicts."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--predictions", required=True, nargs="+", help="one file a seed")
    parser.add_argument("--pictures", nargs="*", default=[], help="names of structures to draw")
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True, type=drawing.picture)
    args = parser.parse_args()
    drawing.style(args.style)
    drawing.save(draw([frames.read(path) for path in args.predictions], args.pictures), args.out)


if __name__ == "__main__":
    main()
