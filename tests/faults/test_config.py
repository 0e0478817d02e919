"""Hostile configurations: each gives one clear error before any job, or is used exactly as written."""

import datetime
import re
import subprocess
import sys
import time

import pytest
import yaml
from examples import ROOT

from bornflow import config
from bornflow.config.schema import schema
from bornflow.errors import BornflowError


def system(**changes) -> dict:
    return {
        "dynamics": {
            "systems": {"a": {"structure": "s.extxyz", "temperature": 300, "steps": 50000} | changes}
        }
    }


def pool(**changes) -> dict:
    return {"structures": {"pools": {"a": {"files": ["s.extxyz"], "select": 1} | changes}}}


def study(name: str = "a", **changes) -> dict:
    cases = [{"structures": ["a"], "variants": [{}]}]
    return {"labels": {"studies": {name: {"cases": cases} | changes}}}


def cycle() -> list:
    value: list = ["x"]
    value.append(value)
    return value


def nested(levels: int) -> list:
    return [] if levels == 0 else [nested(levels - 1)]


def bomb() -> list:
    value = ["x"] * 10
    for _ in range(12):
        value = [value] * 10
    return value


def rejected(given: dict, *words: str) -> None:
    started = time.monotonic()
    with pytest.raises(BornflowError) as error:
        config.complete(given)
    assert time.monotonic() - started < 5
    for word in words:
        assert word in str(error.value)
    for line in str(error.value).split("\n       "):
        assert line.startswith("config: ")
        assert len(line) < 700
        assert "\n" not in line


RESULTS = [
    *(
        "",
        ".",
        "..",
        "../x",
        "/tmp/x",
        "-rf",
        "--help",
        "a/../../b",
        "a/..",
        "a/.b",
        "a//b",
        "a/",
        "results\n",
        "a b",
    ),
    *(
        ".git",
        ".snakemake",
        ".venv/x",
        "workflow",
        "Workflow/x",
        "resources",
        "config",
        "tests",
        "docs",
        "profiles",
    ),
    *("envs", "$(touch x)", "a;b", "{x}", "a\\b", "a" * 201, "a/-b"),
]


@pytest.mark.parametrize("results", RESULTS)
def test_results_stay_inside_the_working_folder(results):
    rejected({"results": results}, "results: ", "expected: a folder inside the working folder")


def test_folders_of_the_repository_are_rejected_for_results():
    for path in ROOT.iterdir():
        if path.is_dir() and path.name not in ("results", "build") and not path.name.endswith(".egg-info"):
            rejected({"results": path.name}, "results: ")


@pytest.mark.parametrize("results", ["results", "results/mine-2.1", "workflows", "out/workflow", "größe"])
def test_other_folders_of_results_are_accepted(results):
    assert config.complete({"results": results})["results"] == results


TABLES = {
    "models": lambda name: {"models": {name: {}}},
    "dynamics.systems": lambda name: {"dynamics": {"systems": {name: system()["dynamics"]["systems"]["a"]}}},
    "structures.pools": lambda name: {
        "structures": {"pools": {name: {"contains": {"water": 1}, "select": 1}}}
    },
    "molecules": lambda name: {"molecules": {name: {"smiles": "C"}}},
    "training.recipes": lambda name: {"training": {"recipes": {name: {"epochs": 3}}}},
    "labels.studies": study,
}
BAD = [
    "",
    "a b",
    "a.b",
    "a/b",
    "../a",
    "-a",
    "1",
    "_a",
    "ä",
    "a\n",
    "{a}",
    "a" * 41,
    "as configured",
    "$(x)",
    "a;b",
]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", BAD)
def test_names_that_do_not_fit_into_a_path_are_rejected(table, name):
    rejected(TABLES[table](name), f"{table}: {name!r} found; expected: a name")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", ["a", "A-0", "cluster_3-x", "no", "yes", "x1" * 19, "settings", "errors"])
def test_other_names_are_accepted(table, name):
    config.complete(TABLES[table](name))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", ["none", "None", "a" * 40, "ab" * 20, "x" + "a" * 20])
def test_reserved_names_are_rejected(table, name):
    rejected(TABLES[table](name), f"{table}.{name}: this name cannot be used")


