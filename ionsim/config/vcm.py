"""Device files of the family ``vcm``: filaments of oxygen vacancies between an inert and a scavenging electrode."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field
from scipy.constants import physical_constants

from ionsim import materials as database
from ionsim.config.base import FilePath, Pair, Problem, Problems, Section, number, setting
from ionsim.config.continuum import Continuum
from ionsim.config.device import Device
from ionsim.config.filament import Layer, Mesh, Spot, domain_checks, spot_checks
from ionsim.config.grains import AnyGrains

#: Shortest distance between oxygen sites of HfO2 in nm (m-HfO2, hop network of VacHopPy, 10.1016/j.cpc.2025.110010).
SHORTEST_OXYGEN_DISTANCE_NM = 0.2542

CONDUCTANCE_QUANTUM_S: float = physical_constants["conductance quantum"][0]


class Lattice(Section):
    """The box of oxygen sites, closed on all sides, z along the film normal."""

    width_nm: float = number(5.0, "nm", "size of the box along x", ge=0.5, le=200)
    depth_nm: float = number(5.0, "nm", "size of the box along y", ge=0.5, le=200)
    crystal: Literal["cubic", "tetragonal", "monoclinic"] = setting("cubic", "polymorph of HfO2 for oxygen sites")


class Structure(Section):
    """Explicit atoms in place of a crystal's oxygen sublattice: imported, or built from crystals without a file."""

    atoms: FilePath | None = setting(
        None, "file of atoms that ASE can read, lengths in Angstrom; else built from crystals"
    )
    interstitials: FilePath | None = setting(
        None, "file of interstitial sites, in the same frame; else those that the file of atoms marks d"
    )
    axis: Literal["x", "y", "z"] = setting("x", "film normal in the files' frame")
    oxide_nm: Pair | None = number(None, "nm", "range of the oxide along the axis, else that of its cations")
    interface_nm: Pair | None = number(None, "nm", "range of the scavenging interface, else where oxide and cap meet")


class Layers(Section):
    """The stack from the grounded bottom electrode to the driven top electrode."""

    bottom: Layer = setting(..., "bottom electrode, grounded")
    oxide: Layer = setting(..., "switching oxide")
    cap: Layer = setting(..., "layer on the oxide; scavenges oxygen where [exchange] is given")
    top: Layer = setting(..., "top electrode, driven")


class WeakSpot(Spot):
    """A column through the oxide where vacancies form and move more easily (a grain boundary's stand-in)."""

    hop_shift_eV: float = number(0.0, "eV", "added to the hop barrier of vacancies", ge=-5, le=5)
    site_energy_eV: float = number(0.0, "eV", "added to the energy of a vacancy", ge=-5, le=5)
    exchange_shift_eV: float = number(0.0, "eV", "added to the barrier of the oxygen exchange", ge=-5, le=5)


class Vacancy(Section):
    """Oxygen vacancies of the oxide and their hops."""

    initial_fraction: float = number(..., "", "share of oxygen sites that are vacant at the start", ge=0, le=0.9)
    attempt_Hz: float = number(1e13, "Hz", "attempt frequency of all processes", ge=1e9, le=1e16)
    hop_barrier_eV: float = number(1.09, "eV", "symmetric barrier of a hop", ge=0, le=10)
    hop_distance_nm: float = number(0.30, "nm", "sites nearer than this are neighbours", gt=0.1, le=1)
    hop_spread_eV: float = number(0.0, "eV", "standard deviation of the barrier, drawn once per edge", ge=0, le=2)
    polarisation_eA: float = number(0.0, "e Angstrom", "field lowering of the hop barrier", ge=0, le=200)
    pair_energy_eV: float = number(0.0, "eV", "energy of two adjacent vacancies; negative attracts", ge=-5, le=5)
    charge_e: float = number(2.0, "e", "charge of a vacancy", ge=0, le=2)
    max_hop_rate_Hz: float | None = number(
        None, "Hz", "cap that slows a hop and its reverse alike, else none", gt=0, le=1e16
    )


