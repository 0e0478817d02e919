"""Damaged or truncated tables, documents and runs, or other formats: every command gives one line."""

import importlib
import json
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from examples import ROOT

from bornflow.dynamics.chunks import Chunks
from bornflow.figures import drawing
from bornflow.spectra import susceptibility
from bornflow.spectra.settings import SpectraSettings
from bornflow.spectra.susceptibility import CHI_COLUMN, ERROR_COLUMN, INTENSITY_COLUMN, WAVENUMBER_COLUMN

NU = np.arange(20.0, 4500, 20)


def call(module, *arguments):
    """Run a command in this process; return its error message, or None if it succeeds."""
    main = importlib.import_module(f"bornflow.{module}").main
    before, sys.argv = sys.argv, [module, *map(str, arguments)]
    try:
        main()
    except SystemExit as end:
        return str(end.code)
    finally:
        sys.argv = before
    return None


def rejected(module, *arguments):
    said = call(module, *arguments)
    assert said is not None, "no message"
    assert said.startswith("error: ") and "\n" not in said, said
    return said


def spectrum(path, column=CHI_COLUMN, nu=NU):
    values = 0.1 + 1 / (1 + (nu - 1640) ** 2 / 1e4)
    table = pd.DataFrame({WAVENUMBER_COLUMN: nu, column: values, ERROR_COLUMN: 0.1 * values})
    table.to_csv(path, index=False, float_format="%.6g")
    return path


