"""Device files of the family ``ecm``: filaments of silver or copper that grow from ions of an active electrode."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from ionsim.config.base import Problem, Problems, Section, number, setting
from ionsim.config.device import Device
from ionsim.config.filament import Layer, Mesh, Spot, domain_checks, spot_checks

#: Edge of the cubic cell of metals that dissolve as ions, nm (CRC Handbook, 25 C).
LATTICE_CONSTANTS_NM = {"Ag": 0.40862, "Cu": 0.36146}


class EcmLattice(Section):
    """The box of sites, the metal's own face-centred cubic lattice with (100) planes across the film normal."""

    width_nm: float = number(4.0, "nm", "size of the box along x", ge=0.8, le=200)
    depth_nm: float = number(4.0, "nm", "size of the box along y", ge=0.8, le=200)


class EcmLayers(Section):
    """The stack from the grounded inert electrode to the driven active one, with a contact on it."""

    bottom: Layer = setting(..., "inert electrode, grounded")
    electrolyte: Layer = setting(..., "solid electrolyte")
    active: Layer = setting(..., "active electrode: the metal that dissolves")
    top: Layer = setting(..., "contact of the active electrode, driven")


class SoftSpot(Spot):
    """A column through the electrolyte where ions move more easily (a pore, a defect, a grain boundary's stand-in)."""

    hop_shift_eV: float = number(0.0, "eV", "added to the hop barrier of ions", ge=-5, le=5)


class Ion(Section):
    """Metal ions in the electrolyte and their hops. The zero of energy is an atom at a kink of the active electrode."""

    charge_e: float = number(1.0, "e", "charge of an ion", gt=0, le=4)
    energy_eV: float = number(0.70, "eV", "energy of an ion in the electrolyte", ge=-5, le=5)
    repulsion_eV: float = number(0.2, "eV", "energy of two neighbouring ions; not used with space_charge", ge=0, le=5)
    space_charge: bool = setting(False, "ions feel each other's charge, screened by electrodes and metal")
    hop_barrier_eV: float = number(0.45, "eV", "symmetric barrier of a hop", ge=0, le=5)
    hop_spread_eV: float = number(0.0, "eV", "standard deviation of the barrier, drawn once per edge", ge=0, le=2)
    attempt_Hz: float = number(1e13, "Hz", "attempt frequency of all processes", ge=1e9, le=1e16)
    max_hop_rate_Hz: float | None = number(None, "Hz", "cap that slows a hop and its reverse alike", gt=0, le=1e16)


class Atom(Section):
    """Metal atoms: bond counting gives surface energy, coalescence, dissolution and break-up."""

    bond_eV: float = number(0.17, "eV", "energy that a bond of two metal atoms gains", gt=0, le=2)
    inert_bond_eV: float = number(0.16, "eV", "energy that a bond to the inert electrode gains", ge=0, le=2)
    strain_eV: float = number(0.10, "eV", "energy of an atom in the electrolyte above bond counting", ge=0, le=5)
    surface_barrier_eV: float = number(0.35, "eV", "symmetric barrier of a hop on metal", ge=0, le=5)
    electrode_barrier_eV: float = number(
        0.65, "eV", "symmetric barrier of an atom that joins the electrode", ge=0, le=5
    )
    max_surface_rate_Hz: float | None = number(None, "Hz", "cap that slows a hop and its reverse alike", gt=0, le=1e16)


class Transfer(Section):
    """Transfer of charge: oxidation and reduction at the electrodes and at every piece of metal."""

    barrier_eV: float = number(0.40, "eV", "symmetric barrier", ge=0, le=5)
    spread_eV: float = number(0.0, "eV", "standard deviation of the barrier, drawn once", ge=0, le=2)
    max_rate_Hz: float | None = number(None, "Hz", "cap at electrodes that slows both directions alike", gt=0, le=1e16)
    max_metal_rate_Hz: float | None = number(
        None, "Hz", "cap at pieces of metal that slows both directions alike", gt=0, le=1e16
    )