class Exchange(Section):
    """Exchange of oxygen between the oxide's top layer and the scavenging cap."""

    barrier_eV: float = number(1.70, "eV", "symmetric barrier", ge=0, le=10)
    reach_nm: float = number(0.2, "nm", "oxygen sites no deeper than this touch the cap", gt=0, le=1)
    spread_eV: float = number(0.0, "eV", "standard deviation of the barrier, drawn once per site", ge=0, le=2)
    polarisation_eA: float = number(20.0, "e Angstrom", "field lowering of the barrier per local field", ge=0, le=200)
    energy_eV: float = number(0.0, "eV", "reaction energy into an empty reservoir", ge=-10, le=10)
    filling_energy_eV: float = number(0.0, "eV", "rise of that energy from empty to full", ge=0, le=20)
    reservoir_sites: int = number(..., "", "number of oxygen ions that the cap can hold", ge=1, le=100_000_000)
    initial_reservoir: Literal["vacancies"] | Annotated[int, Field(ge=0, le=100_000_000)] = number(
        "vacancies", "", "ions in the cap at the start; as many as the oxide has vacancies, or a number"
    )
    max_rate_Hz: float | None = number(None, "Hz", "cap that slows both directions alike, else none", gt=0, le=1e16)


class Frenkel(Section):
    """Pairs of a vacancy and an interstitial oxygen ion among explicit atoms, and the charge state of vacancies.

    A pair's forward and backward barrier is its generation energy and ``recombination_barrier_eV``; the layer is that
    of the ion.
    """

    generation_oxide_eV: float = number(3.93, "eV", "barrier of generation in the oxide", ge=0, le=15)
    generation_interface_eV: float = number(1.66, "eV", "barrier of generation at the cap's interface", ge=0, le=15)
    generation_cap_eV: float = number(1.73, "eV", "barrier of generation with the ion in the cap", ge=0, le=15)
    recombination_barrier_eV: float = number(0.0, "eV", "barrier of recombination", ge=0, le=5)
    polarisation_eA: float = number(0.0, "e Angstrom", "field lowering of the generation barrier", ge=0, le=200)
    ion_hop_barrier_eV: float = number(0.76, "eV", "symmetric barrier of an ion's hop in the oxide", ge=0, le=10)
    ion_hop_barrier_cap_eV: float = number(2.8, "eV", "symmetric barrier of an ion's hop in the cap", ge=0, le=10)
    neutral_gain_eV: float = number(
        0.3, "eV", "what a neutral vacancy gains for each vacancy next to it; it costs 1.5 times this", gt=0, le=2
    )
    charge_barrier_eV: float = number(0.5, "eV", "symmetric barrier of a change of charge", ge=0, le=5)
    max_generation_rate_Hz: float | None = number(
        None, "Hz", "cap that slows generation and recombination alike, else none", gt=0, le=1e16
    )
    max_ion_hop_rate_Hz: float | None = number(
        None, "Hz", "cap that slows a hop and its reverse alike, else none", gt=0, le=1e16
    )
    max_charge_rate_Hz: float | None = number(
        None, "Hz", "cap that slows both changes of charge alike, else none", gt=0, le=1e16
    )


class Conduction(Section):
    """The network of vacancies and electrodes that carries the current."""

    contact_conductance_S: float = number(CONDUCTANCE_QUANTUM_S, "S", "conductance of two adjacent sites", gt=0, le=1)
    metallic_nm: float = number(0.26, "nm", "sites no farther apart share the full conductance", gt=0, le=10)
    trap_depth_eV: float = number(1.6, "eV", "depth of a vacancy's level: the tunnelling barrier", gt=0, le=10)
    effective_mass: float = number(0.85, "m0", "effective mass of tunnelling electrons", gt=0, le=10)
    isolated_share: float = number(1.0, "", "conduction of a vacancy without vacant neighbours", gt=0, le=1)
    metallic_neighbours: int = number(1, "", "vacant neighbours or electrodes that make it metallic", ge=1, le=12)
    cutoff_nm: float = number(0.82, "nm", "longest distance with a bond", gt=0, le=10)
    background_S_per_m: float = number(0.3, "S/m", "conductivity of the oxide without vacancies", gt=0, le=1e8)


