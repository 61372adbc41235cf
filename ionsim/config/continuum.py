"""The table ``[continuum]`` of a VCM device file: vacancies as a density around a filament or a grain boundary."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from ionsim.config.base import Problem, Problems, Section, number, setting


class Continuum(Section):
    """Vacancies as a density: geometry, transport, conduction and heat.

    Numbers of the oxide are those of Kim, Choi and Lu where nothing else is said. The oxide's vacancies outside the
    filament are vacancy.initial_fraction of the sites.
    """

    geometry: Literal["axisymmetric", "plane", "box"] = setting(
        "axisymmetric", "around an axis; mirrored at x = 0 and the same along y; in 3D, mirrored at x = 0 and y = 0"
    )
    depth_nm: float = number(30.0, "nm", "extent along y of a plane or box", gt=0.1, le=10_000)
    radius_nm: float = number(15.0, "nm", "radius (else half width) of oxide and reservoir", gt=0.5, le=1000)
    outer_radius_nm: float = number(60.0, "nm", "the same of electrodes and dielectric", gt=0.5, le=10_000)
    dielectric: str = setting("SiO2", "material around the oxide")
    reservoir_nm: float = number(
        15.0, "nm", "thickness of vacancy-rich oxide between oxide and cap, 0 for none", ge=0, le=1000
    )
    reservoir_per_m3: float = number(7e26, "1/m^3", "vacancies in it at the start", gt=0, le=1e29)
    reservoir_energy_eV: float = number(0.0, "eV", "energy of a vacancy in it, negative where it attracts", ge=-5, le=5)
    reservoir_barrier_eV: float | None = number(
        None, "eV", "barrier of a hop in it, else that of the oxide", ge=0, le=10
    )
    cap_per_m3: float | None = number(
        None, "1/m^3", "vacancies that the cap holds at the top of the reservoir; else none pass", gt=0, le=1e29
    )
    filament_radius_nm: float = number(5.0, "nm", "radius of the filament at the start, 0 for none", ge=0, le=1000)
    filament_per_m3: float = number(9e26, "1/m^3", "vacancies in it", gt=0, le=1e29)
    gap_nm: float = number(1.0, "nm", "oxide between the filament and the bottom electrode", ge=0, le=1000)
    edge_nm: float = number(0.6, "nm", "width of the edges of filament and reservoir at the start", gt=0.01, le=100)
    sites_per_m3: float = number(1.2e27, "1/m^3", "largest density of vacancies", gt=0, le=1e29)
    charge_e: float = number(1.0, "e", "effective charge of a vacancy", ge=0, le=2)
    attempt_Hz: float = number(1e13, "Hz", "attempt frequency of hops", ge=1e9, le=1e16)
    hop_nm: float = number(0.15, "nm", "distance of a hop", gt=0.01, le=2)
    polarisation_eA: float = number(0.0, "e Angstrom", "field lowering of the barrier of a hop", ge=0, le=200)
    barrier_eV: float = number(1.2, "eV", "barrier of a hop", ge=0, le=10)
    soret_eV: float = number(
        1.2,
        "eV",
        "heat of transport: vacancies go to the cold where positive, to the hot where negative",
        ge=-10,
        le=10,
    )
    boundary_nm: float | None = number(
        None, "nm", "width of a grain boundary (around an axis: of a pipe) through the oxide; else none", gt=0, le=20
    )
    boundary_barrier_eV: float = number(1.2, "eV", "barrier of a hop in it", ge=0, le=10)
    boundary_energy_eV: float = number(0.0, "eV", "energy of a vacancy in it, negative where it attracts", ge=-5, le=5)
    boundary_per_m3: float | None = number(
        None, "1/m^3", "vacancies in it at the start; else in equilibrium with the oxide", gt=0, le=1e29
    )
    boundary_S_per_m: float | None = number(
        None, "S/m", "prefactor of its conductivity without vacancies, else that of the oxide", gt=0, le=1e8
    )
    insulating_S_per_m: float = number(1e3, "S/m", "prefactor of the conductivity without vacancies", gt=0, le=1e8)
    conducting_S_per_m: float = number(9.4e4, "S/m", "prefactor at full_per_m3, linear between", gt=0, le=1e8)
    full_per_m3: float = number(1e27, "1/m^3", "vacancies from which on conduction grows no more", gt=0, le=1e29)
    insulating_activation_eV: float = number(
        0.05, "eV", "activation energy of the conductivity without vacancies", ge=-1, le=2
    )
    conducting_activation_eV: float = number(-0.006, "eV", "the same from metallic_per_m3 on", ge=-1, le=2)
    metallic_per_m3: float = number(5e26, "1/m^3", "vacancies from which on it changes no more", gt=0, le=1e29)
    table_per_m3: Annotated[tuple[Annotated[float, Field(ge=0, le=1e29)], ...], Field(strict=False)] = number(
        (), "1/m^3", "densities of a table of the conductivity, which takes the place of the linear law"
    )
    table_S_per_m: Annotated[tuple[Annotated[float, Field(gt=0, le=1e8)], ...], Field(strict=False)] = number(
        (), "S/m", "conductivity at each of them, at any temperature; its logarithm is linear between"
    )
    insulating_W_per_mK: float = number(0.12, "W/(m K)", "thermal conductivity without vacancies, 300 K", gt=0, le=1e3)
    insulating_per_K: float = number(0.1, "1/K", "its relative rise with temperature", ge=0, le=1)
    conducting_W_per_mK: float = number(57.5, "W/(m K)", "thermal conductivity at full_per_m3", gt=0, le=1e3)
    heat_share: float = number(1.0, "", "share of the Joule heat that stays; electrons carry the rest away", gt=0, le=1)
    interface_bottom_W_per_m2K: float | None = number(
        None, "W/(m^2 K)", "thermal conductance oxide to bottom electrode; perfect without", gt=0, le=1e13
    )
    interface_top_W_per_m2K: float | None = number(
        None, "W/(m^2 K)", "thermal conductance of what lies below the cap to it; perfect without", gt=0, le=1e13
    )
    generation_per_m2s: float = number(
        0.0, "1/(m^2 s)", "vacancies made at the bottom electrode, prefactor", ge=0, le=1e40
    )
    generation_eV: float = number(1.5, "eV", "barrier of that", ge=0, le=15)
    removal_m_per_s: float = number(0.0, "m/s", "speed at which it takes vacancies up, prefactor", ge=0, le=1e12)
    removal_eV: float = number(1.5, "eV", "barrier of that", ge=0, le=15)
    electrode_nm: float = number(0.3, "nm", "distance over which the field helps them", ge=0, le=5)
    cap_generation_per_m2s: float = number(
        0.0, "1/(m^2 s)", "vacancies made at the cap, prefactor; without a reservoir", ge=0, le=1e40
    )
    cap_generation_eV: float = number(
        1.5, "eV", "barrier of that, in a boundary half of boundary_exchange_eV more", ge=0, le=15
    )
    cap_removal_m_per_s: float = number(
        0.0, "m/s", "speed at which the cap takes vacancies up, prefactor", ge=0, le=1e12
    )
    cap_removal_eV: float = number(
        1.5, "eV", "barrier of that, in a boundary half of boundary_exchange_eV less", ge=0, le=15
    )
    cap_nm: float = number(0.3, "nm", "distance over which the field helps them", ge=0, le=20)
    cap_max_rate_Hz: float | None = number(
        None, "Hz", "cap of the faster direction, at attempt_Hz; slows both alike, else none", gt=0, le=1e16
    )
    boundary_exchange_eV: float = number(
        0.0, "eV", "energy of a vacancy next to the cap in the grain boundary, against that in the grain", ge=-5, le=5
    )
    size_nm: float = number(0.35, "nm", "radial size of elements at the filament", gt=0.02, le=20)
    height_nm: float = number(0.2, "nm", "height of elements at the bottom electrode and the gap", gt=0.02, le=20)
    divide: int = number(1, "", "equal parts of every interval of the mesh; for mesh studies", ge=1, le=16)
    density_step: float = number(0.15, "", "largest relative change of a density in a step", gt=0, le=1)
    temperature_step_K: float = number(40.0, "K", "largest change of a temperature in a step", gt=0, le=1e3)
    voltage_step_V: float = number(0.05, "V", "largest change of a potential in a step", gt=0, le=10)
    first_s: float = number(1e-6, "s", "step after a corner of the drive", gt=0, le=1e6)
    shortest_s: float = number(1e-16, "s", "step below which a run is given up", gt=0, le=1)

    def checks(self, oxide_nm: float, initial_fraction: float) -> Problems:
        """Lengths that fit into each other, densities below the sites; keys of this table."""
        if self.outer_radius_nm <= self.radius_nm:
            yield Problem("outer_radius_nm", f"must exceed radius_nm = {self.radius_nm:g}", self.outer_radius_nm)
        if self.filament_radius_nm >= self.radius_nm:
            message = f"must be below radius_nm = {self.radius_nm:g}"
            yield Problem("filament_radius_nm", message, self.filament_radius_nm)
        if self.geometry == "box" and self.filament_radius_nm >= 0.5 * self.depth_nm:
            message = f"must be below half of depth_nm = {self.depth_nm:g}"
            yield Problem("filament_radius_nm", message, self.filament_radius_nm)
        if self.boundary_nm is not None and self.boundary_nm >= 2.0 * self.radius_nm:
            yield Problem("boundary_nm", f"must be below twice radius_nm = {self.radius_nm:g}", self.boundary_nm)
        if self.gap_nm >= oxide_nm:
            yield Problem("gap_nm", f"must be below layers.oxide.thickness_nm = {oxide_nm:g}", self.gap_nm)
        yield from self._table_checks()
        if self.reservoir_nm and (self.cap_generation_per_m2s or self.cap_removal_m_per_s):
            message = "must be 0 where the cap makes or takes up vacancies; there they pass its contact to the oxide"
            yield Problem("reservoir_nm", message, self.reservoir_nm)
        if not self.reservoir_nm and self.cap_per_m3 is not None:
            message = "needs reservoir_nm above 0: the cap holds vacancies at its top"
            yield Problem("cap_per_m3", message, self.cap_per_m3)
        for key in ("reservoir_per_m3", "filament_per_m3", "cap_per_m3", "boundary_per_m3"):
            if key == "reservoir_per_m3" and not self.reservoir_nm:
                continue
            if (getattr(self, key) or 0.0) >= self.sites_per_m3:
                message = f"must be below sites_per_m3 = {self.sites_per_m3:g}"
                yield Problem(key, message, getattr(self, key))
        if initial_fraction <= 0.0:
            yield Problem("sites_per_m3", "needs vacancy.initial_fraction above 0: a density has to start from some")
        if self.first_s < self.shortest_s:
            yield Problem("first_s", f"must be at least shortest_s = {self.shortest_s:g}", self.first_s)

    def _table_checks(self) -> Problems:
        """Two lists of one length, at least two densities that grow, conductivities above 0."""
        densities, values = self.table_per_m3, self.table_S_per_m
        if not densities and not values:
            return
        if len(densities) < 2 or any(b <= a for a, b in pairwise(densities)) or densities[0] < 0.0:
            yield Problem("table_per_m3", "must hold two or more densities that grow, the first not negative",
                          list(densities))  # fmt: skip
        if len(values) != len(densities) or min(values, default=0.0) <= 0.0:
            message = f"must hold {len(densities)} conductivities above 0, one for each of table_per_m3"
            yield Problem("table_S_per_m", message, list(values))
