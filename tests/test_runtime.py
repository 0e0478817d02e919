"""What XLA is asked for is what the installed XLA knows."""

import jax
import jax.numpy as jnp

from bornflow.runtime import plain_loops


def test_loops_by_llvm_are_a_choice_that_changes_no_number():
    options = plain_loops()
    assert options, "this XLA has no fusion emitters to turn off: runtime.plain_loops can go"

    def gradient(x):
        return jax.grad(lambda x: jnp.sum(jnp.sin(x) ** 2 / (1 + x**2)))(x)

    x = jnp.linspace(-3, 3, 100)
    plain = jax.jit(gradient, compiler_options=options)(x)
    assert jnp.allclose(plain, jax.jit(gradient)(x), rtol=1e-12, atol=1e-12)


def test_an_xla_without_the_choice_is_asked_for_nothing(monkeypatch):
    def refuse(*_, **options):
        raise jax.errors.JaxRuntimeError(f"No such compile option: {options}")

    monkeypatch.setattr(jax, "jit", refuse)
    assert plain_loops.__wrapped__() == {}
