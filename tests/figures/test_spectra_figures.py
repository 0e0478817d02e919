"""Figures of spectra and runs show every value they are given, and reject data without values."""

import numpy as np
import pandas as pd
import pytest

from bornflow.dynamics.chunks import Chunks
from bornflow.errors import BornflowError
from bornflow.figures import conservation, current_terms, response, spectrum, spectrum_linear
from bornflow.spectra import experiment
from bornflow.spectra import susceptibility as spectra

NU = np.arange(20.0, 5000, 20)


def table(bulk: bool, coupled: bool = True):
    chi = experiment.water(NU)
    columns = {spectra.WAVENUMBER_COLUMN: NU, spectra.ERROR_COLUMN: 0.1 * chi}
    columns[spectra.CHI_COLUMN if bulk else spectra.INTENSITY_COLUMN] = chi
    if bulk:
        columns[spectra.COEFFICIENT_COLUMN] = 2 * np.pi * NU * chi
    if coupled:
        columns |= dict(zip(spectra.TERMS, (0.25 * chi, chi, -0.25 * chi), strict=True))
        columns |= dict.fromkeys(spectra.TERM_ERRORS, 0.2 * chi)
    return pd.DataFrame(columns)


def labels(axis):
    return [line.get_label() for line in axis.get_lines() if not line.get_label().startswith("_")]


def test_spectra_have_a_panel_each_and_measured_water_on_request():
    tables = [[table(True)] * 2, [table(False)] * 2]
    figure = spectrum.draw(tables, ["box", "cage"], ["one", "two"], ["water", "none"], 20)
    assert "lines 29 cm⁻¹ wide" in figure.axes[0].get_xlabel()
    assert [labels(axis) for axis in figure.axes] == [["one", "two", "experiment, 25 °C"], ["one", "two"]]
    line = figure.axes[0].get_lines()[0]
    np.testing.assert_allclose(line.get_xdata(), NU[NU <= spectrum.HIGHEST] * 0.0299792458)
    assert "molecule" in figure.axes[1].get_ylabel()


def test_the_number_of_spectra_fits_titles_and_models():
    with pytest.raises(BornflowError, match="1 spectra for 1 titles and 2 models"):
        spectrum.read_panels(["a.csv"], ["box"], ["one", "two"])


def test_a_model_named_twice_has_two_seeds(tmp_path):
    paths = []
    for factor in (1.0, 3.0):
        paths.append(str(tmp_path / f"{factor}.csv"))
        table(True).mul(factor).assign(**{spectra.WAVENUMBER_COLUMN: NU}).to_csv(paths[-1], index=False)
    ((mean, single),) = spectrum.read_panels([*paths, paths[0]], ["box"], ["one", "one", "two"])
    chi = experiment.water(NU)
    np.testing.assert_allclose(mean[spectra.CHI_COLUMN], 2 * chi)
    np.testing.assert_allclose(mean[spectra.ERROR_COLUMN], chi)
    np.testing.assert_allclose(mean["static_part_error"], chi / 4)
    np.testing.assert_allclose(single[spectra.ERROR_COLUMN], 0.1 * chi)


def test_bands_are_named_above_the_motions_of_the_atoms():
    power = pd.DataFrame({spectra.WAVENUMBER_COLUMN: NU, "H [cm]": NU, "O [cm]": 2 * NU})
    bands = [{"bend": [1400, 1800], "a $stretch$": [2800, 3800]}, {}]
    figure = spectrum_linear.draw(
        [[table(True)], [table(False)]], [power] * 2, ["box", "cage"], ["one"], ["water", "none"], bands, 20
    )
    above, below, cluster, _ = figure.axes
    assert not cluster.texts
    for axis in (above, below):
        assert [text.get_text() for text in axis.texts] == ["bend", "a \\$stretch\\$"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == ["one", "experiment, 25 °C"]
    np.testing.assert_allclose(above.get_lines()[0].get_ydata(), 2e-3 * np.pi * NU * experiment.water(NU))
    assert labels(below) == ["H", "O"]


def test_terms_of_the_current_sum_to_the_spectrum():
    figure = current_terms.draw([[table(True)], [table(False)]], ["box", "cage"], ["one"], 20)
    for axis, factor in zip(figure.axes, (2e-3 * np.pi * NU, 1), strict=True):
        *terms, total = [line.get_ydata() for line in axis.get_lines()[1:]]
        np.testing.assert_allclose(sum(terms), total)
        np.testing.assert_allclose(total, factor * experiment.water(NU))


def test_terms_need_a_coupled_model():
    with pytest.raises(BornflowError, match="not a coupled model"):
        current_terms.draw([[table(True, coupled=False)]], ["box"], ["one"], 20)


def test_conserved_energies_have_a_panel_for_each_model_and_kind_of_forces(tmp_path):
    paths = []
    for number, fixed in enumerate((False, False, False, True)):
        chunks = Chunks(tmp_path / f"{number}", "")
        chunks.resume()
        names = ("current", "dipole", "potential_energy", "kinetic_energy", "temperature")
        series = {name: np.zeros(400) for name in (*names, "positions", "velocities")}
        slope = 1e-4 * (1 + number % 2)
        chunks.append(series | {"conserved_energy": np.arange(400) * slope}, {"positions": 0, "momenta": 0})
        paths.append(tmp_path / f"{number}.h5")
        attributes = {"timestep [fs]": 0.5, "precision": "float64", "fixed_charges": fixed}
        attributes["thermostat"] = "nve"
        chunks.join(paths[-1], attributes, {"numbers": np.ones(4)})
    figure = conservation.draw(paths, ["one", "one", "two", "two"], "two waters")
    assert figure.get_suptitle() == "two waters, 0.2 ps"
    assert [len(axis.get_lines()) // 2 for axis in figure.axes] == [2, 1, 0, 1]
    assert "fixed charges, float64" in figure.axes[2].get_ylabel()
    drifts = [[text.get_text() for text in axis.texts] for axis in figure.axes]
    assert drifts[0] == ["drift 7500 ± 2500 meV/atom/100 ps\n2 runs"], "mean of runs, and its error"
    assert drifts[1] == ["drift 5000.00 ± 0.00 meV/atom/100 ps\none run"]


def test_responses_have_a_panel_each():
    columns = [name for pair in response.CURVES for name in pair[:2]] + [response.SPECTRUM[0]]
    data = pd.DataFrame({"time [fs]": np.arange(5.0)} | {name: np.arange(5.0) for name in columns})
    figure = response.draw([data, 2 * data], ["one", "two"])
    assert [labels(axis) for axis in figure.axes] == [
        ["in the field", "from fluctuations", "from χ''(ω)"]
    ] * 2
    said = [text.get_text() for text in figure.axes[0].texts]
    assert said == ["field / fluctuations 1.00 ± 1.41 (2 fs)\nfield / fluctuations 1.00 ± 1.41 (4 fs)"]