@pytest.mark.parametrize(
    "name", ["deviations", "velocities-a", "response-a", "Response-a", "lorem-jax", "nep"]
)
def test_models_cannot_have_names_of_the_workflows_files(name):
    rejected({"models": {"a": {}, name: {}}}, f"models.{name}: this name cannot be used")


def test_studies_cannot_have_names_of_the_workflows_files():
    rejected(study("linear_response"), "labels.studies.linear_response: this name cannot be used")


@pytest.mark.parametrize("table", TABLES)
def test_names_that_differ_in_capitals_only_are_rejected(table):
    both = TABLES[table]("Ab")
    inner = both
    for key in table.split("."):
        inner = inner[key]
    inner["aB"] = inner["Ab"]
    rejected(both, f"{table}: Ab and aB differ in capital letters only")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({None: 1}, "top level: key None found, which is no value"),
        ({"training": {True: 3}}, "training: key True found, which is the truth value true; keys are text"),
        ({"models": {False: {}}}, "models: key False found"),
        (
            {"structures": {"pools": {1: {"contains": {"water": 1}, "select": 1}}}},
            "structures.pools: key 1 found",
        ),
        ({(1, 2): 3}, "key (1, 2) found, which is a tuple"),
        (
            system(title=datetime.date(2024, 1, 1)),
            "title: 2024-01-01 found, which is a date; put it in quotes",
        ),
        (
            system(title=False),
            "title: False found, the truth value false; where text is meant, put it in quotes",
        ),
        (system(title=5), "title: 5 found, a number; where text is meant"),
        ({"training": {"data": {"x"}}}, "training.data: {'x'} found, which is a set"),
        ({"training": {"data": [b"x"]}}, "training.data.0: b'x' found, which is a bytes"),
        (
            {"training": {"data": cycle()}},
            "training.data.1: an alias (*) inside its own value",
        ),
        ({"training": {"data": nested(300)}}, "nested more than 50 levels deep"),
        ({"training": {"data": bomb()}}, "over 50000 values"),
        ({"training": {"epochs": 10**7000}}, "training.epochs: a number with over 18 digits"),
        ({"training": {"epochs": "1:30"}}, "'1:30' found, but an integer from"),
        ({"training": {"epochs": float("inf")}}, "training.epochs: inf"),
        ({"spectra": {"resolution": "nan"}}, "spectra.resolution: nan found, a finite number expected"),
        ({"training": []}, "training: [] found, but a table of keys and values is expected"),
        (
            {"training": {"data": ["a", "a"]}},
            "training.data: ['a', 'a'] found, but a list with 1 or more entries without repetitions",
        ),
        ({"spectra": {"resolution": "1e300"}}, "spectra.resolution: 1e+300 found"),
        ({"spectra": {"resolution": 900, "highest": 800}}, "900 cm⁻¹ is above spectra.highest = 800"),
        (
            {
                "spectra": {"resolution": 1000, "highest": 1100},
                "dynamics": {"timestep": 1, "velocity_interval": 15, "frame_interval": 15},
            },
            "which a series with a step of 15 fs cannot have",
        ),
        (
            pool(select=10**12),
            "structures.pools.a.select: 1000000000000 found; expected: an integer from 1 to 10000000, or all",
        ),
        (pool(select=10**7), "make 2500000 jobs, 100000 at most can be planned"),
        (pool(select=20000), "labels.batch_size: the batches make a list of files of"),
        (pool(files=["x" * 900] * 200), "structures.pools.a.files make a list of files of 180200 characters"),
        (
            system(replicas=10000) | {"training": {"seeds": [*range(20)]}},
            "dynamics.systems, with every model",
        ),
        ({"labels": {"cp2k": {"command": "mpiexec 'cp2k"}}}, "where a quote is not closed"),
        (
            {"labels": {"cp2k": {"command": "cp2k {x}"}}},
            "labels.cp2k.command: 'cp2k {x}' found; expected: one line",
        ),
        ({"labels": {"cp2k": {"command": "cp2k {ranks:>999999999}"}}}, "no other braces"),
        ({"labels": {"cp2k": {"command": " "}}}, "labels.cp2k.command: ' ' found; give the command"),
        (
            {"labels": {"cp2k": {"basis": "X\n&END"}}},
            "labels.cp2k.basis: 'X\\n&END' found; expected: the name of a",
        ),
        ({"labels": {"linear_response": ["-x"]}}, "labels.linear_response.0: '-x' found; expected: text"),
        ({"training": {"keys": {"bec": "{x}"}}}, "training.keys.bec: '{x}' found; expected: text"),
        (
            study(columns=["cutof"]),
            "labels.studies.a.columns: cutof found, which labels.cp2k lacks",
        ),
        ({"__use_yte__": True}, "unknown key '__use_yte__'"),
        ({"pathvars": {"results": "/"}}, "unknown key 'pathvars'"),
    ],
)
def test_hostile_values_are_rejected_in_one_line(given, words):
    rejected(given, words)