class EcmConduction(Section):
    """Currents: of ions through the electrolyte and its interfaces, of electrons through metal and across gaps."""

    electrolyte_S_per_m: float = number(1e-3, "S/m", "conductivity of the electrolyte", gt=0, le=1e6)
    transfer_S_per_m2: float = number(
        1.0e5, "S/m^2", "conductance of charge transfer at electrodes and metal, by area", gt=0, le=1e15
    )
    tunnel_barrier_eV: float = number(3.0, "eV", "barrier of tunnelling electrons", gt=0, le=10)
    effective_mass: float = number(0.5, "m0", "effective mass of tunnelling electrons", gt=0, le=10)
    cutoff_nm: float = number(1.5, "nm", "widest gap across which electrons tunnel", gt=0.2, le=10)


class EcmHeat(Section):
    """Joule heat: where electrons leave it, and how it leaves the stack."""

    relaxation_length_nm: float = number(30.0, "nm", "energy relaxation length of electrons", gt=0, le=1e4)
    spread_nm: float = number(0.3, "nm", "radius of a site's heat along the path", ge=0, le=5)
    boundary_bottom_W_per_m2K: float = number(1e8, "W/(m^2 K)", "conductance to the inert electrode", gt=0, le=1e13)
    boundary_top_W_per_m2K: float = number(1e8, "W/(m^2 K)", "conductance to the active electrode", gt=0, le=1e13)


class EcmDevice(Device):
    """A device of the family ``ecm``."""

    family: Literal["ecm"]
    lattice: EcmLattice = setting(EcmLattice(), "box of the lattice")
    layers: EcmLayers = setting(..., "the stack")
    soft_spots: Annotated[tuple[SoftSpot, ...], Field(strict=False)] = setting((), "columns of easier motion")
    ion: Ion = setting(Ion(), "ions")
    atom: Atom = setting(Atom(), "metal atoms")
    transfer: Transfer = setting(Transfer(), "transfer of charge")
    conduction: EcmConduction = setting(EcmConduction(), "currents")
    heat: EcmHeat = setting(EcmHeat(), "Joule heat")
    mesh: Mesh = setting(Mesh(), "finite elements")

    @property
    def lattice_constant_nm(self) -> float:
        """Edge of the cubic cell of the active metal."""
        return LATTICE_CONSTANTS_NM[self.layers.active.material]

    def material_keys(self) -> Iterator[tuple[str, str]]:
        """Key path and name of every material that the stack uses."""
        for layer in EcmLayers.model_fields:
            yield f"layers.{layer}.material", getattr(self.layers, layer).material

    def cross_checks(self) -> Problems:
        """What single keys cannot say: an active electrode that dissolves, an inert one that does not, and sizes."""
        yield from super().cross_checks()
        known = ", ".join(LATTICE_CONSTANTS_NM)
        active, bottom = self.layers.active.material, self.layers.bottom.material
        if active not in LATTICE_CONSTANTS_NM:
            yield Problem("layers.active.material", f"must be a metal that dissolves as ions: {known}", active)
        if bottom in LATTICE_CONSTANTS_NM:
            yield Problem("layers.bottom.material", f"must be inert, none of {known}", bottom)
        if self.numerics.distributed_lattice:
            yield Problem("numerics.distributed_lattice", "not with the family ecm yet; must be false", True)
        if self.ion.space_charge:
            yield from self._charge_checks()
        width_nm, depth_nm = self.lattice.width_nm, self.lattice.depth_nm
        yield from domain_checks(self.mesh, width_nm, depth_nm)
        yield from spot_checks("soft_spots", self.soft_spots, width_nm, depth_nm)

    def _charge_checks(self) -> Problems:
        """Space charge needs a permittivity, and an engine that stops after every event of an ion."""
        name = self.layers.electrolyte.material
        if self.has_material(name) and "relative_permittivity" not in self.material(name).quantities:
            message = f"ion.space_charge needs its relative_permittivity; give it in [materials.{name}]"
            yield Problem("layers.electrolyte.material", message, name)
        if self.numerics.superbasin_states is not None:
            message = "not with ion.space_charge: the potential follows every event of an ion"
            yield Problem("numerics.superbasin_states", message, self.numerics.superbasin_states)
