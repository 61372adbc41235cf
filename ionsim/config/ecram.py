"""Device files of the family ``ecram``: three terminals, and ions that a gate moves into a channel and out again."""

from collections.abc import Iterator
from typing import Literal

from ionsim import materials as database
from ionsim.config.base import Problem, Problems, Section, setting
from ionsim.config.device import Device
from ionsim.config.ecram_geometry import EcramGeometryConfig
from ionsim.config.ecram_parts import Channel, EcramHeat, EcramSteps, Electrolyte, Interfaces, Reservoir
from ionsim.config.waveforms import GateConfig
from ionsim.errors import nearest
from ionsim.materials.intercalation import FallingDiffusivity, FittedVoltage, RegularSolution, open_circuit

_PARTS: tuple[database.Part, ...] = ("reservoir", "electrolyte", "channel")

#: Numbers that an interface needs for each law of its rate.
_RATE_KEYS = {
    "butler-volmer": ("transfer",), "marcus": ("reorganisation_eV",), "marcus-hush-chidsey": ("reorganisation_eV",)
}  # fmt: skip
_INTERFACE_KEYS = ("exchange_A_per_m2", "activation_eV", "capacitance_F_per_m2")


class EcramDevice(Device):
    """A device of the family ``ecram``."""

    family: Literal["ecram"] = setting(..., "device family")
    geometry: EcramGeometryConfig = setting(..., "shape of the device", discriminator="kind")
    reservoir: Reservoir = setting(..., "the gate, which holds ions in store")
    electrolyte: Electrolyte = setting(..., "what lets ions pass and no electrons")
    channel: Channel = setting(..., "what conducts between source and drain")
    interfaces: Interfaces = setting(Interfaces(), "reactions and double layers on both sides of the electrolyte")
    heat: EcramHeat = setting(EcramHeat(), "heat, if it is coupled")
    drive: GateConfig = setting(  # type: ignore[assignment]
        ..., "what is applied to the gate, against the channel", discriminator="kind"
    )
    steps: EcramSteps = setting(EcramSteps(), "steps in time")

    @property
    def _pairs(self) -> dict[str, str]:
        """Names of the sets of the two interfaces."""
        return {
            "gate": f"{self.reservoir.material}/{self.electrolyte.material}",
            "channel": f"{self.electrolyte.material}/{self.channel.material}",
        }

    def number(self, key: str) -> float:
        """A number by its key path (``electrolyte.hop_nm``, ``interfaces.gate.transfer``): the file's own or the set's.
        """
        own = self._own(key)
        return float(self._sets()[key].value if own is None else own)

    def open_circuit(self) -> RegularSolution | FittedVoltage:
        """Open-circuit voltage of the channel against the filled share of its sites."""
        return open_circuit(self.word("channel", "open_circuit"), lambda key: self.number(f"channel.{key}"))

    def diffusivity(self) -> FallingDiffusivity:
        """Diffusivity of ions in the channel."""
        keys = ("diffusivity_m2_per_s", "dense_diffusivity_m2_per_s", "dense_at")
        return FallingDiffusivity(*(self.number(f"channel.{key}") for key in keys))

    def word(self, part: database.Part, key: str) -> str:
        """A word of a part's set, such as the ion."""
        return database.ecram_set(part, getattr(self, part).material).words.get(key, "")

    def _sets(self) -> dict[str, database.Quantity]:
        """Key path -> number of all sets that the device uses; sets that do not exist have none."""
        found: dict[str, database.Quantity] = {}
        for part in _PARTS:
            name = getattr(self, part).material
            if name in database.ecram_sets(part):
                found |= {f"{part}.{key}": item for key, item in database.ecram_set(part, name).numbers.items()}
        for side, name in self._pairs.items():
            if name in database.ecram_sets("interface"):
                numbers = database.ecram_set("interface", name).numbers
                found |= {f"interfaces.{side}.{key}": item for key, item in numbers.items()}
        return found

    def taken_from_sets(self) -> dict[str, database.Quantity]:
        """Numbers that the file leaves to the sets of its parts."""
        return {key: item for key, item in self._sets().items() if self._own(key) is None}

    def _own(self, key: str) -> float | None:
        section: Section = self
        for part in key.split("."):
            section = getattr(section, part)
        return section  # type: ignore[return-value]

    def unused(self) -> tuple[str, ...]:
        """What is about a lattice, which these devices do not have."""
        return ("numerics.potential_error_kT",)

    def material_keys(self) -> Iterator[tuple[str, str]]:
        """No part is a material of the common database."""
        yield from ()

    def cross_checks(self) -> Problems:
        """Sets that are known and fit together, a geometry that can be meshed, no keys of other families."""
        yield from super().cross_checks()
        unknown = False
        for part in _PARTS:
            name, known = getattr(self, part).material, database.ecram_sets(part)
            if name not in known:
                unknown = True
                message = f"unknown {part}{nearest(name, known)}; known: {', '.join(known)}"
                yield Problem(f"{part}.material", message, name)
        for problem in self.geometry.cross_checks():
            yield Problem(f"geometry.{problem.key}", problem.message, problem.value)
        if not unknown:
            yield from self._ion_checks()
            yield from self._interface_checks()
        for key in ("transistor", "compliance_A"):
            value = getattr(self.drive, key)
            if value is not None:
                yield Problem(f"drive.{key}", "not with the family ecram, whose gate is driven alone", value)
        for key in ("distributed_lattice", "superbasin_states"):
            value = getattr(self.numerics, key)
            if value:
                yield Problem(f"numerics.{key}", "not with the family ecram, which has no lattice", value)
        if self.steps.first_s < self.steps.shortest_s:
            message = f"must be at least steps.shortest_s = {self.steps.shortest_s:g}"
            yield Problem("steps.first_s", message, self.steps.first_s)

    def _ion_checks(self) -> Problems:
        """All parts hold the same ion, and its density fits its sites."""
        ion = self.word("electrolyte", "ion")
        for part in _PARTS:
            if self.word(part, "ion") != ion:
                message = f"holds {self.word(part, 'ion')}, but the electrolyte {self.electrolyte.material} {ion}"
                yield Problem(f"{part}.material", message, getattr(self, part).material)
        density, sites = self.number("electrolyte.density_per_m3"), self.number("electrolyte.sites_per_m3")
        if density >= sites:
            message = f"must be below electrolyte.sites_per_m3 = {sites:g}"
            yield Problem("electrolyte.density_per_m3", message, density)

    def _interface_checks(self) -> Problems:
        """Numbers of an interface for which there is no set must be in the file."""
        have = self._sets()
        for side, pair in self._pairs.items():
            law = getattr(self.interfaces, side).rate
            for key in (*_INTERFACE_KEYS, *_RATE_KEYS[law]):
                path = f"interfaces.{side}.{key}"
                if self._own(path) is None and path not in have:
                    yield Problem(path, f"missing: no set of the database has it for {pair}")
