"""Learning curves contain the metrics in the models' folders."""

import json

import numpy as np
import pandas as pd
import yaml

from bornflow.figures import learning_curve
from bornflow.training.learning_curve import learning_curve_table
from bornflow.training.tables import QUANTITIES


def folder(path, model, seed, structures, error):
    path.mkdir()
    (path / "config.yaml").write_text(yaml.safe_dump({"name": model, "seed": seed}))
    row = dict.fromkeys(QUANTITIES, error)
    parts = {"train": {"all": {"structures": structures}}, "valid": {"all": row, "bulk": row}}
    (path / "metrics.json").write_text(json.dumps(parts))
    return path / "metrics.json"


def test_a_table_and_its_figure_contain_every_size_and_seed(tmp_path):
    runs = [(40, 0, 10.0), (10, 0, 20.0), (10, 1, 24.0)]
    paths = [folder(tmp_path / f"{number}", "one", seed, n, e) for number, (n, seed, e) in enumerate(runs)]
    table = learning_curve_table(paths)
    assert len(table) == 6
    assert list(table.query("seed == 0 and structures_of == 'all'")["structures"]) == [10, 40]
    times = pd.DataFrame(
        {"epoch": [1, 2], "seconds": [60.0, 120.0]} | {key: [5.0, 4.0] for key in QUANTITIES}
    )
    worse = times.assign(**{key: [7.0, 6.0] for key in QUANTITIES})
    # Another order than the table's, and a run without recorded errors.
    several = {"another": [times], "unfollowed": [times[:0]], "one": [times, worse]}
    left, right = learning_curve.draw(table, several).axes[:2]
    other, one = (line.get_color() for line in right.get_lines())
    assert left.containers[0][0].get_color() == one != other
    figure = learning_curve.draw(table, {"one": [times, worse]})
    left, right = figure.axes[:2]
    np.testing.assert_allclose(left.containers[0][0].get_ydata().astype(float), [22, 10])
    np.testing.assert_allclose(right.get_lines()[0].get_xdata(), [1, 2])
    np.testing.assert_allclose(right.get_lines()[0].get_ydata(), [6, 5])
    band = right.collections[0].get_datalim(right.transData)
    np.testing.assert_allclose([band.y0, band.y1], [5 - 2**0.5, 6 + 2**0.5])
