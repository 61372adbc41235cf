"""Device files: TOML that becomes an immutable, validated description of a device."""

from ionsim.config.citations import Citation, cite
from ionsim.config.device import Device
from ionsim.config.ecm import EcmDevice
from ionsim.config.ecram import EcramDevice
from ionsim.config.files import example_files, example_times, find, load
from ionsim.config.pcm import PcmDevice
from ionsim.config.remarks import remarks
from ionsim.config.vcm import VcmDevice

__all__ = [
    "Citation", "Device", "EcmDevice", "EcramDevice", "PcmDevice", "VcmDevice", "cite", "example_files",
    "example_times", "find", "load", "remarks",
]  # fmt: skip
