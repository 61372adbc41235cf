"""Device files of the family ``pcm``: cells that are melted, quenched and crystallised."""

from collections.abc import Iterator, Mapping
from typing import Literal

from ionsim import materials as database
from ionsim.config.base import Problem, Problems, Section, number, setting
from ionsim.config.device import Device
from ionsim.config.pcm_geometry import CellArray, GeometryConfig, Surroundings
from ionsim.errors import nearest

_SET = "else that of the material set"


class PhaseChange(Section):
    """The phase-change material: a set of numbers, of which single ones may be replaced."""

    material: str = setting(..., "name of a material set, such as GST-225")
    initial: Literal["crystalline", "amorphous"] = setting("crystalline", "phase at the start")
    melting_K: float | None = number(None, "K", f"melting point, {_SET}", ge=300, le=3000)
    latent_J_per_m3: float | None = number(None, "J/m^3", f"latent heat of melting, {_SET}", ge=0, le=1e10)
    capacity_J_per_m3K: float | None = number(None, "J/(m^3 K)", f"heat capacity, {_SET}", gt=0, le=1e8)
    amorphous_W_per_mK: float | None = number(
        None, "W/(m K)", f"thermal conductivity of the glass, {_SET}", gt=0, le=1e3
    )
    crystalline_W_per_mK: float | None = number(
        None, "W/(m K)", f"thermal conductivity of the crystal's lattice, {_SET}", gt=0, le=1e3
    )
    crystalline_S_per_m: float | None = number(
        None, "S/m", f"conductivity of the crystal at 300 K, {_SET}", gt=0, le=1e8
    )
    crystalline_activation_eV: float | None = number(None, "eV", f"its activation energy, {_SET}", ge=0, le=1)
    liquid_S_per_m: float | None = number(None, "S/m", f"conductivity of the melt, {_SET}", gt=0, le=1e8)
    amorphous_S_per_m: float | None = number(
        None, "S/m", f"conductivity of the glass at 300 K, low field, a second old, {_SET}", gt=0, le=1e6
    )
    amorphous_activation_eV: float | None = number(None, "eV", f"its activation energy, {_SET}", gt=0, le=2)
    hop_distance_nm: float | None = number(None, "nm", f"distance of hops that the field helps, {_SET}", ge=0, le=50)
    relaxation_barrier_eV: float | None = number(None, "eV", f"largest barrier of relaxation, {_SET}", gt=0, le=20)
    relaxation_shift_eV: float | None = number(
        None, "eV", f"rise of amorphous_activation_eV over a full relaxation, {_SET}", ge=0, le=5
    )
    relaxation_attempt_Hz: float | None = number(
        None, "Hz", f"attempt frequency of relaxation, {_SET}", ge=1e6, le=1e16
    )
    glass_K: float | None = number(None, "K", f"viscosity 1e12 Pa s, {_SET}", ge=100, le=3000)
    fragility: float | None = number(None, "", f"slope of log10 viscosity over glass_K/T there, {_SET}", gt=16, le=1000)
    hot_viscosity_Pa_s: float | None = number(None, "Pa s", f"viscosity of the hot melt, {_SET}", gt=0, le=1e3)
    frozen_K: float | None = number(None, "K", f"below it the liquid is a glass that ages, {_SET}", ge=100, le=3000)
    frozen_activation_eV: float | None = number(None, "eV", f"of the glass's viscosity, {_SET}", gt=0, le=20)
    interface_J_per_m2: float | None = number(None, "J/m^2", f"energy of crystal against liquid, {_SET}", gt=0, le=10)
    monomer_nm3: float | None = number(None, "nm^3", f"volume of a formula unit, {_SET}", gt=0, le=100)
    jump_nm: float | None = number(None, "nm", f"distance of an atom's jump at the front, {_SET}", gt=0, le=10)
    wetting_deg: float | None = number(
        None, "degree", f"wetting angle of nuclei, 180 in the bulk, {_SET}", gt=0, le=180
    )
    hydrodynamic_ratio: float | None = number(
        None, "", f"radius of an atom over the hydrodynamic one, {_SET}", gt=0, le=1e3
    )
    grain_nm: float | None = number(
        None, "nm", f"size of grains, from whose boundaries a crystal melts, {_SET}", gt=0.1, le=1e4
    )


