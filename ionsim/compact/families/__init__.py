"""The families of compact models."""

from ionsim.compact.families.ecm import ECM
from ionsim.compact.families.transistor import EKV
from ionsim.compact.families.vcm import VCM

__all__ = ["ECM", "EKV", "VCM"]