class Heat(Section):
    """Joule heat: where electrons leave it, and how it leaves the stack."""

    relaxation_length_nm: float = number(30.0, "nm", "energy relaxation length of electrons", gt=0, le=1e4)
    spread_nm: float | None = number(
        None, "nm", "radius of a site's heat, given away along the whole path; else at eight points of it", ge=0, le=5
    )
    boundary_bottom_W_per_m2K: float = number(5e9, "W/(m^2 K)", "conductance oxide to bottom electrode", gt=0, le=1e13)
    boundary_top_W_per_m2K: float = number(5e9, "W/(m^2 K)", "conductance oxide to cap", gt=0, le=1e13)
    vacancy_rich_W_per_mK: float = number(5.0, "W/(m K)", "thermal conductivity of vacancy-rich oxide", gt=0, le=1e3)


#: What a continuum leaves aside; of ``[vacancy]`` it takes ``initial_fraction``.
_OF_THE_LATTICE = (
    "lattice", "weak_spots", "exchange", "conduction", "heat", "mesh", "numerics.potential_error_kT",
    *(f"vacancy.{name}" for name in Vacancy.model_fields if name != "initial_fraction"),
)  # fmt: skip


class VcmDevice(Device):
    """A device of the family ``vcm``."""

    family: Literal["vcm"] = setting(..., "device family")
    model: Literal["lattice", "continuum"] = setting("lattice", "vacancies on lattice sites, or as a density")
    lattice: Lattice = setting(Lattice(), "box of the lattice")
    structure: Structure | None = setting(None, "explicit atoms in place of a crystal")
    layers: Layers = setting(..., "the stack")
    weak_spots: Annotated[tuple[WeakSpot, ...], Field(strict=False)] = setting((), "columns of easier switching")
    grains: AnyGrains | None = setting(
        None, "grain boundaries of the lattice; a single crystal without", discriminator="kind"
    )
    vacancy: Vacancy = setting(..., "oxygen vacancies")
    exchange: Exchange | None = setting(None, "oxygen exchange of a crystal with the cap; inert without it")
    frenkel: Frenkel | None = setting(None, "pairs of vacancy and interstitial ion; for explicit atoms")
    conduction: Conduction = setting(Conduction(), "electrical network")
    heat: Heat = setting(Heat(), "Joule heat")
    mesh: Mesh = setting(Mesh(), "finite elements")
    continuum: Continuum = setting(Continuum(), 'vacancies as a density; for model = "continuum"')

    def material_keys(self) -> Iterator[tuple[str, str]]:
        """Key path and name of every material that the stack uses."""
        for layer in Layers.model_fields:
            yield f"layers.{layer}.material", getattr(self.layers, layer).material
        if self.model == "continuum":
            yield "continuum.dielectric", self.continuum.dielectric

    def unused(self) -> tuple[str, ...]:
        """The continuum of a lattice, and nearly all of the lattice of a continuum."""
        return _OF_THE_LATTICE if self.model == "continuum" else ("continuum",)

    def cross_checks(self) -> Problems:
        """What single keys cannot say: sizes that fit into each other, and a cap that can scavenge."""
        yield from super().cross_checks()
        if self.model == "continuum":
            yield from self._continuum_checks()
        yield from self._size_checks()
        if self.structure is not None:
            yield from _structure_checks(self.structure)
        yield from self._kind_checks()
        for table in ("exchange", "frenkel"):
            cap = self.layers.cap.material
            if getattr(self, table) is not None and self.has_material(cap) and not self.material(cap).scavenger:
                message = f"[{table}] needs a cap that takes up oxygen: {', '.join(self.scavengers())}"
                yield Problem("layers.cap.material", message, cap)
        if self.exchange is not None:
            yield from _exchange_checks(self.exchange)
        if self.grains is not None:
            for problem in self.grains.cross_checks(self.lattice.width_nm, self.lattice.depth_nm):
                yield Problem(f"grains.{problem.key}", problem.message, problem.value)

    def taken_from_sets(self) -> dict[str, database.Quantity]:
        """Numbers of the boundaries' classes that the file does not give."""
        found = {} if self.grains is None else self.grains.taken_from_sets()
        return {f"grains.{key}": item for key, item in found.items()}

    def _continuum_checks(self) -> Problems:
        for problem in self.continuum.checks(self.layers.oxide.thickness_nm, self.vacancy.initial_fraction):
            yield Problem(f"continuum.{problem.key}", problem.message, problem.value)
        if self.drive.transistor is not None:
            message = 'not with model = "continuum" yet; use series_resistance_ohm or compliance_A'
            yield Problem("drive.transistor", message)
        if self.structure is not None:
            yield Problem("structure", 'not with model = "continuum", which has no atoms')
        if self.grains is not None:
            yield Problem("grains", 'not with model = "continuum"; its boundary is continuum.boundary_nm')
        for key in ("distributed_lattice", "superbasin_states"):
            if getattr(self.numerics, key):
                message = 'not with model = "continuum", which has no lattice'
                yield Problem(f"numerics.{key}", message, getattr(self.numerics, key))

    def _kind_checks(self) -> Problems:
        """Tables that belong to a crystal, and tables that belong to explicit atoms."""
        if self.structure is None:
            if self.frenkel is not None:
                yield Problem("frenkel", "needs [structure]: interstitial ions stand among explicit atoms")
            return
        if self.frenkel is None:
            yield Problem("frenkel", "missing; [structure] needs the energies of pairs of vacancy and interstitial ion")
        if self.exchange is not None:
            yield Problem("exchange", "not with [structure], whose atoms exchange oxygen with the cap by [frenkel]")
        if self.grains is not None:
            yield Problem("grains", "not with [structure], whose atoms are where they are")
        if self.weak_spots:
            yield Problem("weak_spots", "not with [structure], whose atoms are disordered by themselves")

    def _size_checks(self) -> Problems:
        width_nm, depth_nm = self.lattice.width_nm, self.lattice.depth_nm
        cutoff_nm = self.conduction.cutoff_nm
        if cutoff_nm <= SHORTEST_OXYGEN_DISTANCE_NM:
            message = f"must exceed the distance of neighbouring oxygen sites, {SHORTEST_OXYGEN_DISTANCE_NM:g} nm"
            yield Problem("conduction.cutoff_nm", message, cutoff_nm)
        if self.structure is None and cutoff_nm > min(width_nm, depth_nm) / 2:
            message = f"must be at most half of the lattice box, {min(width_nm, depth_nm) / 2:g} nm"
            yield Problem("conduction.cutoff_nm", message, cutoff_nm)
        if self.structure is None:
            yield from domain_checks(self.mesh, width_nm, depth_nm)
        if self.mesh.size_nm is not None and self.mesh.size_nm > self.layers.oxide.thickness_nm:
            message = f"must be at most layers.oxide.thickness_nm = {self.layers.oxide.thickness_nm:g} nm"
            yield Problem("mesh.size_nm", message, self.mesh.size_nm)
        if self.structure is None:
            yield from spot_checks("weak_spots", self.weak_spots, width_nm, depth_nm)


def _exchange_checks(exchange: Exchange) -> Problems:
    filled = exchange.initial_reservoir
    if isinstance(filled, int) and filled > exchange.reservoir_sites:
        message = f"must be at most exchange.reservoir_sites = {exchange.reservoir_sites}"
        yield Problem("exchange.initial_reservoir", message, filled)


def _structure_checks(structure: Structure) -> Problems:
    ranges: dict[str, Pair | None] = {"oxide_nm": structure.oxide_nm, "interface_nm": structure.interface_nm}
    for key, pair in ranges.items():
        if pair is not None and pair[0] >= pair[1]:
            yield Problem(f"structure.{key}", "must be [low, high] with low < high", list(pair))
    if structure.interface_nm is not None and structure.oxide_nm is None:
        yield Problem("structure.interface_nm", "needs structure.oxide_nm", list(structure.interface_nm))
    if structure.atoms is None:
        for key in ("interstitials", *ranges):
            if getattr(structure, key) is not None:
                yield Problem(f"structure.{key}", "needs structure.atoms")