class Crystallisation(Section):
    """Nucleation and growth: rates belong to the material set, what is below to the way they are solved."""

    nucleation: bool = setting(True, "nuclei at random; without them crystals grow from crystals only")
    front_width_nm: float = number(1.5, "nm", "width of the front between the phases", gt=0.05, le=100)
    nucleus_radius_nm: float | None = number(None, "nm", "radius of a new nucleus, else two front widths", gt=0, le=100)
    rate_factor: float = number(1.0, "", "factor of the nucleation rate of the set", ge=0, le=1e12)


class Boundaries(Section):
    """What impedes heat and current between the phase-change material and its surroundings."""

    heater_m2K_per_GW: float = number(20.0, "m^2 K/GW", "thermal resistance to heater and contacts", ge=0, le=1e4)
    dielectric_m2K_per_GW: float = number(10.0, "m^2 K/GW", "thermal resistance to dielectrics", ge=0, le=1e4)
    contact_ohm_m2: float = number(0.0, "Ohm m^2", "electric contact resistance to heater and contacts", ge=0, le=1)


class Steps(Section):
    """Steps in time."""

    shortest_s: float = number(1e-13, "s", "step below which a run is given up", gt=0, le=1)
    first_s: float = number(1e-11, "s", "step after a corner of the drive", gt=0, le=1)
    temperature_K: float = number(25.0, "K", "largest change of the temperature in a step", gt=0, le=1e3)
    crystalline: float = number(0.25, "", "largest change of the crystalline share at a point in a step", gt=0, le=1)


class PcmDevice(Device):
    """A device of the family ``pcm``."""

    family: Literal["pcm"] = setting(..., "device family")
    geometry: GeometryConfig = setting(..., "shape of the cell", discriminator="kind")
    surroundings: Surroundings = setting(Surroundings(), "materials around the phase-change material")
    phase_change: PhaseChange = setting(..., "the material that switches")
    crystallisation: Crystallisation = setting(Crystallisation(), "nucleation and growth")
    boundaries: Boundaries = setting(Boundaries(), "interfaces of the phase-change material")
    steps: Steps = setting(Steps(), "steps in time")

    @property
    def selected(self) -> tuple[int, int]:
        """Row and column of the cell that is driven; (0, 0) of a single cell."""
        geometry = self.geometry
        return (geometry.selected_row, geometry.selected_column) if isinstance(geometry, CellArray) else (0, 0)

    def phase(self, key: str) -> float:
        """A number of the phase-change material by its key: the file's own, else that of the set."""
        own = getattr(self.phase_change, key)
        return float(self._set[key].value if own is None else own)

    @property
    def _set(self) -> Mapping[str, database.Quantity]:
        return database.phase_change_set(self.phase_change.material)

    def taken_from_sets(self) -> dict[str, database.Quantity]:
        """Numbers of the phase-change material that the file does not give, kinetics included."""
        own = {key: item for key, item in self._set.items() if getattr(self.phase_change, key, None) is None}
        return {f"phase_change.{key}": item for key, item in own.items()}

    def unused(self) -> tuple[str, ...]:
        """What is about a lattice, which these devices do not have."""
        return ("numerics.potential_error_kT",)

    def material_keys(self) -> Iterator[tuple[str, str]]:
        """Key path and name of every material around the phase-change material."""
        for part, name in self.surroundings.of(self.geometry.parts):
            yield f"surroundings.{part}", name

    def cross_checks(self) -> Problems:
        """A set that is known, a geometry that fits, no keys of lattices."""
        yield from super().cross_checks()
        known = database.phase_change_sets()
        name = self.phase_change.material
        if name not in known:
            message = f"unknown material set{nearest(name, known)}; known: {', '.join(known)}"
            yield Problem("phase_change.material", message, name)
        for problem in self.geometry.cross_checks():
            yield Problem(f"geometry.{problem.key}", problem.message, problem.value)
        if self.drive.transistor is not None:
            yield Problem("drive.transistor", "not with the family pcm yet; use series_resistance_ohm or compliance_A")
        for key in ("distributed_lattice", "superbasin_states"):
            value = getattr(self.numerics, key)
            if value:
                yield Problem(f"numerics.{key}", "not with the family pcm, which has no lattice", value)
        if self.steps.first_s < self.steps.shortest_s:
            message = f"must be at least steps.shortest_s = {self.steps.shortest_s:g}"
            yield Problem("steps.first_s", message, self.steps.first_s)
