"""Device families: each builds mesh and engines from a device description and offers one small protocol."""

from ionsim.devices.families import build
from ionsim.devices.protocol import Family

__all__ = ["Family", "build"]
