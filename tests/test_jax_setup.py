"""Importing changes no setting; the installed XLA knows our options; compiled functions are kept."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
from examples import search_path

from bornflow.jax_setup import plain_loops

IMPORTS = """
import ctypes, jax
before, looked_up = dict(jax.config.values), []
look_up = ctypes.CDLL.__getattr__
ctypes.CDLL.__getattr__ = lambda library, name: looked_up.append(name) or look_up(library, name)

def report():
    changed = [key for key in sorted(before) if jax.config.values[key] != before[key]]
    print("mallopt" in looked_up, *changed)

import numpy as np
from examples import variant
from bornflow.inference import BornflowCalculator, checkpoint
from bornflow.models.model import Model
report()
BornflowCalculator(checkpoint.Checkpoint(Model(variant(), ("H", "O")), {}, np.zeros(2)))
report()
"""


def run(script: str, **environment: str) -> list[str]:
    """Lines printed by a script in a process of its own."""
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": search_path(), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.splitlines()


def test_the_calculator_configures_jax_and_imports_do_not():
    """Imports change neither allocator nor jax; in a new process, since that of the tests is configured."""
    after_imports, after_constructor = run(IMPORTS)
    assert after_imports.split() == ["False"]
    is_allocator_set, *changed = after_constructor.split()
    assert is_allocator_set == "True"
    assert "jax_default_matmul_precision" in changed


def test_the_option_of_llvm_loops_changes_no_number():
    options = plain_loops()
    assert options, "this XLA has no fusion emitters to turn off: jax_setup.plain_loops can go"

    def gradient(x):
        return jax.grad(lambda x: jnp.sum(jnp.sin(x) ** 2 / (1 + x**2)))(x)

    x = jnp.linspace(-3, 3, 100)
    plain = jax.jit(gradient, compiler_options=options)(x)
    assert jnp.allclose(plain, jax.jit(gradient)(x), rtol=1e-12, atol=1e-12)


def test_an_xla_without_the_option_gets_no_option(monkeypatch):
    def reject(*_, **options):
        raise jax.errors.JaxRuntimeError(f"No such compile option: {options}")

    monkeypatch.setattr(jax, "jit", reject)
    assert plain_loops.__wrapped__() == {}


def test_without_a_home_folder_compiled_functions_are_kept_elsewhere(tmp_path):
    """Users of containers have none, or one that they cannot write to."""
    lines = ("import jax", "from bornflow.jax_setup import configure", "configure()")
    script = "\n".join((*lines, "print(jax.config.jax_compilation_cache_dir)"))
    (folder,) = run(script, HOME="/dev/null/none", XDG_CACHE_HOME="", TMPDIR=str(tmp_path))
    assert folder.startswith(f"{tmp_path}/bornflow-{os.getuid()}/compiled/")


def test_compiled_functions_are_read_by_the_next_process(tmp_path):
    """jax counts the hits; even a step that compiles quickly is stored."""
    script = (
        "import jax; from collections import Counter; from examples import variant, water\n"
        "from bornflow.benchmarks import dynamics\n"
        "found = Counter()\n"
        "jax.monitoring.register_event_listener(lambda event, **_: found.update([event]))\n"
        "calculator = dynamics.bornflow_calculator(variant(charges='local'))\n"
        "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)\n"
        "found.clear()\n"  # whether the constructor's functions were stored depends on how long they compiled
        "calculator.calculate(water(6, 0.9))\n"
        "print(found['/jax/compilation_cache/cache_hits'], found['/jax/compilation_cache/cache_misses'])\n"
    )

    def hits_and_misses() -> list[int]:
        (line,) = run(script, JAX_COMPILATION_CACHE_DIR=str(tmp_path))
        return [int(number) for number in line.split()]

    hits, misses = hits_and_misses()
    assert misses > 0
    assert any(tmp_path.iterdir())
    assert hits_and_misses() == [hits + misses, 0]
