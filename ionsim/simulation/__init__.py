"""The one run loop of all device families."""

from ionsim.simulation.loop import Frame, Simulation

__all__ = ["Frame", "Simulation"]
