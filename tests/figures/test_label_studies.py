"""Figures of the labels' studies show every row of their table, under the settings that were changed."""

import numpy as np
import pandas as pd
import pytest

from bornflow.figures import label_studies


def table(**columns) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    shared = {
        "operator": ["position"] * rows,
        "cell [Å]": np.linspace(8, 20, rows),
        "force_difference [meV/Å]": np.geomspace(1, 30, rows),
        "bec_difference [e]": np.geomspace(1e-4, 1e-2, rows),
        "bec_H [e]": np.full(rows, 0.3),
        "bec_O [e]": np.full(rows, -0.6),
    }
    return pd.DataFrame({"structure": ["a"] * rows} | columns | shared)


def test_rows_of_the_convergence_figure_name_what_was_changed():
    data = table(
        method=["gapw", "gapw", "gpw", "gapw"],
        cutoff=[300, 400, 800, 300],
    )
    data.loc[3, "structure"] = "b"
    figure = label_studies.convergence(data)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["settings of the labels", "cutoff 400 Ry", "gpw, cutoff 800 Ry"]
    points = [(line.get_label(), list(line.get_ydata())) for line in figure.axes[0].lines[:2]]
    assert points == [("a", [0, -1, -2]), ("b", [0])]


@pytest.mark.parametrize("study", ["field_strength", "field_operator"])
def test_every_row_is_drawn(study):
    data = table(field=[1e-5, 1e-4, 5e-4, 1e-3], vacuum=[5, 9, 5, 9])
    data.loc[2:, "operator"] = "berry"
    figure = label_studies.STUDIES[study](data)
    drawn = {
        value for axis in figure.axes for line in axis.lines for value in np.atleast_1d(line.get_ydata())
    }
    assert set(data["bec_difference [e]"]) <= drawn
