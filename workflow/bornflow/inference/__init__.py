"""A trained model: its folder, and ASE calculators of one model and of a committee."""

from .calculator import BornflowCalculator
from .committee import CommitteeCalculator, calculator

__all__ = ["BornflowCalculator", "CommitteeCalculator", "calculator"]
