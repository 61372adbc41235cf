"""Device files of the family ``ecm``: filaments of silver or copper that grow from ions of an active electrode."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from ionsim import materials as database
from ionsim.config.base import Problem, Problems, Section, number, setting
from ionsim.config.device import Device
from ionsim.config.ecm_layers import EcmLayers, begin_checks, lateral_checks, vertical_checks
from ionsim.config.filament import Layer, Mesh, Spot, domain_checks, spot_checks

#: Edge of the cubic cell of metals that dissolve as ions, nm (CRC Handbook, 25 C).
LATTICE_CONSTANTS_NM = {"Ag": 0.40862, "Cu": 0.36146}

#: Numbers that a device file may leave to the set of its metal and electrolyte.
SET_KEYS = (
    "ion.energy_eV", "ion.hop_barrier_eV", "atom.bond_eV", "atom.strain_eV", "atom.surface_barrier_eV",
    "transfer.barrier_eV",
)  # fmt: skip
_SET = "else that of the metal and electrolyte"


class EcmLattice(Section):
    """The box of sites, the metal's own face-centred cubic lattice with (100) planes across the film normal."""

    width_nm: float = number(4.0, "nm", "size of the box along x", ge=0.8, le=200)
    depth_nm: float = number(4.0, "nm", "size of the box along y; lateral: thickness of the film", ge=0.8, le=200)


class SoftSpot(Spot):
    """A column through the electrolyte where ions move more easily (a pore, a defect, a grain boundary's stand-in)."""

    hop_shift_eV: float = number(0.0, "eV", "added to the hop barrier of ions", ge=-5, le=5)


class Ion(Section):
    """Metal ions in the electrolyte and their hops. The zero of energy is an atom at a kink of the active electrode."""

    charge_e: float = number(1.0, "e", "charge of an ion", gt=0, le=4)
    energy_eV: float | None = number(None, "eV", f"energy of an ion in the electrolyte, {_SET}", ge=-5, le=5)
    repulsion_eV: float = number(0.2, "eV", "energy of two neighbouring ions; not used with space_charge", ge=0, le=5)
    space_charge: bool = setting(False, "ions feel each other's charge, screened by electrodes and metal")
    hop_barrier_eV: float | None = number(None, "eV", f"symmetric barrier of a hop, {_SET}", ge=0, le=5)
    hop_spread_eV: float = number(0.0, "eV", "standard deviation of the barrier, drawn once per edge", ge=0, le=2)
    attempt_Hz: float = number(1e13, "Hz", "attempt frequency of all processes", ge=1e9, le=1e16)
    max_hop_rate_Hz: float | None = number(
        None, "Hz", "cap that slows a hop and its reverse alike, else none", gt=0, le=1e16
    )


class Atom(Section):
    """Metal atoms: bond counting gives surface energy, coalescence, dissolution and break-up."""

    bond_eV: float | None = number(None, "eV", f"energy that a bond of two metal atoms gains, {_SET}", gt=0, le=2)
    inert_bond_eV: float = number(0.20, "eV", "energy that a bond to the inert electrode gains", ge=0, le=2)
    strain_eV: float | None = number(
        None, "eV", f"energy of an atom in the electrolyte above bond counting, {_SET}", ge=0, le=5
    )
    surface_barrier_eV: float | None = number(None, "eV", f"symmetric barrier of a hop on metal, {_SET}", ge=0, le=5)
    electrode_barrier_eV: float = number(1.0, "eV", "symmetric barrier of an atom that joins the electrode", ge=0, le=5)
    max_surface_rate_Hz: float | None = number(
        None, "Hz", "cap that slows a hop and its reverse alike, else none", gt=0, le=1e16
    )


class Transfer(Section):
    """Transfer of charge: oxidation and reduction at the electrodes and at every piece of metal."""

    barrier_eV: float | None = number(None, "eV", f"symmetric barrier, {_SET}", ge=0, le=5)
    active_barrier_eV: float | None = number(
        None, "eV", "symmetric barrier at the active electrode, else barrier_eV; a lower one: its area beyond the box",
        ge=0, le=5,
    )  # fmt: skip
    nucleation_barrier_eV: float = number(
        0.0, "eV", "added to the barrier of an ion that is reduced on the bare inert electrode", ge=0, le=5
    )
    spread_eV: float = number(0.0, "eV", "standard deviation of the barrier, drawn once", ge=0, le=2)
    max_rate_Hz: float | None = number(
        None, "Hz", "cap at electrodes that slows both directions alike, else none", gt=0, le=1e16
    )
    max_metal_rate_Hz: float | None = number(
        None, "Hz", "cap at pieces of metal that slows both directions alike, else none", gt=0, le=1e16
    )
    joined_metal: bool = setting(
        False, "metal that has joined the active electrode gives and takes ions as that does, until it bridges"
    )