def run(path):
    """A short run of a cluster of two atoms."""
    rng = np.random.default_rng(0)
    steps = 400
    series = {name: rng.normal(size=(steps, 3)) for name in ("current", "dipole")}
    series |= {name: rng.uniform(1, 2, steps) for name in ("potential_energy", "kinetic_energy")}
    series |= {name: rng.uniform(1, 2, steps) for name in ("conserved_energy", "temperature")}
    series |= {name: rng.normal(size=(steps // 10, 2, 3)) for name in ("positions", "velocities")}
    chunks = Chunks(path.with_suffix(".parts"), "")
    chunks.resume()
    chunks.append(series, {"positions": np.zeros((2, 3)), "momenta": np.zeros((2, 3))})
    attributes = {
        "structure": "s",
        "kind": "cluster",
        "timestep [fs]": 0.5,
        "temperature [K]": 300.0,
        "frame_interval [steps]": 10,
        "velocity_interval [steps]": 10,
        "electric_field [V/Å]": [0.0, 0.0, 0.0],
        "volume [Å³]": float("nan"),
        "thermostat": "nve",
        "precision": "float64",
        "fixed_charges": False,
        "n_molecules": 1,
        "seed": [0, 1],
    }
    atoms = {"numbers": np.array([8, 1]), "cell": np.zeros((3, 3)), "masses": np.array([16.0, 1.0])}
    chunks.join(path, attributes, atoms)
    return path


DAMAGES = {
    "empty": lambda data: b"",
    "binary": lambda data: bytes(range(256)) * 4,
    "text": lambda data: b"what is this?\n",
    "cut": lambda data: data[: len(data) * 2 // 3].rstrip(b"\n"),
    "latin1": lambda data: data.replace(b"a", b"\xe4"),
    "nul": lambda data: data[:20] + b"\0" + data[20:],
}


def tables(folder):
    """Each command with the (complete) file that it reads first, and its other arguments."""
    errors = "model,seed,structures_of,structures,energy_mae [meV/atom]\nm,0,all,3,1.5\n"
    (folder / "errors.csv").write_text(errors)
    (folder / "rejected.csv").write_text("structure,reason\na,it failed\n")
    (folder / "m-0.json").write_text(json.dumps({"all": {"structures": 3, "bec_mae [1e-3 e]": 2.5}}))
    (folder / "response.csv").write_text(
        "time [fs],dipole_in_field [e Å],standard_error [e Å],predicted [e Å],predicted_error [e Å],"
        "from_spectrum [e Å]\n0,0,0,0,0,0\n1,1,0.1,1,0.1,1\n2,2,0.1,2,0.1,2\n"
    )
    (folder / "learning_curve.csv").write_text(
        "model,seed,structures,structures_of,forces_mae [meV/Å]\nm,0,10,all,50\nm,0,20,all,40\n"
    )
    (folder / "validation.csv").write_text("epoch,seconds,forces_mae [meV/Å]\n1,60,50\n2,120,40\n")
    out, png = ["--out", folder / "out.csv"], ["--out", folder / "out.png"]
    one = spectrum(folder / "chi.csv")
    drawn = ["--titles", "a", "--models", "m", "--resolution", 20, *png]
    published = ROOT / "resources/published/errors.csv"
    shipped = ROOT / "resources/labels/water-xtb.extxyz"
    return {
        "deviations": ("spectra.deviations", "--spectra", one, "--models", "m", *out),
        "spectrum": ("figures.spectrum", "--spectra", one, *drawn, "--experiments", "water"),
        "errors": ("figures.model_errors", "--errors", folder / "errors.csv", *png),
        "compare": (
            "training.comparison", "--errors", folder / "errors.csv", "--published", published,
            "--data", shipped, *out,
        ),
        "rejections": ("io.rejections", "--tables", folder / "rejected.csv", *out),
        "tabulate": ("training.metrics_table", "--metrics", folder / "m-0.json", *out),
        "response": ("figures.response", "--responses", folder / "response.csv", "--names", "a", *png),
        "learning_curve": (
            "figures.learning_curve", "--sizes", folder / "learning_curve.csv", "--times",
            folder / "validation.csv", "--models", "m", *png,
        ),
        "timing": ("figures.timing", "--timing", copy(folder, "timing.csv"), *png),
        "convergence": (
            "figures.label_studies", "--table", copy(folder, "labels/studies/convergence.csv"),
            "--study", "convergence", *png,
        ),
    }  # fmt: skip


def copy(folder, name):
    path = folder / name.rpartition("/")[2]
    path.write_bytes((ROOT / "resources" / name).read_bytes())
    return path


COMMANDS = (
    "deviations", "spectrum", "errors", "compare", "rejections", "tabulate", "response", "learning_curve",
    "timing", "convergence",
)  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_complete_files_are_read_and_damaged_ones_are_not(name, tmp_path):
    command = tables(tmp_path)[name]
    assert call(*command) is None
    out = command[command.index("--out") + 1]
    path = command[2]
    whole = path.read_bytes()
    out.unlink()
    for spoil in DAMAGES.values():
        path.write_bytes(spoil(whole))
        assert path.name in rejected(*command)
        assert not out.exists()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("0.1", "nan", f"line 2: '{CHI_COLUMN}' is|unknown at"),
        (WAVENUMBER_COLUMN, "wavenumber [1/m]", "but 'wavenumber"),
        (CHI_COLUMN, "chi", "is no spectrum"),
        ("\n40,", "\n10,", "does not increase from 20 to 10"),
        ("\n40,", "\n-40,", "above 0 is expected"),
        ("\n40,", "\nforty,", "'forty'"),
    ],
)  # fmt: skip
def test_an_odd_spectrum_is_rejected(old, new, reason, tmp_path):
    path = spectrum(tmp_path / "chi.csv")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    said = rejected("spectra.deviations", "--spectra", path, "--models", "m", "--out", tmp_path / "o.csv")
    assert any(words in said for words in reason.split("|")), said


def test_spectra_of_one_panel_are_alike(tmp_path):
    one, other = spectrum(tmp_path / "a.csv"), spectrum(tmp_path / "b.csv", nu=NU[:-1])
    cluster = spectrum(tmp_path / "c.csv", INTENSITY_COLUMN)
    rest = ("--titles", "a", "--resolution", 20, "--experiments", "none", "--out", tmp_path / "o.png")
    said = rejected("figures.spectrum", "--spectra", one, other, "--models", "m", "m", *rest)
    assert "seeds of m, have different frequencies" in said
    said = rejected("figures.spectrum", "--spectra", one, cluster, "--models", "m", "n", *rest)
    assert "one panel shows one system" in said


@pytest.mark.parametrize(
    ("module", "path"),
    [
        ("spectra.susceptibility", "absorption_per_molecule [km cm/mol]"),
        ("spectra.velocities", "H [cm]"),
    ],
)
def test_spectra_of_odd_runs_are_rejected(module, path, tmp_path):
    (tmp_path / "c.yaml").write_text("spectra: {resolution: 400, highest: 5000}")
    command = (
        module,
        "--runs",
        run(tmp_path / "r.h5"),
        "--config",
        tmp_path / "c.yaml",
        "--out",
        tmp_path / "o.csv",
    )
    assert call(*command) is None
    assert path in pd.read_csv(tmp_path / "o.csv")
    (tmp_path / "o.csv").unlink()
    whole = (tmp_path / "r.h5").read_bytes()
    for change, reason in (
        (lambda file: file.attrs.pop("timestep [fs]"), "no attribute 'timestep [fs]'"),
        (lambda file: file.attrs.update({"n_molecules": 0}), "'n_molecules' is"),
        (lambda file: file["temperature"].write_direct(np.zeros(400)), "mean temperature is 0 K"),
        (lambda file: file["temperature"].write_direct(np.full(400, -1.0)), "temperature is -1.0"),
        (lambda file: file["temperature"].resize(399, axis=0), "differ in length"),
        (lambda file: file["current"].write_direct(np.full((400, 3), np.nan)), "current is nan"),
        (lambda file: file["velocities"].write_direct(np.full((40, 2, 3), np.nan)), "velocities is nan"),
        (lambda file: file["current"].attrs.update({"unit": "C m / s"}), "unit 'C m / s'"),
        (lambda file: file["velocities"].attrs.update({"unit": "m/s"}), "unit 'm/s'"),
    ):
        (tmp_path / "r.h5").write_bytes(whole)
        with h5py.File(tmp_path / "r.h5", "a") as file:
            change(file)
        said = call(*command)
        if said is None:  # of a series that this module does not read
            assert reason.partition(" ")[0] in ("current", "velocities", "unit", "'n_molecules'"), reason
            assert np.isfinite(pd.read_csv(tmp_path / "o.csv")[path]).all()
        else:
            assert reason in said and "\n" not in said


def test_a_run_without_masses_is_rejected_only_where_masses_are_needed(tmp_path):
    path = run(tmp_path / "r.h5")
    with h5py.File(path, "a") as file:
        del file["masses"]
    settings = SpectraSettings(
        resolution=400, binning="linear", bins_per_decade=40, route="current", highest=5000
    )
    assert len(susceptibility.spectrum([path], settings))


@pytest.mark.parametrize("module", ["dynamics.conservation", "dynamics.export", "figures.conservation"])
def test_every_reader_of_runs_checks_them(module, tmp_path):
    path = run(tmp_path / "r.h5")
    out = tmp_path / {"dynamics.export": "o.extxyz", "figures.conservation": "o.png"}.get(module, "o.csv")
    command = (module, "--runs", path, "--out", out)
    if module != "dynamics.export":
        command += ("--models", "m")
    assert call(*command) is None
    whole = path.read_bytes()
    for spoil in (lambda data: b"", lambda data: data[:-200], lambda data: b"text"):
        path.write_bytes(spoil(whole))
        assert "r.h5 cannot be read as HDF5" in rejected(*command)
    for name, value in (("timestep [fs]", -1.0), ("frame_interval [steps]", 0), ("fixed_charges", "False")):
        path.write_bytes(whole)
        with h5py.File(path, "a") as file:
            file.attrs[name] = value
        assert f"attribute '{name}'" in rejected(*command)


@pytest.mark.parametrize(
    "title",
    [r"$\frac{1$", r"$\frac{1}{$", "5 $ and 6 $", r"\$x$", "$", "$$", "_name", "{x}", "a_b^c", "%", "ü – 水"],
)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_titles_are_drawn_as_they_are(title, tmp_path):
    one = spectrum(tmp_path / "chi.csv")
    rest = ("--resolution", 20, "--out", tmp_path / "o.png", "--experiments", "none")
    assert call("figures.spectrum", "--spectra", one, "--titles", title, "--models", title, *rest) is None
    figure, axis = drawing.plt.subplots()
    axis.set_title(drawing.literal(title))
    axis.plot([0, 1], label=drawing.literal(title))
    assert axis.get_legend_handles_labels()[1], "left out of the legend"
    shown = axis.title._preprocess_math(axis.get_title())
    assert shown == (title.replace("_name", "\N{ZERO WIDTH SPACE}_name"), False)
    drawing.plt.close(figure)


@pytest.mark.parametrize("suffix", [*drawing.FORMATS, ".PDF"])
def test_figures_are_written_in_every_format(suffix, tmp_path):
    drawing.style()
    for name in ("a", "b"):
        figure, axis = drawing.plt.subplots(figsize=(1, 1))
        axis.set_title("a")
        drawing.save(figure, [tmp_path / f"{name}{suffix}"])
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert len(first) > 100 and (first == second or suffix == ".eps")


@pytest.mark.parametrize("name", ["o.xyz", "o", "o.pgf", "o.png.gz", ".png"])
def test_a_format_that_cannot_be_written_is_rejected_before_anything_is_read(name, tmp_path):
    said = rejected("figures.model_errors", "--errors", tmp_path / "none.csv", "--out", tmp_path / name)
    assert name in said and ".pdf, .png" in said


@pytest.mark.parametrize("content", [b"\xff\xfe", b"figure.figsize 3\n\0", None])
def test_a_file_that_is_not_a_style_is_rejected(content, tmp_path):
    if content is not None:
        (tmp_path / "s.mplstyle").write_bytes(content)
    rest = ("--style", tmp_path / "s.mplstyle", "--out", tmp_path / "o.png")
    assert "s.mplstyle" in rejected("figures.model_errors", "--errors", tmp_path / "none.csv", *rest)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("m-0.json", "[1, 2]", "but a mapping is expected"),
        ("m-0.json", "7", "but a mapping is expected"),
        ("m-0.json", "{}", "contains no errors"),
        ("m-0.json", '{"all": 3}', "'all' is 3, but a mapping is expected"),
        ("m-0.json", '{"all": {"bec_mae": "small"}}', "'bec_mae' is 'small', but a number is expected"),
        ("m-0.json", '{"all": {"bec_mae": NaN}}', "NaN found"),
        ("m-0.json", '{"all": {"bec_mae": null}}', "'bec_mae' is None"),
        ("m.json", '{"all": {"bec_mae": 1}}', "a name like MODEL-SEED.json"),
        ("m-a.json", '{"all": {"bec_mae": 1}}', "a name like MODEL-SEED.json"),
    ],
)
def test_metrics_are_numbers(name, content, reason, tmp_path):
    (tmp_path / name).write_text(content)
    assert reason in rejected(
        "training.metrics_table", "--metrics", tmp_path / name, "--out", tmp_path / "o.csv"
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("config.yaml", "name: a\nseed: zero\ntraining: {}", "'seed' is 'zero'"),
        ("config.yaml", "name: a\nseed: 0", "has no 'training'"),
        ("config.yaml", "name: a\nseed: 0\ntraining: [", "cannot be read as YAML"),
        ("metrics.json", '{"train": {"all": {"structures": 3}}}', "has no 'valid'"),
        (
            "metrics.json",
            '{"valid": {"all": {"bec_mae [1e-3 e]": "1"}}, "train": {}}',
            "a number is expected",
        ),
        ("validation.csv", "epoch,seconds\n1,x\n", "'x'"),
        ("validation.csv", "epoch,minutes\n1,2\n", "no column seconds"),
    ],
)
def test_damaged_folders_of_models_are_rejected(name, content, reason, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"name": "a", "seed": 0, "training": {}}))
    (tmp_path / "metrics.json").write_text(
        json.dumps({"valid": {"all": {}}, "train": {"all": {"structures": 3}}})
    )
    (tmp_path / "validation.csv").write_text("epoch,seconds\n1,2\n")
    files = ("--metrics", tmp_path / "metrics.json", "--out", tmp_path / "o.csv")
    command = ("training.recipes", "--names", "a", *files)
    assert call(*command) is None
    (tmp_path / name).write_text(content)
    assert reason in rejected(*command)


