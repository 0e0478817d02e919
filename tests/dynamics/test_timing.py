"""Steps are timed on the structures asked for, and drawn."""

import pandas as pd
import pytest
from examples import variant

from bornflow.dynamics import timing
from bornflow.errors import BornflowError
from bornflow.figures import drawing
from bornflow.figures.timing import draw


@pytest.mark.parametrize(("atoms", "is_periodic"), [(18, False), (96, True), (1560, True)])
def test_structures_have_the_size_asked_for(atoms, is_periodic):
    structure = timing.water(atoms)
    assert len(structure) == atoms
    assert bool(structure.pbc.all()) == is_periodic


def test_a_size_that_no_box_has_is_refused():
    with pytest.raises(BornflowError, match="1560, 3120 or 6240"):
        timing.water(2000)


def test_a_step_is_timed():
    found = timing.measure(timing.ours(variant(charges="local")), timing.water(6), seconds=0.05)
    assert 0 < found["step [ms]"] < 1e3 * found["first_step [s]"]
    assert found["steps"] >= 3


def test_the_figure_has_a_line_for_each_model(tmp_path):
    rows = [
        {"model": name, "atoms": atoms, "step [ms]": atoms / 9, "device": "cpu"}
        for name in ("physical-local", "lorem-uncoupled", timing.PEER)
        for atoms in (18, 780)
    ]
    drawing.style()
    figure = draw(pd.DataFrame(rows))
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "physical, local" in labels
    assert "lorem-jax, uncoupled" in labels
    drawing.save(figure, [tmp_path / "timing.png"])
    assert (tmp_path / "timing.png").read_bytes().startswith(b"\x89PNG")