class FilmReduction(Section):
    """Reduction of ions in the electrolyte, away from metal, by electrons that the inert electrode sends through traps.

    Their rate falls with the distance from that electrode as exp(-distance/decay_nm); their potential is that of the
    electrode (injection at the cathode limits them).
    """

    barrier_eV: float = number(0.40, "eV", "symmetric barrier", ge=0, le=5)
    decay_nm: float = number(1.0, "nm", "distance over which the supply of electrons falls by a factor e", gt=0, le=1e3)


class Dopants(Section):
    """Sites that bind ions, strewn over the electrolyte."""

    fraction: float = number(..., "", "share of sites that bind", gt=0, le=1)
    binding_eV: float = number(..., "eV", "energy that an ion gains on such a site", ge=-2, le=2)


class Clusters(Section):
    """Spheres of metal that the electrolyte holds at the start (a co-deposited film such as Ag:SiOx)."""

    material: str | None = setting(
        None, "metal of the clusters where both electrodes are inert, else that of the active electrode"
    )

    fraction: float = number(..., "", "share of the electrolyte's volume that is metal", gt=0, le=0.6)
    radius_nm: float = number(0.5, "nm", "radius of a cluster", ge=0.2, le=10)


class EcmConduction(Section):
    """Currents: of ions through the electrolyte and its interfaces, of electrons through metal and across gaps."""

    electrolyte_S_per_m: float = number(1e-3, "S/m", "conductivity of the electrolyte", gt=0, le=1e6)
    transfer_S_per_m2: float = number(
        1.0e5, "S/m^2", "conductance of charge transfer at electrodes and metal, by area", gt=0, le=1e15
    )
    deposit_S_per_m2: float | None = number(
        None, "S/m^2", "the same at the inert electrode and metal on it, else transfer_S_per_m2", gt=0, le=1e15
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
    boundary_substrate_W_per_m2K: float = number(
        1e8, "W/(m^2 K)", "lateral cells: conductance from film and electrodes to the substrate", gt=0, le=1e13
    )


class EcmDevice(Device):
    """A device of the family ``ecm``."""

    family: Literal["ecm"] = setting(..., "device family")
    layout: Literal["vertical", "lateral"] = setting(
        "vertical", "electrodes above each other, or side by side on a substrate"
    )
    lattice: EcmLattice = setting(EcmLattice(), "box of the lattice")
    layers: EcmLayers = setting(..., "the stack")
    soft_spots: Annotated[tuple[SoftSpot, ...], Field(strict=False)] = setting((), "columns of easier motion")
    ion: Ion = setting(Ion(), "ions")
    atom: Atom = setting(Atom(), "metal atoms")
    transfer: Transfer = setting(Transfer(), "transfer of charge")
    film_reduction: FilmReduction | None = setting(None, "reduction of ions away from metal; none without it")
    dopants: Dopants | None = setting(None, "sites that bind ions")
    clusters: Clusters | None = setting(None, "metal in the electrolyte at the start")
    conduction: EcmConduction = setting(EcmConduction(), "currents")
    heat: EcmHeat = setting(EcmHeat(), "Joule heat")
    mesh: Mesh = setting(Mesh(), "finite elements")

    @property
    def lattice_constant_nm(self) -> float:
        """Edge of the cubic cell of the active metal."""
        return LATTICE_CONSTANTS_NM[self.metal]

    @property
    def metal(self) -> str:
        """The metal that moves: of the active electrode, or of clusters between inert electrodes."""
        own = self.clusters.material if self.clusters else None
        return own or self.layers.active.material

    @property
    def dissolves(self) -> bool:
        """Whether the driven electrode gives and takes ions; if not, the clusters are all the metal there is."""
        return self.layers.active.material in LATTICE_CONSTANTS_NM

    @property
    def film_nm(self) -> float:
        """Thickness of the electrolyte and the barrier layer."""
        barrier = self.layers.barrier
        return self.layers.electrolyte.thickness_nm + (barrier.thickness_nm if barrier else 0.0)

    def kinetic(self, key: str) -> float:
        """The number of a key path such as ``ion.energy_eV``: the file's own, else that of the material set."""
        section, name = key.split(".")
        own = getattr(getattr(self, section), name)
        return float(self._set[key].value if own is None else own)

    @property
    def _set(self) -> dict[str, database.Quantity]:
        return database.ion_set(self.metal, self.layers.electrolyte.material)

    def taken_from_sets(self) -> dict[str, database.Quantity]:
        """Numbers of the metal and its ions in this electrolyte that the file does not give."""
        return {key: item for key, item in self._set.items() if key in self._left_open()}

    def _left_open(self) -> list[str]:
        return [key for key in SET_KEYS if getattr(getattr(self, key.split(".")[0]), key.split(".")[1]) is None]

    def material_keys(self) -> Iterator[tuple[str, str]]:
        """Key path and name of every material that the stack uses."""
        for name in EcmLayers.model_fields:
            layer = getattr(self.layers, name)
            if isinstance(layer, Layer):
                yield f"layers.{name}.material", layer.material
        if self.clusters is not None and self.clusters.material is not None:
            yield "clusters.material", self.clusters.material

    def cross_checks(self) -> Problems:
        """What single keys cannot say: an active electrode that dissolves, an inert one that does not, and sizes."""
        yield from super().cross_checks()
        known = ", ".join(LATTICE_CONSTANTS_NM)
        active, bottom = self.layers.active.material, self.layers.bottom.material
        clusters = self.clusters.material if self.clusters else None
        if clusters is not None and clusters not in LATTICE_CONSTANTS_NM:
            yield Problem("clusters.material", f"must be a metal that dissolves as ions: {known}", clusters)
        elif clusters is not None and active in LATTICE_CONSTANTS_NM and active != clusters:
            yield Problem("clusters.material", f"must be that of layers.active, {active}, or left out", clusters)
        elif clusters is None and active not in LATTICE_CONSTANTS_NM:
            yield Problem("layers.active.material", f"must be a metal that dissolves as ions: {known}", active)
        else:
            yield from self._set_checks()
        if bottom in LATTICE_CONSTANTS_NM:
            yield Problem("layers.bottom.material", f"must be inert, none of {known}", bottom)
        if self.ion.space_charge:
            yield from self._charge_checks()
        width_nm, depth_nm = self.lattice.width_nm, self.lattice.depth_nm
        yield from domain_checks(self.mesh, width_nm, width_nm if self.layout == "lateral" else depth_nm)
        yield from spot_checks("soft_spots", self.soft_spots, width_nm, depth_nm)
        yield from self._cluster_checks()
        yield from begin_checks(self.layers)
        if self.layout == "lateral":
            yield from lateral_checks(self.layers, depth_nm)
            yield from self._surroundings_checks()
        else:
            yield from vertical_checks(self.layers)

    def _set_checks(self) -> Problems:
        missing = [key for key in self._left_open() if key not in self._set]
        metal, electrolyte = self.metal, self.layers.electrolyte.material
        if missing:
            known = ", ".join(sorted({name for other, name in database.ion_sets() if other == metal}))
            message = f"no numbers of {metal} in it are known (they are for {known}); give {', '.join(missing)}"
            yield Problem("layers.electrolyte.material", message, electrolyte)

    def _surroundings_checks(self) -> Problems:
        """What lies around a lateral film leaves the current in it, and no images of wide planes hold there."""
        limit = self.conduction.electrolyte_S_per_m
        for name, layer in self.layers.around().items():
            if not self.has_material(layer.material):
                continue
            given = self.material(layer.material).quantities.get("electrical_S_per_m")
            if given is not None and given.value > limit:
                message = (
                    f"must be an insulator: its {given.value:g} S/m are above conduction.electrolyte_S_per_m = "
                    f"{limit:g}, so that the current would pass by the film"
                )
                yield Problem(f"layers.{name}.material", message, layer.material)
        if self.ion.space_charge:
            yield Problem("ion.space_charge", 'not with layout = "lateral": its images are those of wide planes', True)

    def _cluster_checks(self) -> Problems:
        thickness_nm = self.layers.electrolyte.thickness_nm
        if self.clusters is not None and 2.0 * self.clusters.radius_nm >= thickness_nm:
            message = f"must be below half of layers.electrolyte.thickness_nm = {thickness_nm:g}"
            yield Problem("clusters.radius_nm", message, self.clusters.radius_nm)

    def _charge_checks(self) -> Problems:
        """Space charge needs a permittivity, and an engine that stops after every event of an ion."""
        name = self.layers.electrolyte.material
        if self.has_material(name) and "relative_permittivity" not in self.material(name).quantities:
            message = f"ion.space_charge needs its relative_permittivity; give it in [materials.{name}]"
            yield Problem("layers.electrolyte.material", message, name)
        message = "not with ion.space_charge: the potential follows every event of an ion"
        for key in ("superbasin_states", "distributed_lattice"):
            value = getattr(self.numerics, key)
            if value:
                yield Problem(f"numerics.{key}", message, value)
