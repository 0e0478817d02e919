"""Figures of models show every value they are given, and reject data without values."""

import numpy as np
import pandas as pd
import pytest
from ase.build import molecule

from bornflow.errors import BornflowError
from bornflow.figures import bec_parity, model_errors, screening
from bornflow.io import frames


def water(name: str, periodic: bool = False, molecules: int = 1):
    atoms = molecule("H2O", vacuum=4, pbc=periodic)
    for number in range(1, molecules):
        other = molecule("H2O")
        other.translate([0, 0, 3.0 * number])
        atoms += other
    atoms.info["structure"] = name
    return atoms


def predicted(name: str, shift: float, **options):
    atoms = water(name, **options)
    bec = np.eye(3) * np.array([-0.6, 0.3, 0.3] * (len(atoms) // 3))[:, None, None]
    new = frames.with_labels(atoms, {"bec": bec + shift})
    new.arrays["screening"] = 1 + shift + 0.1 * np.arange(len(atoms))
    return new


def test_parity_has_a_panel_for_each_kind_and_model():
    labelled = [predicted("a", 0), predicted("b", 0, periodic=True)]
    shifted = [[predicted("a", shift), predicted("b", shift, periodic=True)] for shift in (0.1, 0.2)]
    guesses = {"one": shifted, "two": [labelled]}
    figure = bec_parity.draw(labelled, guesses)
    texts = [axis.texts[0].get_text() for axis in figure.axes]
    assert texts == ["MAE (150 ± 71)·10⁻³ e", "MAE 0·10⁻³ e"] * 2
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["a  one", "b  two", "c", "d"]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_ylim(), "one scale in a row"


def test_parity_without_labels_states_the_reason():
    figure = bec_parity.draw([water("a")], {"one": [[predicted("a", 0)]]})
    assert "no validation structure has" in figure.axes[0].texts[0].get_text()


def test_errors_are_means_over_seeds_with_their_spread():
    table = pd.DataFrame(
        {
            "model": ["one", "one", "two", "two"],
            "seed": [0, 1, 0, 1],
            "structures_of": ["cluster"] * 4,
            "energy_mae [meV/atom]": [1.0, 3.0, 4.0, 4.0],
            "bec_mae [1e-3 e]": [10.0, 20.0, 30.0, 50.0],
        }
    )
    figure = model_errors.draw(table)
    assert len(figure.axes) == 2, "no panel for forces, which were not predicted"
    (clusters,) = figure.axes[0].containers  # no boxes
    np.testing.assert_allclose(clusters[0].get_xdata(), [2, 4])
    np.testing.assert_allclose(np.ptp([s[:, 0] for s in clusters[2][0].get_segments()], axis=1), [8**0.5, 0])
    with pytest.raises(BornflowError, match="contains no"):
        model_errors.draw(table[["model", "seed", "structures_of"]])


def test_screening_is_drawn_by_size_with_the_requested_pictures():
    structures = [
        predicted("single", 0),
        predicted("pair", 0.5, molecules=2),
        predicted("box", 1, periodic=True),
    ]
    figure = screening.draw([structures], ["pair", "not there"])
    axes = [axis for part in figure.subfigs for axis in part.axes]
    assert axes[0].get_title() == "pair"
    panels = {axis.get_title(loc="left"): axis for axis in axes}
    hydrogen = panels["b  H"]
    assert list(hydrogen.get_xticks()) == [1, 2]
    drawn = np.concatenate([line.get_ydata() for line in hydrogen.lines if line.get_marker() == "."])
    np.testing.assert_allclose(sorted(drawn), [1.1, 1.2, 1.6, 1.7, 1.9, 2.0])
    dashed = next(line for line in hydrogen.lines if line.get_linestyle() == "--")
    assert dashed.get_ydata()[0] == pytest.approx(np.mean([2.1, 2.2]))
    with pytest.raises(BornflowError, match="screening"):
        screening.draw([[water("a")]])
