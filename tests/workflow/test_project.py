"""What keeps the project's own files in step: environments, lock file, links between rooms."""

import ast
import re
import subprocess
import sys

import pytest
import yaml
from examples import ROOT

PACKAGE = ROOT / "workflow/bornflow"
# Import names whose distribution is called otherwise.
DISTRIBUTIONS = {
    "cp2k_input_tools": "cp2k-input-tools",
    "jaxpme": "jax-pme",
    "yaml": "pyyaml",
    "msgpack": "msgpack",
    "sklearn": "scikit-learn",
}
OPTIONAL = {"lorem"}  # the peer that `make bench` installs from requirements-bench.lock
STAGES = ["structures", "labels", "models", "training", "dynamics", "spectra", "figures"]


def locked() -> dict[str, set[str]]:
    pins: dict[str, set[str]] = {}
    for name, version in re.findall(
        r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    ):
        pins.setdefault(name, set()).add(version)
    return pins


def environment(path) -> dict[str, str]:
    listed = yaml.safe_load(path.read_text())["dependencies"]
    return dict(line.split(" ==") for line in next(x["pip"] for x in listed if isinstance(x, dict)))


def rules() -> list[tuple[str, str]]:
    """(conda environment, module) of every rule that calls one."""
    found = []
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for text in path.read_text().split("\nrule ")[1:]:
            module = re.search(r"python -m (bornflow[\w.]*)", text)
            env = re.search(r"\.\./\.\./envs/([\w]+)\.yaml", text)
            assert env, f"{path.name}: rule {text.split(':')[0]} names no environment"
            if module:
                found.append((env[1], module[1]))
    return found


def module_path(name: str):
    path = PACKAGE.parent / name.replace(".", "/")
    return path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"


def imports(name: str, seen: set[str]) -> set[str]:
    """Top-level packages that importing a module of bornflow brings in."""
    if name in seen:
        return set()
    seen.add(name)
    external = set()
    parts = name.split(".")
    for node in ast.walk(ast.parse(module_path(name).read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            is_package = module_path(name).name == "__init__.py"
            base = parts[: len(parts) - node.level + is_package]
            target = ".".join(base + ([node.module] if node.module else []))
            for alias in node.names:
                inner = f"{target}.{alias.name}"
                external |= imports(inner if module_path(inner).exists() else target, seen)
        elif isinstance(node, ast.ImportFrom):
            external.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            external |= {alias.name.split(".")[0] for alias in node.names}
    return {e for e in external if e not in sys.stdlib_module_names} - OPTIONAL - {"bornflow"}


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_pins_of_environments_agree_with_the_lock_file(path):
    pins = locked()
    for name, version in environment(path).items():
        assert version in pins[name], f"{name} {version} in {path.name}, locked are {pins[name]}"


@pytest.mark.parametrize(("env", "module"), sorted(set(rules())))
def test_environments_hold_every_import(env, module):
    held = set(environment(ROOT / f"envs/{env}.yaml"))
    needed = {DISTRIBUTIONS.get(name, name) for name in imports(module, set())}
    assert needed <= held, f"envs/{env}.yaml lacks {needed - held} for {module}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_point_one_way(path):
    room = path.relative_to(PACKAGE).parts[0]
    if room not in STAGES:
        return
    allowed = {"training": 4, "dynamics": 5, "spectra": 6, "figures": 7}.get(room)
    rooms = set(STAGES[:allowed]) if allowed else {room}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 2 and node.module:
            target = node.module.split(".")[0]
            assert target not in STAGES or target in rooms, f"{path.name} imports {target}"
        if room == "models" and isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            # ase.data is a table of the elements; structures and files are another matter.
            assert not any(name == "ase" or name.startswith("snakemake") for name in names), path.name


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-bench.lock"])
def test_no_address_of_a_registry_in_a_lock_file(lock):
    assert "://" not in (ROOT / lock).read_text()


def test_files_fit_in_a_readers_head():
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "workflow/rules").glob("*.smk")]:
        assert len(path.read_text().splitlines()) <= 400, path
    assert len((ROOT / "workflow/rules/common.smk").read_text().splitlines()) < 150


def test_snakemake_finds_nothing_to_mend_in_the_rules():
    command = [sys.executable, "-m", "snakemake", "--lint", "--nolock"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
