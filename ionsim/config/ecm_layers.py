"""The layers of an ECM cell: on the way of the current, and around it in a lateral cell."""

from collections.abc import Mapping

from ionsim.config.base import Problem, Problems, Section, number, setting
from ionsim.config.filament import Layer

#: Places (nm) that differ by less are the same.
_ROUNDING_NM = 1e-6


class StackLayer(Layer):
    """A layer on the way of the current, from the inert electrode to the active one."""

    begins_nm: float | None = number(
        None, "nm", "z at which it begins, else where the one before ends; the electrolyte begins at 0", ge=-1e4, le=1e4
    )


class BarrierLayer(StackLayer):
    """A thin layer between the electrolyte and the active electrode that ions have to cross.

    In a dense layer metal has to make room for itself: with ``atom_shift_eV`` a filament ends at it, and electrons
    tunnel across.
    """

    hop_shift_eV: float = number(0.15, "eV", "added to the hop barrier of ions in it", ge=-5, le=5)
    ion_shift_eV: float = number(0.0, "eV", "added to the energy of an ion in it", ge=-5, le=5)
    atom_shift_eV: float = number(0.0, "eV", "added to the energy of an atom in it", ge=-5, le=5)
    conductivity_S_per_m: float = number(1e-3, "S/m", "conductivity of the layer", gt=0, le=1e6)
    tunnel_barrier_eV: float | None = number(
        None, "eV", "barrier of tunnelling electrons in it, else that of conduction", gt=0, le=10
    )
    effective_mass: float | None = number(
        None, "m0", "effective mass of tunnelling electrons in it, else that of conduction", gt=0, le=10
    )


class EcmLayers(Section):
    """The stack from the grounded inert electrode to the driven active one, with a contact on it.

    In a lateral cell all of these stand side by side on a substrate, and their thickness is their length along the
    current: that of the electrolyte is the gap between the electrodes.
    """

    bottom: StackLayer = setting(..., "inert electrode, grounded")
    electrolyte: StackLayer = setting(..., "solid electrolyte")
    barrier: BarrierLayer | None = setting(None, "thin layer on the electrolyte, below the active electrode")
    active: StackLayer = setting(..., "active electrode: the metal that dissolves")
    top: StackLayer = setting(..., "contact of the active electrode, driven")
    substrate: Layer | None = setting(None, "insulator below a lateral cell, cooled from below")
    capping: Layer | None = setting(None, "insulator (or air) above a lateral cell")
    electrode_height_nm: float | None = number(
        None, "nm", "lateral cells: height of the electrodes on the substrate, else that of the film", gt=0.2, le=1000
    )

    def stack(self) -> Mapping[str, StackLayer]:
        """The layers on the way of the current, from the inert electrode on."""
        layers = {name: getattr(self, name) for name in ("bottom", "electrolyte", "barrier", "active", "top")}
        return {name: layer for name, layer in layers.items() if layer is not None}

    def around(self) -> Mapping[str, Layer]:
        """What lies below and above a lateral cell."""
        layers = {"substrate": self.substrate, "capping": self.capping}
        return {name: layer for name, layer in layers.items() if layer is not None}


def begin_checks(layers: EcmLayers) -> Problems:
    """Layers whose place is given neither overlap nor leave a gap."""
    edge, before = -layers.bottom.thickness_nm, ""
    for name, layer in layers.stack().items():
        begins = edge if layer.begins_nm is None else layer.begins_nm
        if abs(begins - edge) > _ROUNDING_NM:
            over = begins > edge if name == "bottom" else begins < edge
            beside = f"layers.{before}, which ends at {edge:g} nm" if before else "layers.electrolyte, beginning at 0"
            message = f"overlaps {beside}" if over else f"leaves a gap to {beside}"
            yield Problem(f"layers.{name}.begins_nm", f"{message}; must be {edge:g} nm, or left out", begins)
        edge, before = edge + layer.thickness_nm, name


def vertical_checks(layers: EcmLayers) -> Problems:
    """A vertical cell has electrodes where a lateral one has its surroundings."""
    lateral = 'only with layout = "lateral"'
    for name in layers.around():
        below = "bottom" if name == "substrate" else "active"
        yield Problem(f"layers.{name}", f"{lateral}: in a vertical cell it would overlap layers.{below}")
    height_nm = layers.electrode_height_nm
    if height_nm is not None:
        yield Problem("layers.electrode_height_nm", f"{lateral}: electrodes are as wide as the mesh", height_nm)


def lateral_checks(layers: EcmLayers, depth_nm: float) -> Problems:
    """A lateral cell stands on a substrate; its film (``depth_nm``) is no higher than the electrodes beside it."""
    if layers.substrate is None:
        yield Problem("layers.substrate", 'missing; layout = "lateral" needs an insulator below the cell')
    height_nm = layers.electrode_height_nm
    if height_nm is None:
        return
    if height_nm < depth_nm:
        message = f"must be at least lattice.depth_nm = {depth_nm:g}: the film would overlap the electrodes"
        yield Problem("layers.electrode_height_nm", message, height_nm)
    elif height_nm > depth_nm and layers.capping is None:
        message = "missing; it fills the gap above the film, as layers.electrode_height_nm is above lattice.depth_nm"
        yield Problem("layers.capping", message)
