"""From a study file to the list of its runs; everything that can be wrong is found here, before anything runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ionsim.config import Device, load, schema
from ionsim.config.toml import value_text
from ionsim.config.vcm import VcmDevice
from ionsim.drive import Drive
from ionsim.errors import DeviceFileError, StudyError, nearest
from ionsim.study.description import Parameter, Study, parse
from ionsim.study.designs import Values, corners, n_points, points
from ionsim.study.observables import observables

#: Most runs of a study unless more are asked for: a wrong exponent in a grid should not fill a cluster.
MAX_RUNS = 10_000

#: So many points at most are built and checked beforehand (3 ms each), the others when they run.
_CHECKED = 10_000

#: So many different problems of points are listed.
_LISTED = 10


@dataclass(frozen=True)
class Task:
    """One run of a study: ``index`` from 1 among all runs, ``point`` from 1 among the points of the design.

    ``seed`` is None for a continuum, in which nothing is random; ``model`` is None unless a study names models.
    ``values`` are those of the parameters, in their order.
    """

    index: int
    point: int
    seed: int | None
    model: str | None
    values: Values

    @property
    def label(self) -> str:
        """The name of its folder."""
        parts = [f"{self.point:04d}"]
        parts += [] if self.seed is None else [f"seed_{self.seed}"]
        parts += [] if self.model is None else [self.model]
        return "_".join(parts)


@dataclass(frozen=True)
class Plan:
    """A study with its base device; ``text`` is the study file as it was written."""

    study: Study
    base: Device
    text: str
    origin: str = "study file"

    @cached_property
    def whole(self) -> tuple[bool, ...]:
        """Which parameters are whole numbers, by the schema of the device file."""
        kinds = {key: schema.alternatives(field.annotation) for key, field in schema.fields(type(self.base))}
        return tuple(kinds.get(schema.schema_path(key)) == [int] for key in self.study.columns)

    @cached_property
    def points(self) -> list[Values]:
        """The values of every point."""
        return points(self.study, self.whole)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of each point."""
        return self.study.seeds or (self.base.seed,)

    def models_and_seeds(self) -> list[tuple[str | None, int | None]]:
        """What is run at each point, in the order of the table: sorted by seed, then by model; continua last."""
        if self.study.models:
            lattices = [("lattice", seed) for seed in sorted(self.seeds)] if "lattice" in self.study.models else []
            return [*lattices, *([("continuum", None)] if "continuum" in self.study.models else [])]
        if isinstance(self.base, VcmDevice) and self.base.model == "continuum":
            return [(None, None)]
        return [(None, seed) for seed in sorted(self.seeds)]

    @property
    def n_runs(self) -> int:
        """How many runs there are, without making the list."""
        return n_points(self.study) * len(self.models_and_seeds())

    @cached_property
    def tasks(self) -> list[Task]:
        """All runs: by point, seed, model."""
        each = self.models_and_seeds()
        pairs = itertools.product(enumerate(self.points, start=1), each)
        return [
            Task(index, point, seed, model, values)
            for index, ((point, values), (model, seed)) in enumerate(pairs, start=1)
        ]

    def task(self, index: int) -> Task:
        """The run of a number from 1; StudyError for another number."""
        if not 1 <= index <= len(self.tasks):
            raise StudyError(f"run {index}: the study has the runs 1 to {len(self.tasks)}")
        return self.tasks[index - 1]

    def inputs(self, values: Values) -> dict[str, Any]:
        """Key path -> value of a point, with those that go along."""
        found: dict[str, Any] = {}
        for parameter, value in zip(self.study.parameters, values, strict=True):
            found |= dict.fromkeys((parameter.key, *parameter.also), _plain(value))
        return found

    def device(self, values: Values) -> Device:
        """The device of a point (of its lattice, where there are models)."""
        changes = {key: _plain(value) for key, value in self.study.changes.items()}
        device = self.base.replace({**changes, **self.inputs(values)})
        return device.replace({"model": "lattice"}) if self.study.models else device


