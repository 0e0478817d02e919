"""The calculator under the name that earlier versions had; it lives in `bornflow.inference`."""

from ..inference import BornflowCalculator

__all__ = ["BornflowCalculator"]
