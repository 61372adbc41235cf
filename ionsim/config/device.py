"""What the device files of all families share, and what can be done with a device."""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, get_args

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from ionsim import materials as database
from ionsim.config import html, schema
from ionsim.config.base import Problem, Problems, Section, number, setting
from ionsim.config.changes import apply, parse_assignments
from ionsim.config.problems import cross_check_error, device_file_error, report
from ionsim.config.sources import flatten, source_keys
from ionsim.config.tables import read_waveform
from ionsim.config.toml import dumps
from ionsim.config.waveforms import DriveConfig, Table
from ionsim.errors import DeviceFileError, nearest

#: Properties that every material of a stack must have, for current and heat to flow.
NEEDED_PROPERTIES = ("electrical_S_per_m", "thermal_W_per_mK", "capacity_J_per_m3K")


class MaterialChanges(Section):
    """Properties of a material that differ from the database, or of a material that it does not hold."""

    electrical_S_per_m: float | None = number(
        None, "S/m", "electrical conductivity, else that of the database", gt=0, le=1e9
    )
    thermal_W_per_mK: float | None = number(
        None, "W/(m K)", "thermal conductivity, else that of the database", gt=0, le=1e4
    )
    capacity_J_per_m3K: float | None = number(
        None, "J/(m^3 K)", "heat capacity per volume, else that of the database", gt=0, le=1e8
    )
    relative_permittivity: float | None = number(
        None, "", "relative permittivity, else that of the database", ge=1, le=1e5
    )
    melting_K: float | None = number(None, "K", "melting temperature, else that of the database", gt=0, le=1e4)
    scavenger: bool | None = setting(None, "whether the material takes up oxygen, else that of the database")


class Numerics(Section):
    """Accuracy and bookkeeping of a run."""

    potential_error_kT: float = number(
        0.5, "kT/q", "typical error of the potential when it is solved again (rms over vacancies)", gt=0, le=100
    )
    field_rtol: float = number(1e-8, "", "relative tolerance of the field solver", gt=0, le=1e-2)
    transient_heat: bool = setting(True, "heat with its capacity; false takes the steady state at each moment")
    distributed_lattice: bool = setting(
        False, "divide the lattice among the MPI ranks as the mesh is; else every rank advances all of it"
    )
    superbasin_states: int | None = number(
        None, "", "most configurations of a flickering set left in one exact step; else no such steps", ge=2, le=256
    )
    freeze_temperature: bool = setting(False, "keep the ambient temperature everywhere")
    checkpoint_s: float = number(60.0, "s", "wall time between writes of the run file", gt=0, le=1e6)