def test_every_number_has_bounds_and_every_text_a_pattern():
    def walk(node, place):
        if isinstance(node, list):
            for number, item in enumerate(node):
                walk(item, f"{place}.{number}")
        if not isinstance(node, dict):
            return
        kind = node.get("type")
        if kind in ("number", "integer"):
            assert {"minimum", "exclusiveMinimum"} & set(node), f"{place} has no lower bound"
            assert {"maximum", "exclusiveMaximum"} & set(node), f"{place} has no upper bound"
        if kind == "string":
            assert {"pattern", "expected"} <= set(node), f"{place} has no pattern"
            assert "maxLength" in node or not re.search(node["pattern"], 5000 * "a"), (
                f"{place} has no length limit"
            )
            assert not re.search(node["pattern"], "a\nb"), place
            assert not re.search(node["pattern"], "a\n"), place
        for key, item in node.items():
            walk(item, f"{place}.{key}")

    walk(schema(), "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "training: {epochs: 7}\nmodels: {mine: {}}\ntraining: {seeds: [3]}\n",
            "line 3: key 'training' is given a second",
        ),
        ("training: {epochs: 1:30}", "line 1: 1:30 is read as a number to base 60"),
        ("training: {epochs: 0100}", "line 1: 0100 is read as a number to base 8"),
        ("__use_yte__: true\nresults: results/x", "__use_yte__ found, which makes the file a program"),
    ],
)
def test_errors_that_snakemake_does_not_report_are_found(tmp_path, text, words):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(BornflowError) as error:
        config.check_files([ROOT / "config/config.yaml", path])
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "models: {no: {}}",
            "key no is read as the truth value false; where text is meant, put it in quotes",
        ),
        ("training: {epochs: 5}\ntraining: {}", "key 'training' is given a second time"),
        ("results: -rf", "results: '-rf' found; expected: a folder inside the working folder"),
    ],
)
def test_snakemake_shows_one_line_and_no_traceback(tmp_path, text, words):
    (tmp_path / "mine.yaml").write_text(text)
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "-n",
        "--nolock",
        "--configfile",
        str(tmp_path / "mine.yaml"),
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    printed = result.stdout + result.stderr
    assert result.returncode == 1
    assert "Traceback" not in printed
    assert words in printed


def test_modules_read_configurations_strictly(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("# only a comment\n")
    assert config.load(path, "training") == config.load(None, "training")
    path.write_text("training: {epochs: 3}\ntraining: {}\n")
    with pytest.raises(BornflowError, match=r"c\.yaml, line 2: key 'training' is given a second time"):
        config.load(path, "training")
    path.write_text("training: {epochs: 1.0e+12}\n")
    with pytest.raises(BornflowError, match=r"c\.yaml: training\.epochs: 1000000000000 found, but"):
        config.load(path, "training")


def test_written_sections_are_read_unchanged(tmp_path):
    full = config.complete(system(title="no") | {"models": {"yes": {}, "on": {}}})
    path = tmp_path / "section.yaml"
    path.write_text(yaml.safe_dump({key: full[key] for key in ("models", "dynamics")}))
    assert config.load(path, "models") == full["models"]
    assert config.load(path, "dynamics") == full["dynamics"]


def test_models_cannot_choose_their_own_training_structures():
    pools = {"a": {"contains": {"water": 2}, "select": 2, "committee": ["results/models/m/0", "old/m/1"]}}
    given = {"structures": {"pools": pools}, "training": {"data": ["computed"]}}
    rejected(given, "structures.pools.a.committee: results/models/m/0 is in the results of this run")
    assert config.complete(given | {"results": "results/second"})
