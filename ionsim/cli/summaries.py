"""What the command line prints of a run's summary."""

from typing import TYPE_CHECKING, Any

from ionsim.errors import DeviceFileError

if TYPE_CHECKING:
    from ionsim.config import Device
    from ionsim.results import Run


def device_of(run: "Run") -> "Device | None":
    """The device of a run; None where this version cannot read its description."""
    from ionsim.config import Device

    try:
        return Device.from_toml(run.input_toml, folder=run.folder)
    except DeviceFileError:
        return None


def shown(run: "Run") -> dict[str, Any]:
    """The summary without what no run of this device can have: its dashes stand for what did not occur, only."""
    from ionsim.analysis.switching import cannot_occur

    device = device_of(run)
    absent = frozenset() if device is None else cannot_occur(device)
    return {key: value for key, value in run.summary.items() if value is not None or key not in absent}
