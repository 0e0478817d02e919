"""A trained model: its folder, and an ASE calculator with a neighbour list."""

from .calculator import BornflowCalculator

__all__ = ["BornflowCalculator"]
