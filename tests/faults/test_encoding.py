"""Text files are UTF-8, whatever the locale of the machine is."""

import os
import subprocess
import sys

import yaml
from examples import water

from bornflow.io import frames

NAME = "Wässer 水 é"
ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def run(folder, *arguments, **environment):
    """Run a module in an ASCII locale, with warnings about files that are opened in the locale's encoding."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **ASCII, "PYTHONWARNDEFAULTENCODING": "1", **environment},
    )


def test_names_survive_labelling_and_the_split_in_an_ascii_locale(tmp_path):
    structures = []
    for seed in range(4):
        atoms = water(1, seed=seed)
        atoms.info |= {"structure": f"{NAME}-{seed}", "source": NAME, "group": f"{NAME}{seed}"}
        structures.append(atoms)
    frames.write(tmp_path / "s.extxyz", structures)
    settings = {"labels": {"engine": "xtb"}, "dynamics": {"systems": {"w": {"title": NAME}}}}
    settings["dynamics"]["systems"]["w"] |= {"structure": "s.extxyz", "temperature": 300, "steps": 20000}
    (tmp_path / "cfg.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    common = ["--config", "cfg.yaml"]
    labelled = run(
        tmp_path, "bornflow.labels.label", "--structures", "s.extxyz", *common, "--out", "l.extxyz"
    )
    assert labelled.returncode == 0, labelled.stderr
    outputs = ["--train", "t.extxyz", "--valid", "v.extxyz"]
    split = run(tmp_path, "bornflow.training.split", "--labels", "l.extxyz", *common, *outputs)
    assert split.returncode == 0, split.stderr
    back = frames.read_all([tmp_path / "t.extxyz", tmp_path / "v.extxyz"], unique=True)
    assert sorted(atoms.info["structure"] for atoms in back) == [f"{NAME}-{seed}" for seed in range(4)]
    assert {atoms.info["source"] for atoms in back} == {NAME}
    for result in (labelled, split):
        ours = [
            line for line in result.stderr.splitlines() if "EncodingWarning" in line and "bornflow/" in line
        ]
        assert not ours, ours
