"""From a device description to the family that simulates it."""

import numpy as np
from mpi4py import MPI

from ionsim.config import Device
from ionsim.config.ecm import EcmDevice
from ionsim.config.ecram import EcramDevice
from ionsim.config.pcm import PcmDevice
from ionsim.config.vcm import VcmDevice
from ionsim.devices.ecm import Ecm
from ionsim.devices.ecram import Ecram
from ionsim.devices.pcm import Pcm
from ionsim.devices.protocol import Family
from ionsim.devices.vcm import Vcm
from ionsim.devices.vcm_continuum import VcmContinuum
from ionsim.errors import DeviceFileError


def build(device: Device, seed: np.random.SeedSequence, comm: MPI.Comm) -> Family:
    """Build the simulation of a device. Raises DeviceFileError for a family without one."""
    if isinstance(device, VcmDevice):
        if device.model == "continuum":
            return VcmContinuum(device, comm)
        return Vcm(device, seed, comm)
    if isinstance(device, EcmDevice):
        return Ecm(device, seed, comm)
    if isinstance(device, PcmDevice):
        return Pcm(device, seed, comm)
    if isinstance(device, EcramDevice):
        return Ecram(device, seed, comm)
    raise DeviceFileError(f"family: {device.family!r} cannot be simulated yet; allowed: 'ecm', 'ecram', 'pcm', 'vcm'")