def test_a_learning_curve_needs_the_number_of_structures(tmp_path):
    (tmp_path / "config.yaml").write_text("name: a\nseed: 0\n")
    for train in ({}, {"all": {}}, {"all": {"structures": 2.5}}):
        (tmp_path / "metrics.json").write_text(json.dumps({"train": train, "valid": {"all": {}}}))
        said = rejected(
            "training.learning_curve", "--metrics", tmp_path / "metrics.json", "--out", tmp_path / "o.csv"
        )
        assert "structures" in said


@pytest.mark.parametrize(
    "text", ["structure,why\na,b\n", "structure,reason,more\na,b,c\n", "a,b\n", "structure,reason\na,\n"]
)
def test_tables_of_rejections_have_their_columns(text, tmp_path):
    (tmp_path / "r.csv").write_text(text)
    words = ("--tables", tmp_path / "r.csv", "--out", tmp_path / "o.csv")
    assert "r.csv" in rejected("io.rejections", *words)


def test_tables_of_rejections_may_be_empty_and_contain_any_text(tmp_path):
    reasons = 'structure,reason\nNA,"a, b ""c"""\n'
    (tmp_path / "a.csv").write_text("structure,reason\n")
    (tmp_path / "b.csv").write_text(reasons)
    paths = (tmp_path / "a.csv", tmp_path / "b.csv")
    assert call("io.rejections", "--tables", *paths, "--out", tmp_path / "o.csv") is None
    assert (tmp_path / "o.csv").read_text() == reasons


