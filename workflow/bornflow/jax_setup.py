"""How jax is set up in a process that evaluates models.

Importing bornflow changes nothing in a process. `configure()` does, and is called by every program that
evaluates models and by `BornflowCalculator`. Call it before the first calculation with jax.
"""

import ctypes
import hashlib
import os
import platform
from functools import cache
from pathlib import Path

import jax

# Parameters of glibc's mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def configure() -> None:
    """Full precision, memory kept by the process, compiled functions kept on disk; harmless to repeat."""
    keep_memory()
    full_precision()
    keep_compiled()


def keep_memory() -> None:
    """Have glibc keep what is freed instead of returning it to the kernel; other C libraries do as they do.

    A step needs some 0.2 MB an atom for a few milliseconds. Fetched anew, page by page, they cost up to
    half of the step. The process holds up to twice as much for it. Call it before XLA starts its threads.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def full_precision() -> None:
    """Have accelerators multiply matrices of float32 in float32; by themselves they round to 10 or 7 bits.

    Positions, phases of waves and forces need all 23. Processors do so anyway.
    """
    jax.config.update("jax_default_matmul_precision", "highest")


@cache
def plain_loops() -> dict[str, bool]:
    """`compiler_options` of jax.jit with which LLVM writes loops on processors, instead of fusion emitters.

    Steps of training and of coupled models then compile in two thirds of the time or less and run about as
    fast; those of uncoupled models may run up to half slower (docs/models.md). Empty where XLA has no such
    choice.
    """
    options = {"xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(lambda x: x + 1, compiler_options=options)(0)
    except jax.errors.JaxRuntimeError:
        return {}
    return options


def keep_compiled() -> None:
    """Let jax store what it compiles in the user's cache folder, one for each kind of processor.

    $JAX_COMPILATION_CACHE_DIR names another folder; JAX_ENABLE_COMPILATION_CACHE=false stores nothing.
    """
    if jax.config.jax_compilation_cache_dir is None:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(home / "bornflow" / "compiled" / _processor()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


def _processor() -> str:
    """A short name for what compiled code may rely on: a home folder is shared by unlike machines."""
    features = platform.processor() or platform.machine()
    description = Path("/proc/cpuinfo")
    if description.exists():
        wanted = ("model name", "flags", "Features")
        lines = description.read_text(encoding="utf-8", errors="replace").splitlines()
        features += "".join(sorted({line for line in lines if line.startswith(wanted)}))
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"
