"""Arguments of command lines: bounds are kept, and an error names the option, the value and the bounds."""

import argparse
import sys

import pytest
from examples import water

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
def test_values_within_bounds_are_taken(kind, text, value):
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
def test_values_out_of_bounds_are_rejected(kind, text, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--value", type=getattr(cli, kind))
    with pytest.raises(SystemExit):
        parser.parse_args([f"--value={text}"])
    printed = capsys.readouterr().err.splitlines()[-1]
    assert "argument --value: " in printed
    assert "expected" in printed
    assert len(printed) < 150


@pytest.fixture
def files(tmp_path):
    """Five structures and a configuration of one pool, as files."""
    frames.write(tmp_path / "s.extxyz", [water(1, seed=seed) for seed in range(5)])
    (tmp_path / "c.yaml").write_text(
        "labels: {batch_size: 2, cache: cache, known: []}\n"
        "structures: {pools: {mine: {molecules: 1, select: 1}}}\n"
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


def test_a_pool_that_is_not_there_is_named(files, monkeypatch):
    with pytest.raises(SystemExit, match=r"c\.yaml: --structure is nope, .* its keys: mine"):
        call(sample, monkeypatch, files, "--structure", "nope", "--out", "p.extxyz")


@pytest.mark.parametrize("count", ["0", "-1", "x"])
def test_a_selection_of_none_is_rejected(files, monkeypatch, capsys, count):
    with pytest.raises(SystemExit):
        call(select, monkeypatch, files, "--pool", "s.extxyz", "--out", "o.extxyz", "--count", count)
    assert f"argument --count: '{count}' found, an integer from 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--limit", "0"), ("--limit", "-3"), ("--seed", "-1"), ("--seed", "1e99")]
)
def test_training_rejects_what_cannot_be(monkeypatch, capsys, tmp_path, option, value):
    given = ("--train", "a", "--valid", "b", "--model", "m", "--out", "o", f"{option}={value}")
    with pytest.raises(SystemExit):
        call(train, monkeypatch, tmp_path, *given)
    assert f"argument {option}: '{value}' found, an integer from" in capsys.readouterr().err
