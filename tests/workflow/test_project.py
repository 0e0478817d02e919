"""The project's own files agree: environments, lock file, the order of rooms, the rules."""

import ast
import graphlib
import re
import subprocess
import sys
from functools import cache

import pytest
import yaml
from examples import ROOT

PACKAGE = ROOT / "workflow/bornflow"
# Import names that differ from the name of their distribution.
DISTRIBUTIONS = {
    "cp2k_input_tools": "cp2k-input-tools",
    "jaxpme": "jax-pme",
    "yaml": "pyyaml",
    "msgpack": "msgpack",
    "sklearn": "scikit-learn",
}
OPTIONAL = {"lorem", "calorine", "mace", "torch", "e3nn"}  # installed by `make bench` and `make bench-mace`
# In the order of the design: a room imports from itself, the rooms before it and the modules at the top.
ROOMS = [
    *("io", "config", "models", "inference", "structures", "labels", "training", "dynamics"),
    *("spectra", "figures", "benchmarks"),
]
TOP_OF_MODELS = {"units", "errors", "geometry"}


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
    """(conda environment, module) of every rule."""
    called = []
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for text in path.read_text().split("\nrule ")[1:]:
            env = re.search(r"\.\./\.\./envs/([\w]+)\.yaml", text)
            assert env, f"{path.name}: rule {text.split(':')[0]} names no environment"
            module = re.search(r"python -m (bornflow[\w.]*)", text)
            assert module, f"{path.name}: rule {text.split(':')[0]} calls no module"
            if module[1].endswith("."):  # the base rule of the figures: each derived rule names a module
                drawn = re.findall(r'command=draw\(\s*"(\w+)"', text)
                assert len(drawn) == 1 + len(re.findall(r"\nuse rule ", text))
                called += [(env[1], module[1] + name) for name in drawn]
            else:
                called.append((env[1], module[1]))
    return called


def module_path(name: str):
    path = PACKAGE.parent / name.replace(".", "/")
    return path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"


@cache
def internal_imports(name: str) -> set[str]:
    """Modules of bornflow that a module names in its imports."""
    path = module_path(name)
    package = name.split(".")[: None if path.name == "__init__.py" else -1]
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = ".".join([*base, node.module] if node.module else base)
            inner = {f"{target}.{alias.name}" for alias in node.names}
            modules |= {module if module_path(module).exists() else target for module in inner}
        elif isinstance(node, ast.ImportFrom):
            assert not node.module.startswith("bornflow"), f"{name}: imports of bornflow are relative"
    return modules


@cache
def external_imports(name: str) -> set[str]:
    """Top-level packages, other than bornflow, that a module names in its imports."""
    packages = set()
    for node in ast.walk(ast.parse(module_path(name).read_text())):
        if isinstance(node, ast.ImportFrom) and not node.level:
            packages.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
    return {package for package in packages if package not in sys.stdlib_module_names} - OPTIONAL


def imports(name: str, seen: set[str]) -> set[str]:
    """Top-level packages that a module of bornflow imports, directly or not."""
    if name in seen:
        return set()
    seen.add(name)
    return external_imports(name).union(*(imports(inner, seen) for inner in internal_imports(name)))


@cache
def modules() -> list[str]:
    """The dotted names of all modules of bornflow."""
    paths = (path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in paths)


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_pins_of_environments_agree_with_the_lock_file(path):
    pins = locked()
    for name, version in environment(path).items():
        assert version in pins[name], f"{name} {version} in {path.name}, locked are {pins[name]}"


# Modules that programs import when a setting asks for them.
LAZY = {
    ("cp2k", "bornflow.labels.engines.cp2k.engine"),
    ("cp2k", "bornflow.labels.engines.xtb"),
    ("jax", "bornflow.labels.engines.trained"),
}


@pytest.mark.parametrize(("env", "module"), sorted(set(rules()) | LAZY))
def test_environments_contain_every_import(env, module):
    listed = set(environment(ROOT / f"envs/{env}.yaml"))
    needed = {DISTRIBUTIONS.get(name, name) for name in imports(module, set())}
    assert needed <= listed, f"envs/{env}.yaml lacks {needed - listed} for {module}"


# Libraries and modules of Python that `models` may import; `ase.data` too, which is a table of the elements.
IN_MODELS = {"e3x", "flax", "jax", "jaxpme", "jaxtyping", "numpy", "scipy", "vesin"}
IN_MODELS |= {"collections", "dataclasses", "functools", "itertools", "math", "typing"}


def test_every_module_is_in_a_room_or_at_the_top():
    rooms = {name.split(".")[1] for name in modules() if name.count(".") > 1}
    assert rooms == set(ROOMS)
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__"} == rooms


@pytest.mark.parametrize("name", modules())
def test_a_room_imports_from_the_rooms_before_it(name):
    """Modules at the top import no room; `models` imports only units, errors and geometry from the top."""
    room = name.split(".")[1] if name.count(".") > 1 or name.split(".")[-1] in ROOMS else None
    imported = {module.split(".")[1] for module in internal_imports(name) if module != "bornflow"}
    allowed = set(ROOMS[: ROOMS.index(room) + 1]) if room else set()
    assert imported & set(ROOMS) <= allowed, f"{name} imports {imported & set(ROOMS) - allowed}"
    if room == "models":
        assert imported <= {"models", *TOP_OF_MODELS}, f"{name} imports {imported}"


def test_no_imports_form_a_circle():
    graph = {name: internal_imports(name) - {"bornflow"} for name in modules()}
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize("name", [name for name in modules() if name.startswith("bornflow.models")])
def test_models_import_no_files_and_no_workflow(name):
    for node in ast.walk(ast.parse(module_path(name).read_text())):
        named = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        unexpected = {module for module in named if module.split(".")[0] not in IN_MODELS} - {"ase.data"}
        assert not unexpected, f"{name} imports {unexpected}"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-bench.lock"])
def test_no_address_of_a_registry_in_a_lock_file(lock):
    assert "://" not in (ROOT / lock).read_text()


def test_files_are_short():
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "workflow/rules").glob("*.smk")]:
        assert len(path.read_text().splitlines()) <= 400, path
    assert len((ROOT / "workflow/rules/common.smk").read_text().splitlines()) < 150


def test_the_rules_pass_the_linter_of_snakemake():
    command = [sys.executable, "-m", "snakemake", "--lint", "--nolock"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