def make_plan(path: str | Path, max_runs: int = MAX_RUNS) -> Plan:
    """Read a study file, check all of it, and plan its runs.

    A base device is an example's name, or a path relative to the study file.

    Raises:
        StudyError, DeviceFileError: with one line per problem.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: cannot be read as text ({error})") from error
    study = parse(text, str(path))
    beside = path.absolute().parent / Path(study.base).expanduser()
    try:
        base = load(beside if beside.is_file() else study.base)
    except DeviceFileError as error:
        raise StudyError(f"{path}: base = {value_text(study.base)}: {error}") from None
    plan = Plan(study, base, text, str(path))
    check(plan, max_runs)
    return plan


def check(plan: Plan, max_runs: int = MAX_RUNS) -> None:
    """Build every point's device and compare names.

    Raises:
        StudyError: with one line per problem: key, value, what is allowed, and the nearest name.
    """
    if plan.n_runs > max_runs:
        counts = f"{n_points(plan.study):,} points with {len(plan.models_and_seeds()):,} runs each"
        raise StudyError(
            f"{plan.origin}: {plan.n_runs:,} runs ({counts}); at most {max_runs:,} are allowed; if so many are "
            "meant, --max-runs raises the limit"
        )
    problems = list(dict.fromkeys(_problems(plan)))
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise StudyError("\n  ".join([f"{plan.origin}: {count}", *problems]))


def _problems(plan: Plan) -> Iterator[str]:
    unknown = [*_unknown_keys(plan)]
    yield from unknown
    if unknown:
        return
    if plan.study.models:
        if not isinstance(plan.base, VcmDevice):
            yield f"models: only for devices of the family 'vcm'; the base device has {plan.base.family!r}"
            return
        if plan.base.model != "lattice":
            yield "models: the base device must be the lattice (model = 'lattice'), of which the continuum is made"
            return
    bad = list(itertools.islice(_bad_points(plan), _LISTED))
    yield from bad
    if not bad:
        yield from _unknown_observables(plan)


def _unknown_keys(plan: Plan) -> Iterator[str]:
    """Key paths that the device file does not have, as the whole path and the nearest one."""
    paths = schema.key_paths(type(plan.base))
    written = [(f"changes.{key}", key, value) for key, value in plan.study.changes.items()]
    for index, parameter in enumerate(plan.study.parameters):
        for key in (parameter.key, *parameter.also):
            written.append((f"parameters.{index}.{'key' if key == parameter.key else 'also'}", key, key))
    for where, key, value in written:
        if not any(path in paths for path in _without_names(key)):
            yield f"{where} = {value_text(value)}: the device file has no such key path{nearest(key, paths)}"


def _without_names(key: str) -> Iterator[str]:
    """A key path without its indices, and without each part that may be the name of a list's entry."""
    yield schema.schema_path(key)
    parts = key.split(".")
    for index in range(1, len(parts) - 1):
        yield schema.schema_path(".".join([*parts[:index], *parts[index + 1 :]]))


def _bad_points(plan: Plan) -> Iterator[str]:
    seen: set[str] = set()
    for name, values in _to_check(plan):
        try:
            device = plan.device(values)
            device.check_files()
            Drive(device.drive)
            if "continuum" in plan.study.models:
                _check_continuum(device)
        except DeviceFileError as error:
            first, *rest = str(error).split("\n")
            for line in [part.strip() for part in rest] or [first]:
                if line not in seen:
                    seen.add(line)
                    yield f"{name}: {line}"


def _to_check(plan: Plan) -> Iterable[tuple[str, Values]]:
    """Points by name: all of them, or of very many the corners and an even choice."""
    numbered = [(f"point {number}", values) for number, values in enumerate(plan.points, start=1)]
    if len(numbered) <= _CHECKED:
        return numbered
    step = -(-len(numbered) // (_CHECKED // 2))
    at_corners = (("a corner of the design", values) for values in itertools.islice(corners(plan.study), _CHECKED // 2))
    return [*numbered[::step], numbered[-1], *at_corners]


def _check_continuum(device: Device) -> None:
    from ionsim.analysis.vcm_mapping import around

    assert isinstance(device, VcmDevice)
    around(device)


def _unknown_observables(plan: Plan) -> Iterator[str]:
    device = plan.device(plan.points[0])
    known = dict.fromkeys(observables(device))
    if "continuum" in plan.study.models:
        known |= dict.fromkeys(observables(device.replace({"model": "continuum"})))
    for index, name in enumerate(plan.study.observables):
        if name not in known:
            hint = nearest(name, known) or f"; there are: {', '.join(known)}"
            yield f"observables.{index} = {value_text(name)}: the summary of such a run has no such key{hint}"


def _plain(value: Any) -> Any:
    """A value of a study file as the device file has it: the text none takes a key out."""
    return None if isinstance(value, str) and value == "none" else value


def describe(parameters: Iterable[Parameter], values: Values) -> str:
    """A point in words: ``thickness_nm = 4.0, ramp_rate_V_per_s = 1.0``."""
    names = [parameter.key for parameter in parameters]
    shown = {key: key.rpartition(".")[2] for key in names}
    if len(set(shown.values())) < len(shown):
        shown = {key: key for key in names}
    return ", ".join(f"{shown[key]} = {value_text(value)}" for key, value in zip(names, values, strict=True))


def same_study(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Keys in which two descriptions (as plain data) ask for different runs; the engine does not count."""
    keys = dict.fromkeys([*one, *other])
    return [key for key in keys if key not in ("engine", "description") and one.get(key) != other.get(key)]
