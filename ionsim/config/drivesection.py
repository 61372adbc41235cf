"""What all kinds of the ``[drive]`` table share."""

from abc import abstractmethod

from ionsim.config.base import Problems, Section, number, setting


class TransistorKeys(Section):
    """An n-MOSFET of the square law between device and ground (1T1R), its drain at the device."""

    gate_V: float = number(..., "V", "gate voltage over ground", ge=-100, le=100)
    threshold_V: float = number(..., "V", "threshold voltage", ge=-100, le=100)
    transconductance_A_per_V2: float = number(
        ..., "A/V^2", "k of the saturation current k/2 (Vgs - Vt)^2", gt=0, le=1e3
    )
    channel_length_modulation_per_V: float = number(
        0.0, "1/V", "lambda of the factor 1 + lambda Vds of the current", ge=0, le=10
    )


class DriveSection(Section):
    """What all kinds of drive share: the external circuit."""

    series_resistance_ohm: float = number(0.0, "ohm", "resistance between source and device", ge=0, le=1e9)
    compliance_A: float | None = number(None, "A", "limit of the current's magnitude, else none", gt=0, le=1)
    transistor: TransistorKeys | None = setting(None, "transistor that limits the current")

    @abstractmethod
    def cross_checks(self) -> Problems:
        """Problems between the keys of this table; key paths are relative to it."""