class Device(Section):
    """A validated, immutable device description; :func:`ionsim.load` and :meth:`from_toml` make one."""

    name: str = setting(..., "name of the device", min_length=1)
    family: str = setting(..., "device family")
    description: str = setting("", "what the device is, for a reader")
    ambient_K: float = number(300.0, "K", "temperature of the surroundings", ge=50, le=1500)
    seed: int = number(1, "", "default seed of the random numbers", ge=0, le=2**63 - 1)
    drive: DriveConfig = setting(..., "what is applied to the top electrode", discriminator="kind")
    numerics: Numerics = setting(Numerics(), "accuracy and bookkeeping")
    materials: dict[str, MaterialChanges] = setting({}, "changes to the material database")
    sources: Annotated[dict[str, Annotated[str, Field(pattern=r"\S")]], BeforeValidator(flatten)] = setting(
        {}, "key path -> where the number comes from (DOI, arXiv, 'calibrated: against what')"
    )

    #: Families by name; a subclass with ``family: Literal["name"]`` enters itself.
    families: ClassVar[dict[str, type["Device"]]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for family in get_args(cls.model_fields["family"].annotation):
            Device.families[family] = cls

    @classmethod
    def from_toml(
        cls, text: str, folder: Path | None = None, overrides: Iterable[str] = (), origin: str = "device file"
    ) -> "Device":
        """Read a device from the text of a device file.

        ``folder`` is what relative paths in it are relative to (default: the working directory); ``overrides`` are
        ``key=value`` texts, whose own paths are relative to the working directory; ``origin`` names the text in
        messages. Raises :class:`~ionsim.errors.DeviceFileError` with one line per problem.
        """
        try:
            data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise DeviceFileError(f"{origin}: not valid TOML: {error}") from error
        changes = _absolute_paths(parse_assignments(overrides))
        device = cls._from_data(apply(data, changes), folder or Path.cwd(), origin)
        device.check_files(origin)
        return device

    @classmethod
    def _from_data(cls, data: Mapping[str, Any], folder: Path, origin: str) -> "Device":
        family = data.get("family")
        if not isinstance(family, str) or family not in Device.families:
            choices = ", ".join(repr(name) for name in sorted(Device.families))
            message = "missing; one of " if family is None else "must be one of "
            hint = nearest(str(family), Device.families)
            raise report([Problem("family", f"{message}{choices}{hint}", family)], origin)
        model = Device.families[family]
        try:
            return model.model_validate(dict(data), context={"folder": folder})
        except ValidationError as error:
            raise device_file_error(error, model, origin) from None

    def replace(self, changes: Mapping[str, Any]) -> Self:
        """A changed copy: ``device.replace({"layers.oxide.thickness_nm": 6.0})``; None removes an optional key.

        Keys are dotted paths; entries of a list go by index or name (``drive.stages.set.stop_V``).
        """
        data = apply(self._data(), changes)
        return self._from_data(data, Path.cwd(), f"device {self.name}")  # type: ignore[return-value]

    def overrides(self, assignments: Iterable[str]) -> Self:
        """A copy changed by ``key=value`` texts, as ``--set`` takes them; values are TOML, bare words are strings."""
        return self.replace(parse_assignments(assignments))

    def to_toml(self) -> str:
        """The whole description, defaults included, as the text of a device file that reads back to an equal device."""
        return dumps(self._data())

    def __repr__(self) -> str:
        """Name, family, drive and materials; :meth:`to_toml` has all of it."""
        materials = ", ".join(dict.fromkeys(name for _, name in self.material_keys()))
        model = getattr(self, "model", "")
        parts = [part for key in ("stages", "pulses", "steps") for part in getattr(self.drive, key, ())]
        stages = f" ({', '.join(part.name for part in parts)})" if parts else ""
        family = f"{self.family}, {model}" if model else self.family
        return (
            f"<Device {self.name!r} ({family}), seed {self.seed}, {self.ambient_K:g} K\n"
            f" drive {self.drive.kind}{stages}" + (f"; materials {materials}>" if materials else ">")
        )

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Tables of the device file for a notebook, the drive opened; names carry the units."""
        alone: list[tuple[str, Any]] = []
        tables: list[str] = []
        for key, value in self._data().items():
            if not isinstance(value, dict):
                alone.append((key, value))
            elif value:
                rows = [(name, item, self.source_of(f"{key}.{name}")) for name, item in html.flat(value)]
                tables.append(html.folded(key, html.table(rows, ("key", "value", "source")), opened=key == "drive"))
        return html.heading(self.name, self.description) + html.table(
            pair for pair in alone if pair[0] not in ("name", "description")
        ) + "".join(tables)

    def _data(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_none=True)

    def material(self, name: str) -> database.Material:
        """A material of the database with the changes of ``[materials]``; MaterialError for an unknown name."""
        changes = self.materials.get(name)
        if changes is None:
            return database.material(name)
        base = database.material(name) if name in database.names() else database.Material(name)
        given = {
            key: database.Quantity(value, unit, self.source_of(f"materials.{name}.{key}") or "user input")
            for key, unit in database.UNITS.items()
            if (value := getattr(changes, key)) is not None
        }
        return base.changed(given, changes.scavenger)

    def has_material(self, name: str) -> bool:
        """Whether ``name`` is in the database or in ``[materials]``."""
        return name in self.materials or name in database.names()

    def scavengers(self) -> list[str]:
        """The names of all materials that take up oxygen."""
        return [name for name in self._material_names() if self.material(name).scavenger]

    def _material_names(self) -> list[str]:
        return list(dict.fromkeys([*database.names(), *self.materials]))

    def source_of(self, key: str) -> str | None:
        """The entry of ``[sources]`` for a key path: its own, that of its list, or that of the nearest table above."""
        for candidate in source_keys(key):
            if candidate in self.sources:
                return self.sources[candidate]
        return None

    def taken_from_sets(self) -> dict[str, database.Quantity]:
        """Key path -> number that the description leaves to a set of the database."""
        return {}

    def material_keys(self) -> Iterator[tuple[str, str]]:
        """Key path and name of every material that the device uses."""
        yield from ()

    def unused(self) -> tuple[str, ...]:
        """Key paths of tables and numbers that no run of the device uses, whatever they hold; families add theirs."""
        return ()

    def cross_checks(self) -> Problems:
        """Problems that show only when keys are compared with each other; families add theirs."""
        for problem in self.drive.cross_checks():
            yield Problem(f"drive.{problem.key}", problem.message, problem.value)
        if self.numerics.distributed_lattice and self.numerics.superbasin_states is not None:
            message = "not with numerics.distributed_lattice: superbasins need the whole lattice on a rank"
            yield Problem("numerics.superbasin_states", message, self.numerics.superbasin_states)
        for key, name in self.material_keys():
            if not self.has_material(name):
                known = self._material_names()
                message = f"unknown material{nearest(name, known)}; known: {', '.join(known)}"
                yield Problem(key, f"{message}; others may be given as [materials.NAME]", name)
                continue
            missing = [item for item in NEEDED_PROPERTIES if item not in self.material(name).quantities]
            if missing:
                yield Problem(key, f"the material has no {', '.join(missing)}; give it in [materials.{name}]", name)
        paths = schema.key_paths(type(self))
        for key in self.sources:
            if schema.schema_path(key) not in paths:
                yield Problem(f"sources.{key}", f"there is no such key{nearest(key, paths)}")

    def check_files(self, origin: str = "device") -> None:
        """Raise DeviceFileError where a file that the device names does not exist or a waveform cannot be read."""
        missing = [Problem(key, "there is no such file", str(path)) for key, path in _paths(self) if not path.is_file()]
        if missing:
            raise report(missing, origin)
        if isinstance(self.drive, Table):
            read_waveform(self.drive.path)

    @model_validator(mode="after")
    def _compare_keys(self) -> Self:
        problems = list(self.cross_checks())
        if problems:
            raise cross_check_error(problems)
        return self


def _paths(section: Section, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Key path and path of every file that a description names."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            yield f"{prefix}{name}", value
        elif isinstance(value, Section):
            yield from _paths(value, f"{prefix}{name}.")


def _absolute_paths(changes: dict[str, Any]) -> dict[str, Any]:
    """Overrides typed in a shell name files from the working directory, not from the device file's folder."""
    files = set().union(*(schema.file_keys(model) for model in Device.families.values()))
    return {k: os.path.abspath(v) if k in files and isinstance(v, str) else v for k, v in changes.items()}
