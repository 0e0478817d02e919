"""Timings of steps on structures of the requested size, and their figure."""

import os
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from examples import search_path, variant

from bornflow.benchmarks import dynamics
from bornflow.benchmarks.harness import REFERENCE, measure_all
from bornflow.benchmarks.peers import PEERS, WITH_BEC, _nep_file
from bornflow.errors import BornflowError
from bornflow.figures import drawing
from bornflow.figures.timing import draw


@pytest.mark.parametrize(
    ("atoms", "is_periodic"), [(18, False), (96, True), pytest.param(1560, True, marks=pytest.mark.slow)]
)
def test_structures_have_the_requested_size(atoms, is_periodic):
    structure = dynamics.water(atoms)
    assert len(structure) == atoms
    assert bool(structure.pbc.all()) == is_periodic


def test_an_impossible_size_is_rejected():
    with pytest.raises(BornflowError, match="1560, 3120 or 6240"):
        dynamics.water(2000)


def test_a_step_is_timed():
    calculator = dynamics.bornflow_calculator(variant(charges="local"))
    times = dynamics.measure(calculator, dynamics.water(6), WITH_BEC, seconds=0.05)
    assert 0 < times["step [ms]"] < 1e3 * times["first_step [s]"]
    assert times["steps"] >= 3


@pytest.mark.parametrize("name", PEERS)
def test_a_step_of_a_peer_is_timed(name):
    peer = PEERS[name]
    if not peer.is_installed:
        pytest.skip(f"{peer.package} is not installed; {peer.installed_by} installs it")
    times = dynamics.measure(peer.build(), dynamics.water(18), peer.properties, seconds=0.05)
    assert times["step [ms]"] > 0


def test_the_file_of_a_neuroevolution_potential_has_all_weights():
    """Descriptors are 9 radial and 9 · 5 angular functions; each element has 30 neurons."""
    for charges, outputs in ((False, 1), (True, 2)):
        lines = _nep_file(charges).splitlines()
        network = 2 * (54 * 30 + 30 + outputs * 30) + outputs
        assert len(lines) == 6 + network + 4 * 2 * 81 + 54


def test_a_peer_that_is_not_installed_is_named(tmp_path):
    absent = [name for name, peer in PEERS.items() if not peer.is_installed]
    if not absent:
        pytest.skip("all peers are installed")
    call = [sys.executable, "-m", "bornflow.benchmarks.dynamics", "--peers", absent[0], "--out", "t.csv"]
    result = subprocess.run(call, cwd=tmp_path, capture_output=True, encoding="utf-8")
    expected = f"error: --peers: {absent[0]} is not installed; `{PEERS[absent[0]].installed_by}` installs it"
    assert result.returncode == 1 and expected in result.stderr


def test_the_figure_has_a_line_for_each_model(tmp_path):
    rows = [
        {"model": name, "backbone": backbone, "charges": charges, "atoms": atoms, "step [ms]": atoms / 9}
        | {"device": device}
        for device in ("cpu", "NVIDIA H100 80GB HBM3")
        for name, backbone, charges in (
            ("mine", "physical", "local"),
            ("lorem-uncoupled", "lorem", "uncoupled"),
            (REFERENCE, REFERENCE, "uncoupled"),
            ("nep", "nep", "none"),
        )
        for atoms in (18, 780)
    ]
    drawing.style()
    figure = draw(pd.DataFrame(rows))
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "mine" in labels
    assert labels.count("lorem-jax, uncoupled") == 1
    assert labels[-2:] == ["on CPU", "on H100"]
    assert "nep, no Born effective charges" in labels
    marks = {line.get_label(): line.get_marker() for line in figure.axes[0].lines}
    assert marks["nep, no Born effective charges"] != marks["lorem-jax, uncoupled"]
    drawing.save(figure, [tmp_path / "dynamics.png"])
    assert (tmp_path / "dynamics.png").read_bytes().startswith(b"\x89PNG")


def test_models_are_timed_in_two_rounds(tmp_path):
    small = variant(charges="local")
    (tmp_path / "cfg.yaml").write_text(yaml.safe_dump({"models": {"small": small}}))
    table = measure_all(
        "bornflow.benchmarks.dynamics", "atoms", [("small", 18)], str(tmp_path / "cfg.yaml"), 0.05
    )
    (row,) = table[table["model"] == "small"].to_dict("records")
    assert row["charges"] == "local"
    first, second = row["first_step [s]"], row["first_step_cached [s]"]
    assert first > 0 < second != first


def test_every_prediction_has_the_requested_precision():
    """Also if double precision is on for others; in a new process without compiled functions."""
    script = (
        "import numpy as np; from examples import variant, water; from bornflow.benchmarks import dynamics\n"
        "for backbone in ('physical', 'lorem'):\n"
        "    calculator = dynamics.bornflow_calculator(variant(backbone=backbone, charges='local'))\n"
        "    atoms = water(8, 0.9)\n"
        "    calculator.calculate(atoms)\n"
        "    out = calculator._evaluate[False](calculator.neighbours.graph(atoms))\n"
        "    print({str(values.dtype) for values in out if values is not None})\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"JAX_ENABLE_X64": "1", "PYTHONPATH": search_path()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["{'float32'}"] * 2
