"""Figures depend on their style file alone."""

import matplotlib.pyplot as plt

from bornflow.figures import drawing


def test_settings_of_the_user_do_not_reach_figures():
    plt.rcdefaults()
    standard = dict(plt.rcParams)
    plt.rcParams.update({"axes.facecolor": "black", "font.size": 30})  # as from a matplotlibrc
    drawing.style()
    assert plt.rcParams["axes.facecolor"] == standard["axes.facecolor"]
    assert plt.rcParams["font.size"] == 8
