"""A user's names reach the shell as one word or are rejected: none is run, split or expanded."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from examples import ROOT, water

from bornflow.config.load import complete
from bornflow.errors import BornflowError
from bornflow.io import frames

RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))
# Fields of a command that contain no name and are not quoted.
PLAIN = {"threads", "params.limit"}  # the workflow's numbers; `--limit SIZE`, two words
MARK = "pwned"
NASTY = [
    "a b",
    "it's",
    'say "x"',
    f"$(touch {MARK})",
    f"`touch {MARK}`",
    f"x;touch {MARK};",
    f"x&touch {MARK}&",
    f"x|touch {MARK}",
    "*",
    "[a]?",
    "!x",
    "~",
    "#x",
    "a\\b",
    "$HOME",
    "(x)",
    "%s",
    "a=b:c,d^e",
    "äß-水",
]
REJECTED = [
    "",
    "-rf",
    "--out",
    "{x}",
    "{input}",
    "a{b",
    "<results>",
    ">x",
    "a\nb",
    "a\tb",
    "a\0b",
    " a",
    "a ",
    "x" * 1001,
]


def commands(text: str) -> list[str]:
    """The shell command of each rule."""
    return ["".join(re.findall(r'"(.*)"', block)) for block in re.findall(r'shell:\n((?: +".*"\n?)+)', text)]


def test_every_rule_has_a_command_that_is_checked_here():
    text = "\n".join(path.read_text() for path in RULES)
    assert len(commands(text)) == len(re.findall(r"^ +shell:", text, re.MULTILINE)) > 25
    assert not re.search(r"^ +(run|script):|shell\(", text, re.MULTILINE)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_every_field_of_a_command_is_quoted(path):
    for command in commands(path.read_text()):
        for field in re.findall(r"\{([^{}]*)\}", command):
            assert field in PLAIN or field.endswith(":q"), f"{path.name}: {{{field}}} in {command}"


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("place", ["data", "pretraining", "structure", "files", "known", "beside", "study"])
def test_paths_that_work_are_accepted(place, name):
    complete(at(place, f"{name}.extxyz"))


@pytest.mark.parametrize("name", REJECTED)
@pytest.mark.parametrize("place", ["data", "pretraining", "structure", "files", "known", "beside", "study"])
def test_paths_that_cannot_work_are_rejected(place, name):
    with pytest.raises(BornflowError, match="found; expected: the path of a file"):
        complete(at(place, name))


def at(place: str, path: str) -> dict:
    """A configuration with a path at one of the places that rules read paths from."""
    study = {"data": path, "cases": [{"structures": ["a"], "variants": [{}]}]}
    return {
        "data": {"training": {"data": [path]}},
        "pretraining": {"training": {"pretraining": [path]}},
        "structure": {"dynamics": {"systems": {"a": system(structure=path)}}},
        "files": {"structures": {"pools": {"a": {"files": [path], "select": 1}}}},
        "known": {"labels": {"known": [path]}},
        "beside": {"dynamics": {"timing": {"beside": [path]}}},
        "study": {"labels": {"studies": {"a": study}}},
    }[place]


def system(**changes) -> dict:
    return {"structure": "s.extxyz", "temperature": 300, "steps": 50000} | changes


@pytest.mark.parametrize(
    "title", ["{input} {wildcards.x}", "a\nb", "$x$", r"\alpha", "-x", "--out=x", "", " x"]
)
def test_titles_that_cannot_be_drawn_literally_are_rejected(title):
    with pytest.raises(BornflowError, match=r"systems\.a\.title: .* found; expected: one line of plain text"):
        complete({"dynamics": {"systems": {"a": system(title=title)}}})


@pytest.fixture
def clone(tmp_path):
    """A working folder of this workflow, whose own path has a blank and a dollar sign."""
    folder = tmp_path / "my $HOME; folder"
    folder.mkdir()
    for name in ("workflow", "resources", "envs", "config"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "Snakefile", folder)
    return folder


def snakemake(folder, *arguments):
    environment = os.environ | {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_files_of_every_name_are_split_and_none_is_run(clone):
    structures = []
    for number, name in enumerate(NASTY):
        atoms = water(1, seed=number)
        atoms.info["structure"] = f"s{number}"
        atoms = frames.with_labels(atoms, {"energy": float(number), "forces": None, "bec": None})
        frames.write(clone / f"{name}.extxyz", [atoms])
        structures.append(f"s{number}")
    config = {"training": {"data": [f"{name}.extxyz" for name in NASTY]}, "results": "results/ünä-1"}
    (clone / "mine.yaml").write_text(yaml.safe_dump(config))
    target = "results/ünä-1/training/train.extxyz"
    result = snakemake(clone, target, "--configfile", "mine.yaml")
    log = clone / "results/ünä-1/logs/training/split.log"
    assert result.returncode == 0, result.stderr[-2000:] + (log.read_text() if log.exists() else "")
    subsets = [frames.read(clone / f"results/ünä-1/training/{name}.extxyz") for name in ("train", "valid")]
    assert sorted(a.info["structure"] for subset in subsets for a in subset) == sorted(structures)
    assert not list(clone.rglob(MARK))


def test_names_in_all_other_commands_are_not_run(clone):
    """A shell splits the commands of a complete plan into words: each nasty name is one of them."""
    word = f"x $(touch {MARK}) 'y'.extxyz"
    for place in ("start", "cheap", "pool"):
        shutil.copy(ROOT / "resources/structures/cage.extxyz", clone / f"{place} {word}")
    config = {
        "structures": {"pools": {"mine": {"files": [f"pool {word}"], "select": 1}}},
        "labels": {"engine": "xtb"},
        "training": {"data": ["computed"], "pretraining": [f"cheap {word}"]},
        "dynamics": {
            "systems": {"cage": {"structure": f"start {word}", "title": f'`touch {MARK}`; it\'s "x" & y'}}
        },
    }
    (clone / "mine.yaml").write_text(yaml.safe_dump(config))
    result = snakemake(clone, "-n", "-p", "--configfile", "mine.yaml")
    assert result.returncode == 0, result.stderr[-2000:]
    printed = re.findall(r"^Shell command: (.*python -m bornflow.*) &> ", result.stdout, re.MULTILINE)
    assert len(printed) > 20
    script = "\n".join(printed).replace("python -m", r"printf '%s\0'")
    words = subprocess.check_output(["bash", "-c", script], cwd=clone, text=True).split("\0")
    assert f"start {word}" in words
    assert f"cheap {word}" in words
    assert any(each.startswith(f'`touch {MARK}`; it\'s "x" & y, 10 K') for each in words)
    assert not list(clone.rglob(MARK))


def test_names_that_contain_each_other_share_no_file(clone):
    """Every file of a plan belongs to one job, even if one name contains another."""
    start = {
        "structure": "resources/structures/cage.extxyz",
        "temperature": 10,
        "steps": 50000,
        "replicas": 2,
    }
    cases = [{"structures": ["monomer-0-relaxed"], "variants": [{}]}]
    config = {
        "results": "results/names",
        "models": {name: {} for name in ("a", "a-0", "b-a", "a-b-a", "screening-a")},
        "training": {
            "seeds": [0, 10],
            "recipes": {name: {"epochs": 3} for name in ("a", "a-0", "b", "b-a")},
            "learning_curve": {"sizes": [3, 30]},
        },
        "dynamics": {"systems": {name: start for name in ("a", "a-0", "b", "b-a", "timing")}},
        "labels": {"studies": {name: {"cases": cases} for name in ("errors", "timing", "convergence")}},
    }
    (clone / "mine.yaml").write_text(yaml.safe_dump(config))
    targets = ("all", "recipes", "label_studies", "learning_curve", "field_response")
    result = snakemake(clone, *targets, "-n", "--configfile", "mine.yaml")
    assert result.returncode == 0, result.stdout[-3000:]
    for kind in ("output", "log", "benchmark"):
        lines = re.findall(rf"^    {kind}: (.*)$", result.stdout, re.MULTILINE)
        files = [file for line in lines for file in line.split(", ")]
        assert len(files) > 100
        assert len(files) == len(set(files)), [file for file in files if files.count(file) > 1][:3]
