"""Command lines: options and their limits, help texts, messages on stderr, and files that are protected."""

import argparse
import importlib
import re
import subprocess
import sys

import pytest
from examples import ROOT, water

from bornflow import cli
from bornflow.io import frames
from bornflow.labels import label
from bornflow.structures import sample, select
from bornflow.training import train


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("count", "1", 1),
        ("count", "10000000", 10_000_000),
        ("index", "0", 0),
        ("seed", "4294967295", 2**32 - 1),
        ("seed", "007", 7),
        ("threads", "16", 16),
        ("duration", "0.5", 0.5),
    ],
)
def test_values_within_limits_are_accepted(kind, text, value):
    assert getattr(cli, kind)(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("count", text) for text in ("0", "-1", "10000001", "1.5", "1e3", "", "many", "1_000", " 1", "٣")),
        *(("index", text) for text in ("-1", "nan", "1" * 5000)),
        *(("seed", text) for text in ("-1", "4294967296", "99999999999999999999", "0x1", "None")),
        *(("threads", text) for text in ("0", "2000")),
        *(("duration", text) for text in ("0", "-1", "nan", "inf", "1e9", "soon", "")),
    ],
)
def test_values_beyond_limits_are_rejected(kind, text, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--value", type=getattr(cli, kind))
    with pytest.raises(SystemExit):
        parser.parse_args([f"--value={text}"])
    printed = capsys.readouterr().err.splitlines()[-1]
    assert "argument --value: " in printed
    assert "is expected" in printed
    assert len(printed) < 150


OWN = {
    "study": cli.option("a key of labels.studies"),
    "batch_size": cli.option("structures at once", 32, type=cli.count),
    "models": cli.options("names of models"),
    "skip": cli.options("names to leave out", []),
    "quick": cli.option("fewer steps", False, action="store_true"),
}


def parse(monkeypatch, *arguments: str) -> argparse.Namespace:
    def main() -> None:
        """Draw the curve."""

    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    return cli.parse(main, "config", "seed", "out", **OWN)


def test_shared_and_own_options_are_read(monkeypatch):
    args = parse(
        monkeypatch, "--study", "a", "--models", "x", "y", "--out", "o.csv", "--batch-size=8", "--quick"
    )
    assert vars(args) == {
        **{"study": "a", "batch_size": 8, "models": ["x", "y"], "skip": [], "quick": True},
        **{"config": None, "seed": 0, "out": "o.csv"},
    }


@pytest.mark.parametrize("missing", ["--study", "--models", "--out"])
def test_an_option_without_a_default_is_required(missing, monkeypatch, capsys):
    required = {"--study": "a", "--models": "x", "--out": "o.csv"}
    given = [word for option, value in required.items() if option != missing for word in (option, value)]
    with pytest.raises(SystemExit) as end:
        parse(monkeypatch, *given)
    assert end.value.code == 2
    assert f"the following arguments are required: {missing}" in capsys.readouterr().err


def test_a_list_that_is_required_has_at_least_one_value(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        parse(monkeypatch, "--study", "a", "--out", "o", "--models")
    assert "argument --models: expected at least one argument" in capsys.readouterr().err


def test_the_help_has_the_description_every_option_and_its_default(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        parse(monkeypatch, "--help")
    printed = " ".join(capsys.readouterr().out.split())
    assert "Draw the curve." in printed
    assert "--study STUDY a key of labels.studies" in printed
    assert "structures at once (default: 32)" in printed
    assert "seed of the random numbers (default: 0)" in printed
    assert "--quick fewer steps --" in printed, "the default of a switch goes without saying"


def test_every_shared_option_has_a_help_text():
    assert all(len(settings["help"]) > 10 for settings in cli.SHARED.values())


PROGRAMS = sorted(
    ".".join(path.relative_to(ROOT / "workflow").with_suffix("").parts)
    for path in (ROOT / "workflow/bornflow").rglob("*.py")
    if re.search(r"^@(cli\.)?command\n", path.read_text(encoding="utf-8"), re.MULTILINE)
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_has_a_description(program, monkeypatch, capsys):
    main = importlib.import_module(program).main
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    with pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr().out
    assert not end.value.code
    assert main.__doc__ and main.__doc__.split()[0] in printed


PROGRAM = """
import logging
from bornflow import cli
from bornflow.errors import BornflowError

logger = logging.getLogger(__name__)

@cli.command
def main():
    logger.debug("not shown")
    logger.info("5 of 10 structures, 50 %")
    logger.warning("no label for s-3")
    logging.getLogger("jax").info("not shown")
    raise BornflowError("a.extxyz: 3 found")

main()
"""


def test_messages_go_to_stderr_with_their_level():
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "5 of 10 structures, 50 %",
        "warning: no label for s-3",
        "error: a.extxyz: 3 found",
    ]


@pytest.mark.parametrize(
    ("program", "arguments", "message"),
    [
        (
            "export",
            "--runs in.h5 --out in.h5",
            r"in\.h5 is read \(--runs\) and would be overwritten \(--out\)",
        ),
        ("export", "--runs other.h5 in.h5 --out=./in.h5", "would be overwritten"),
        ("evaluate", "--data in.h5 --out o.json --predictions in.h5", r"overwritten \(--predictions\)"),
        ("label", "--out o.csv --rejected o.csv", "o.csv is given for --out and --rejected"),
        ("label", "--structures in.h5 --out folder", "--out is folder, which is a folder"),
        ("split", "--labels in.h5 --train in.h5 --valid v", r"overwritten \(--train\)"),
        ("split", "--labels in.h5 --train t --valid t", "t is given for --train and --valid"),
    ],
)
def test_inputs_are_not_overwritten(program, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.h5").write_text("precious")
    (tmp_path / "folder").mkdir()

    @cli.command
    def main() -> None:
        raise AssertionError("the program has started")

    monkeypatch.setattr(sys, "argv", [f"/path/{program}.py", *arguments.split()])
    with pytest.raises(SystemExit, match=message):
        main()


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("export", "--runs in.h5 --out out.h5"),
        ("export", "--runs in.h5 in.h5 --out out.h5"),
        ("train", "--train in.h5 --valid v --out folder"),
        ("join_sets", "--sets in.h5 new.h5 --out in.h5"),
        ("export", "--runs missing.h5 --out missing.h5"),  # reported by the program itself
        ("export", f"--runs {'x' * 5000} --out o"),
    ],
)
def test_other_command_lines_start(program, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.h5").write_text("precious")
    (tmp_path / "folder").mkdir()
    started = []
    monkeypatch.setattr(sys, "argv", [f"/path/{program}.py", *arguments.split()])
    cli.command(lambda: started.append(program))()
    assert started == [program]


def test_exceptions_for_single_programs_name_programs_that_exist():
    named = cli.WRITES_FOLDER | cli.EXTENDS_INPUT | set(cli.MORE_OUTPUTS)
    assert named <= {program.rpartition(".")[2] for program in PROGRAMS}


@pytest.fixture
def files(tmp_path):
    """Five structures and a configuration of one pool, as files."""
    frames.write(tmp_path / "s.extxyz", [water(1, seed=seed) for seed in range(5)])
    (tmp_path / "c.yaml").write_text(
        "labels: {batch_size: 2, cache: cache, known: []}\n"
        "structures: {pools: {mine: {contains: {water: 1}, select: 1}}}\n"
    )
    return tmp_path


def call(module, monkeypatch, folder, *given: str) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["module", "--config", "c.yaml", *given])
    module.main()


def test_a_batch_beyond_the_last_is_rejected(files, monkeypatch):
    given = ("--structures", "s.extxyz", "--engine", "xtb", "--out", "l.extxyz", "--batch")
    with pytest.raises(
        SystemExit, match=r"--batch is 3, but s\.extxyz contains 5 structures, 3 batches of 2 .*from 0"
    ):
        call(label, monkeypatch, files, *given, "3")
    assert not (files / "l.extxyz").exists()
    call(label, monkeypatch, files, *given, "2")
    assert len(frames.read(files / "l.extxyz")) == 1
    call(label, monkeypatch, files, *given, "3", "--allow-empty")
    assert (files / "l.extxyz").read_text() == ""


def test_an_unknown_pool_is_named(files, monkeypatch):
    with pytest.raises(SystemExit, match=r"c\.yaml: --structure is nope, .* its keys: mine"):
        given = ("--structure", "nope", "--out", "p.extxyz", "--left-out", "p.csv")
        call(sample, monkeypatch, files, *given)


@pytest.mark.parametrize("count", ["0", "-1", "x"])
def test_a_selection_of_none_is_rejected(files, monkeypatch, capsys, count):
    with pytest.raises(SystemExit):
        call(select, monkeypatch, files, "--pool", "s.extxyz", "--out", "o.extxyz", "--count", count)
    assert f"argument --count: '{count}' found, but an integer from 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--limit", "0"), ("--limit", "-3"), ("--seed", "-1"), ("--seed", "1e99")]
)
def test_training_rejects_impossible_numbers(monkeypatch, capsys, tmp_path, option, value):
    given = ("--train", "a", "--valid", "b", "--model", "m", "--out", "o", f"{option}={value}")
    with pytest.raises(SystemExit):
        call(train, monkeypatch, tmp_path, *given)
    assert f"argument {option}: '{value}' found, but an integer from" in capsys.readouterr().err