@pytest.mark.parametrize(
    ("study", "old", "new", "reason"),
    [
        ("convergence", "force_difference [meV/Å]", "force_difference [eV/Å]", "missing, a number expected"),
        ("convergence", ",position,", ",dipole,", "operator is 'dipole'"),
        ("convergence", ",2.5028,", ",,", "force_difference [meV/Å]' of monomer-0-2000K-18 is missing"),
        ("field_strength", "field,", "E,", "'field' of"),
        ("field_operator", ",berry,", ",position,", "no label with the Berry phase"),
    ],
)  # fmt: skip
def test_tables_of_studies_contain_the_drawn_columns(study, old, new, reason, tmp_path):
    path = copy(tmp_path, f"labels/studies/{study}.csv")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    said = rejected("figures.label_studies", "--table", path, "--study", study, "--out", tmp_path / "o.png")
    assert reason in said


def test_every_shipped_table_is_read():
    """The readers and the files in resources/ know the same columns."""
    from bornflow.figures import label_studies, timing
    from bornflow.training import tables as training

    assert len(training.read_metrics_table(ROOT / "resources/study/errors.csv")) > 2
    assert len(training.read_published(ROOT / "resources/published/errors.csv")) > 2
    for name in ("timing", "timing-h100"):
        assert len(timing.read(str(ROOT / f"resources/{name}.csv"))) > 2
    for study in label_studies.STUDIES:
        assert len(label_studies.read(str(ROOT / f"resources/labels/studies/{study}.csv"), study)) > 2
