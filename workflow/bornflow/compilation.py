"""Keep compiled models on disk, so that the next process with the same model and shapes starts at once."""

import hashlib
import os
import platform
from pathlib import Path

import jax


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
        lines = description.read_text().splitlines()
        features += "".join(sorted({line for line in lines if line.startswith(wanted)}))
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"
