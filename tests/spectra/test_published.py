"""Bands beside published spectra: known bands are found, bins averaged exactly, other files rejected."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from examples import ROOT

from bornflow.errors import BornflowError
from bornflow.figures import published_spectra
from bornflow.spectra.published import averaged, band_moments, compare, read
from bornflow.spectra.susceptibility import (
    CHI_COLUMN,
    ERROR_COLUMN,
    INTENSITY_COLUMN,
    WAVENUMBER_COLUMN,
)
from bornflow.units import TERAHERTZ, WAVENUMBER

PUBLISHED = ROOT.parent / "shared/published/spectra"
BANDS = {"bend": (1400, 1800), "stretch": (2800, 3800)}


def bands_at(nu, shift, width=40.0):
    centres = (1640 + shift, 3300 + shift)
    return sum(np.exp(-((nu - centre) ** 2) / (2 * width**2)) for centre in centres)


def write(path, nu, chi, name="susc_imag"):
    np.savez(path, nu=nu * TERAHERTZ / WAVENUMBER, **{name: chi})
    return path


def ours(shift=0.0, column=CHI_COLUMN):
    nu = np.arange(20.0, 5000, 20)
    values = bands_at(nu, shift) * (1 if column == CHI_COLUMN else nu)
    return pd.DataFrame({WAVENUMBER_COLUMN: nu, column: values, ERROR_COLUMN: 0 * nu})


@pytest.mark.parametrize(
    ("name", "column"), [("susc_imag", CHI_COLUMN), ("mean_susc_imag", INTENSITY_COLUMN)]
)
def test_a_shift_of_all_bands_is_found(tmp_path, name, column):
    nu = np.arange(0.0, 6000, 26.7)
    table = compare(ours(12, column), read(write(tmp_path / "a.npz", nu, bands_at(nu, 0), name)), BANDS)
    np.testing.assert_allclose(table["difference of positions [1/cm]"], 12, atol=0.5)
    np.testing.assert_allclose(table["width [1/cm]"], 40, rtol=0.05)
    np.testing.assert_allclose(table["share"], table["published share"], rtol=0.02)


def test_logarithmic_bins_move_no_band(tmp_path):
    centres = np.geomspace(1, 6500, 160)  # at the bend 95 cm⁻¹ wide
    edges = np.concatenate([[0.5], (centres[1:] + centres[:-1]) / 2, [6700]])
    fine = np.linspace(0, 6700, 200_000)
    chi = [bands_at(fine[(fine >= a) & (fine < b)], 0).mean() for a, b in pairwise(edges)]
    table = compare(ours(), read(write(tmp_path / "a.npz", centres, np.array(chi))), BANDS)
    np.testing.assert_allclose(table["difference of positions [1/cm]"], 0, atol=1.5)
    np.testing.assert_allclose(table["width [1/cm]"], table["published width [1/cm]"], rtol=0.02)


def test_averages_over_bins_are_exact_for_straight_lines():
    nu = np.array([0.0, 10, 30, 70, 100])
    spectrum = pd.DataFrame({WAVENUMBER_COLUMN: nu, CHI_COLUMN: 3 + 2 * nu})
    bins = pd.DataFrame({WAVENUMBER_COLUMN: [5.0, 17, 41, 62, 99, 140], CHI_COLUMN: 1.0})
    found = averaged(spectrum, bins)
    assert list(found[WAVENUMBER_COLUMN]) == [17, 41, 62]  # the next bin reaches beyond 100
    middles = [(11 + 29) / 2, (29 + 51.5) / 2, (51.5 + 80.5) / 2]
    np.testing.assert_allclose(found[CHI_COLUMN], 3 + 2 * np.array(middles), rtol=1e-12)


def test_other_files_and_bands_without_frequencies_are_rejected(tmp_path):
    nu = np.arange(0.0, 6000, 26.7)
    good = read(write(tmp_path / "good.npz", nu, bands_at(nu, 0)))
    with pytest.raises(BornflowError, match="has no arrays nu and susc_imag or mean_susc_imag"):
        read(write(tmp_path / "other.npz", nu, nu, "something"))
    with pytest.raises(BornflowError, match="do not increase"):
        read(write(tmp_path / "back.npz", nu[::-1], nu))
    with pytest.raises(BornflowError, match="finite numbers"):
        read(write(tmp_path / "nan.npz", nu, np.nan * nu))
    (tmp_path / "text.npz").write_text("nu chi")
    with pytest.raises(BornflowError, match="no file of numpy's arrays"):
        read(tmp_path / "text.npz")
    with pytest.raises(BornflowError, match="beside a published one"):
        averaged(ours(column=INTENSITY_COLUMN), good)
    with pytest.raises(BornflowError, match="band narrow: 0 frequencies between 1603 and 1604"):
        band_moments(good, {"narrow": (1603, 1604)})


def test_a_band_that_the_published_bins_do_not_resolve_is_left_out_with_a_warning(tmp_path, caplog):
    centres = np.geomspace(100, 6500, 200)
    published = read(write(tmp_path / "a.npz", centres, bands_at(centres, 0)))
    table = compare(ours(), published, {"narrow": (100, 102), **BANDS})
    assert list(table["band"]) == list(BANDS)
    assert table["share"].sum() == pytest.approx(1) == table["published share"].sum()
    assert "band narrow is left out: 0 bins" in caplog.text
    with pytest.raises(BornflowError, match="no band has 3 bins"):
        compare(ours(), published, {"narrow": (100, 102)})


def test_the_figure_has_a_panel_for_each_system_and_model(tmp_path):
    nu = np.arange(0.0, 6000, 26.7)
    theirs = read(write(tmp_path / "a.npz", nu, 7 * bands_at(nu, 0)))
    figure = published_spectra.draw(
        [[ours(), ours(5)]] * 2, [[theirs, theirs]] * 2, ["a", "b"], ["m", "n"], 20
    )
    assert len(figure.axes) == 4
    for axis in figure.axes:
        mine, published = (line.get_ydata() for line in axis.get_lines())
        assert mine.max() == pytest.approx(1, abs=0.02)
        assert published.max() == pytest.approx(1, abs=0.1)  # whatever its unit


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published spectra are not beside the project")
@pytest.mark.parametrize("system", ["bulk", "book", "cage"])
def test_published_files_are_read(system):
    table = read(PUBLISHED / f"spectrum_lorem_uncoupled_{system}.npz")
    (bend,) = band_moments(table, {"bend": (1400, 1800)})["position [1/cm]"]
    assert 1600 < bend < 1700
