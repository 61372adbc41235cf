"""What a person writes in a study file: one base device, what differs from run to run, and what to keep."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from ionsim.config import html
from ionsim.config.base import Problem, Problems, Section, number, setting
from ionsim.config.problems import cross_check_error, device_file_error
from ionsim.config.sources import flatten
from ionsim.errors import DeviceFileError, StudyError

#: Designs that draw points from ranges, and how many parameters and points they need.
SAMPLED = ("latin-hypercube", "sobol", "saltelli")

Texts = Annotated[tuple[str, ...], Field(strict=False)]


def _seed_list(value: Any) -> Any:
    """``"1-5"`` or ``"1,4,7-9"`` as the list of its numbers; anything else is left to the schema."""
    if not isinstance(value, str):
        return value
    numbers: list[int] = []
    for part in value.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            return value
        # A range such as 1-1000000000 is a slip: it must not fill the memory before it is refused.
        numbers += range(int(first), min(int(last or first), int(first) + 1_000_000) + 1)
    return numbers


Seeds = Annotated[tuple[int, ...], Field(strict=False), BeforeValidator(_seed_list)]


class Parameter(Section):
    """One quantity that differs from point to point."""

    key: str = setting(..., "key path of a device file, such as layers.oxide.thickness_nm", min_length=1)
    also: Texts = setting((), "further key paths that get the same value, such as lattice.depth_nm")
    values: Annotated[tuple[Any, ...], Field(strict=False)] | None = setting(None, "the values it takes")
    low: float | None = number(None, "", "lower end of its range, for a sampled design")
    high: float | None = number(None, "", "upper end of its range, for a sampled design")
    scale: Literal["linear", "log"] = setting("linear", "whether a range is filled evenly or its logarithm is")


class SlurmKeys(Section):
    """What a job array of Slurm asks for."""

    partition: str | None = setting(None, "partition; else the cluster's default")
    account: str | None = setting(None, "account that is charged")
    time: str | None = setting(
        None, "time limit of a job, such as 02:00:00", pattern=r"^\d+(:\d+){0,2}$|^\d+-\d+(:\d+){0,2}$"
    )
    memory: str | None = setting(None, "memory of a job, such as 4G", pattern=r"^\d+[KMGT]?$")
    at_once: int | None = number(None, "", "most jobs of the array that run at the same time", ge=1, le=100_000)
    runs_per_job: int = number(1, "", "runs that one job does, one after the other", ge=1, le=100_000)
    warning_s: int = number(120, "s", "how long before the time limit runs write their state", ge=10, le=65_535)
    launcher: str = setting("mpiexec -n {ranks}", "what starts a run of several ranks, such as srun -n {ranks}")
    restarts: int = number(100, "", "how often a job that ran out of time is queued again", ge=0, le=10_000)
    options: Texts = setting((), "further options of sbatch, such as --constraint=avx2")
    setup: Texts = setting((), "shell commands before a run, such as module load python")


class EngineKeys(Section):
    """How the runs are made; the results do not depend on it."""

    kind: Literal["local", "mpi", "slurm"] = setting("local", "processes here, ranks of MPI, or a job array of Slurm")
    workers: int | None = number(None, "", "processes of the engine local; else one a usable core", ge=1, le=4096)
    ranks_per_run: int = number(1, "", "MPI ranks that share one run", ge=1, le=4096)
    slurm: SlurmKeys = setting(SlurmKeys(), "what a job array asks for")


class Study(Section):
    """A validated study; :func:`ionsim.study.load` reads one from a file."""

    name: str = setting(..., "name of the study", min_length=1)
    description: str = setting("", "what the study is, for a reader")
    base: str = setting(..., "a device file, or an example's name", min_length=1)
    seeds: Seeds | None = setting(None, 'seeds of each point, such as [1, 2, 3] or "1-10"; else that of the device')
    observables: Texts = setting((), "keys of summary.json that go into the table; else all numbers")
    design: Literal["grid", "list", "latin-hypercube", "sobol", "saltelli"] = setting(
        "grid", "all combinations of values, values side by side, or samples from ranges"
    )
    points: int | None = number(None, "", "number of points of a sampled design", ge=1)
    samples: int | None = number(None, "", "base samples of the design saltelli, each of parameters + 2 points", ge=2)
    design_seed: int = number(1, "", "seed of a sampled design", ge=0, le=2**63 - 1)
    models: Annotated[tuple[Literal["lattice", "continuum"], ...], Field(strict=False)] = setting(
        (), "run each point as these models of a vacancy device"
    )
    changes: Annotated[dict[str, Any], BeforeValidator(flatten)] = setting(
        {}, "key path -> value, for all points; the text none takes an optional key out"
    )
    parameters: Annotated[tuple[Parameter, ...], Field(strict=False)] = setting((), "what differs between the points")
    mesh: Texts = setting((), "of a mesh study: the parameter that is the mesh size, then those that go with it")
    mesh_counts: bool = setting(False, "the first key of mesh counts parts of a length; its inverse is the mesh size")
    engine: EngineKeys = setting(EngineKeys(), "how the runs are made")

    def _repr_html_(self) -> str:
        """What varies, for a notebook."""
        lines = [("base", self.base), ("design", self.design), ("seeds", self.seeds), ("models", self.models or None)]
        varied = [
            (item.key, item.values, None if item.low is None else f"{item.low:g} to {item.high:g}, {item.scale}")
            for item in self.parameters
        ]
        parts = [html.heading(self.name, self.description), html.table(lines)]
        parts.append(html.table(varied, ("parameter", "values", "range")))
        if self.changes:
            parts.append(html.folded("changes", html.table(self.changes.items())))
        return "".join(parts)

    @property
    def sampled(self) -> bool:
        """Whether the points are drawn from ranges."""
        return self.design in SAMPLED

    @property
    def columns(self) -> tuple[str, ...]:
        """Key paths of the parameters, in order: the columns of inputs."""
        return tuple(parameter.key for parameter in self.parameters)

    def cross_checks(self) -> Problems:
        """Problems that show only when keys are compared with each other."""
        for what, values in (("seeds", self.seeds), ("observables", self.observables), ("models", self.models)):
            if values is not None and len(set(values)) != len(values):
                twice = next(value for value in values if values.count(value) > 1)
                yield Problem(what, f"{twice!r} comes twice; each may come once")
        for seed in self.seeds or ():
            if not 0 <= seed < 2**63:
                yield Problem("seeds", "must be whole numbers from 0 to 2^63 - 1", seed)
        if self.seeds is not None and not self.seeds:
            yield Problem("seeds", "empty; needs at least one whole number >= 0, or no such key", [])
        yield from self._parameter_checks()
        yield from self._count_checks()
        yield from self._mesh_checks()

    def _count_checks(self) -> Problems:
        """Numbers of points and of samples: each belongs to designs of its own."""
        key, other = ("samples", "points") if self.design == "saltelli" else ("points", "samples")
        count, stray = getattr(self, key), getattr(self, other)
        if self.sampled and count is None:
            yield Problem(key, f"missing; the design {self.design!r} needs the number of {key}")
        if self.sampled and not self.parameters:
            yield Problem("parameters", f"none; the design {self.design!r} needs at least one")
        if not self.sampled and count is not None:
            yield Problem(key, f"not with the design {self.design!r}, whose values say how many there are", count)
        if stray is not None:
            instead = f"; it needs {key}" if self.sampled else ""
            yield Problem(other, f"not with the design {self.design!r}{instead}", stray)
        if self.design in ("sobol", "saltelli") and count is not None and count & (count - 1):
            below = 1 << (count.bit_length() - 1)
            message = f"a Sobol sequence is balanced at powers of two only; take {below} or {2 * below}"
            yield Problem(key, message, count)

    def _mesh_checks(self) -> Problems:
        """The parameters of a mesh study: a size with three values or more, and what goes along in a list."""
        for index, key in enumerate(self.mesh):
            if key not in self.columns:
                there = ", ".join(self.columns) or "none"
                yield Problem(f"mesh.{index}", f"no key of a parameter of the study; there are: {there}", key)
                return
        if not self.mesh:
            if self.mesh_counts:
                yield Problem("mesh_counts", "needs mesh, whose first key counts", True)
            return
        if self.sampled or (len(self.mesh) > 1 and self.design != "list"):
            message = "a mesh study needs the design 'list', or 'grid' with one key in mesh"
            yield Problem("design", message, self.design)
        sizes = next(parameter.values or () for parameter in self.parameters if parameter.key == self.mesh[0])
        numbers = {size for size in sizes if isinstance(size, int | float) and not isinstance(size, bool) and size > 0}
        if len(numbers) < 3 or len(numbers) < len(set(map(repr, sizes))):
            yield Problem("mesh.0", "a mesh size needs three different values or more, all numbers > 0", self.mesh[0])

    def _parameter_checks(self) -> Problems:
        used: dict[str, str] = {key: f"changes.{key}" for key in self.changes}
        for index, parameter in enumerate(self.parameters):
            at = f"parameters.{index}"
            for key in (parameter.key, *parameter.also):
                where = f"{at}.key" if key == parameter.key else f"{at}.also"
                if key == "seed":
                    yield Problem(where, "the seeds of a study are its key seeds", key)
                if key in used:
                    yield Problem(where, f"set already by {used[key]}", key)
                used[key] = where
            yield from self._value_checks(at, parameter)
        lengths = {parameter.key: len(parameter.values or ()) for parameter in self.parameters}
        if self.design == "list" and len(set(lengths.values())) > 1:
            shown = ", ".join(f"{key} {length}" for key, length in lengths.items())
            yield Problem("parameters", f"the design 'list' needs as many values for each of them; there are: {shown}")

    def _value_checks(self, at: str, parameter: Parameter) -> Problems:
        ranged = parameter.low is not None or parameter.high is not None
        if parameter.values is not None and ranged:
            yield Problem(at, f"{parameter.key} has both values and a range low to high; one of them is needed")
        elif parameter.values is not None:
            texts = [repr(value) for value in parameter.values]
            if not texts:
                yield Problem(f"{at}.values", f"empty; {parameter.key} needs at least one value", [])
            elif self.design != "list" and len(set(texts)) != len(texts):
                yield Problem(f"{at}.values", "a value comes twice; each may come once", list(parameter.values))
        elif not self.sampled:
            yield Problem(f"{at}.values", f"missing; the design {self.design!r} needs the values of {parameter.key}")
        elif parameter.low is None or parameter.high is None:
            yield Problem(at, f"{parameter.key} needs values, or the ends low and high of a range")
        elif parameter.low >= parameter.high:
            yield Problem(f"{at}.low", f"must be below high = {parameter.high:g}", parameter.low)
        elif parameter.scale == "log" and parameter.low <= 0.0:
            yield Problem(f"{at}.low", "must be above 0 for scale = 'log'", parameter.low)

    @model_validator(mode="after")
    def _compare_keys(self) -> Study:
        problems = list(self.cross_checks())
        if problems:
            raise cross_check_error(problems)
        return self


def parse(text: str, origin: str) -> Study:
    """Read a study from the text of a study file, whose name ``origin`` stands in messages.

    Raises:
        StudyError: with one line per problem: key, value, what is allowed, and the nearest name.
    """
    try:
        data: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{origin}: not valid TOML: {error}") from error
    try:
        return Study.model_validate(dict(data))
    except ValidationError as error:
        raise StudyError(str(device_file_error(error, Study, origin))) from None
    except DeviceFileError as error:
        raise StudyError(f"{origin}: {error}") from error
