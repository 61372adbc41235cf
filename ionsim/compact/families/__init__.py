"""The families of compact models."""

from ionsim.compact.families.ecm import ECM
from ionsim.compact.families.ecram import ECRAM
from ionsim.compact.families.pcm import PCM
from ionsim.compact.families.selector import THRESHOLD, VARISTOR
from ionsim.compact.families.transistor import EKV
from ionsim.compact.families.vcm import VCM

__all__ = [
    "ECM",
    "ECRAM",
    "EKV",
    "PCM",
    "THRESHOLD",
    "VARISTOR",
    "VCM",
]
