"""Configurations: defaults, checks, and the sections that each kind of job reads."""

from .load import check_files, complete, load, load_variant

__all__ = ["check_files", "complete", "load", "load_variant"]
