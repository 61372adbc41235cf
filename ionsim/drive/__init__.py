"""What is applied to a device: waveforms with their stages, and the external circuit."""

from ionsim.drive.circuit import Circuit, OperatingPoint
from ionsim.drive.drive import Drive, Turn, Waveform
from ionsim.drive.transistor import Transistor

__all__ = ["Circuit", "Drive", "OperatingPoint", "Transistor", "Turn", "Waveform"]
