"""What XLA is asked for is what the installed XLA knows; what it compiled is compiled once."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
from examples import search_path

from bornflow.jax_setup import plain_loops


def test_loops_by_llvm_are_a_choice_that_changes_no_number():
    options = plain_loops()
    assert options, "this XLA has no fusion emitters to turn off: jax_setup.plain_loops can go"

    def gradient(x):
        return jax.grad(lambda x: jnp.sum(jnp.sin(x) ** 2 / (1 + x**2)))(x)

    x = jnp.linspace(-3, 3, 100)
    plain = jax.jit(gradient, compiler_options=options)(x)
    assert jnp.allclose(plain, jax.jit(gradient)(x), rtol=1e-12, atol=1e-12)


def test_an_xla_without_the_choice_is_asked_for_nothing(monkeypatch):
    def reject(*_, **options):
        raise jax.errors.JaxRuntimeError(f"No such compile option: {options}")

    monkeypatch.setattr(jax, "jit", reject)
    assert plain_loops.__wrapped__() == {}


def test_what_was_compiled_is_read_by_the_next_process(tmp_path):
    """Counted by jax itself; the small model's step is stored however fast it compiles."""
    script = (
        "import jax; from collections import Counter; from examples import variant, water\n"
        "from bornflow.benchmarks import dynamics\n"
        "found = Counter()\n"
        "jax.monitoring.register_event_listener(lambda event, **_: found.update([event]))\n"
        "calculator = dynamics.ours(variant(charges='local'))\n"
        "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)\n"
        "calculator.calculate(water(6, 0.9))\n"
        "print(found['/jax/compilation_cache/cache_hits'], found['/jax/compilation_cache/cache_misses'])\n"
    )

    def hits_and_misses() -> list[int]:
        result = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path), "PYTHONPATH": search_path()},
            capture_output=True,
            text=True,
            check=True,
        )
        return [int(number) for number in result.stdout.split()]

    hits, misses = hits_and_misses()
    assert misses > 0
    assert any(tmp_path.iterdir())
    assert hits_and_misses() == [hits + misses, 0]
