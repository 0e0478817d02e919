"""The settings of jax in a process that evaluates models.

Importing bornflow changes no setting of a process. `configure()` does; every program that evaluates models
calls it, and so does the constructor of `BornflowCalculator`. Call it before the first calculation with jax.
"""

import contextlib
import ctypes
import hashlib
import os
import platform
import tempfile
from functools import cache
from pathlib import Path

import jax

# Parameters of glibc's mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def configure() -> None:
    """Set full precision, keep freed memory in the process and compiled functions on disk.

    It may be called repeatedly.
    """
    keep_memory()
    full_precision()
    keep_compiled()


def keep_memory() -> None:
    """Let glibc keep freed memory instead of returning it to the kernel; no effect with other C libraries.

    A step needs some 0.2 MB per atom for a few milliseconds. Requesting this memory from the kernel again,
    page by page, takes up to half of the step. The disadvantage is that the process uses up to twice as much
    memory. Call it before XLA starts its threads.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def full_precision() -> None:
    """Let accelerators multiply float32 matrices in float32; by default they round to 10 or 7 bits.

    Positions, phases of waves and forces need all 23 bits. Processors use full precision by default.
    """
    jax.config.update("jax_default_matmul_precision", "highest")


@cache
def plain_loops() -> dict[str, bool]:
    """`compiler_options` of jax.jit: on processors LLVM, not XLA's fusion emitters, generates loops.

    Steps of training and of dynamics then compile in two thirds of the time and run as fast or faster. Empty
    where XLA has no such option.
    """
    options = {"xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(lambda x: x + 1, compiler_options=options)(0)
    except jax.errors.JaxRuntimeError:
        return {}
    return options


def keep_compiled() -> None:
    """Let jax store compiled functions in the user's cache folder, in one folder per kind of processor.

    $JAX_COMPILATION_CACHE_DIR names another folder; JAX_ENABLE_COMPILATION_CACHE=false switches this off.
    """
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(_cache_folder() / "compiled" / _processor()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


def _cache_folder() -> Path:
    """The user's cache folder; users of containers may have no home, or one that they cannot write to."""
    with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: no home folder
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bornflow"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.gettempdir()) / f"bornflow-{os.getuid()}"


def _processor() -> str:
    """A short name for the processor's features; machines that share a home folder may differ in them."""
    features = platform.processor() or platform.machine()
    description = Path("/proc/cpuinfo")
    if description.exists():
        wanted = ("model name", "flags", "Features")
        lines = description.read_text(encoding="utf-8", errors="replace").splitlines()
        features += "".join(sorted({line for line in lines if line.startswith(wanted)}))
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"
