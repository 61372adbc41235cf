"""The families of compact models."""

from ionsim.compact.families.pcm import PCM
from ionsim.compact.families.transistor import EKV
from ionsim.compact.families.vcm import VCM

__all__ = ["EKV", "PCM", "VCM"]
