"""What the exports of a card must show: in the libraries that they are for, where those are installed.

aihwkit needs torch, CrossSim is on no index, so both may live elsewhere: ``IONSIM_AIHWKIT_PYTHON`` names a Python that
has aihwkit, ``IONSIM_CROSSSIM`` a folder that holds CrossSim's package ``simulator``. Without them the fields and
tables are checked against the laws in the libraries' documentation.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ionsim.compact.card import Card
from ionsim.compact.description import CompactError
from ionsim.compact.exports import aihwkit, crosssim, export_card, probes
from ionsim.compact.exports.drift import levels
from ionsim.compact.updates import update_law
from ionsim.verification.record import Record

#: Of the issue: rms difference of weights between trains and the exported device.
REPLAY_LIMIT = 0.01

#: aihwkit counts in single precision. A pulse is compared from the weight that it had there: where steps grow from
#: pulse to pulse a train magnifies the last digit (of 3e-8 at the start 4e-4 were left in the middle of one).
LIBRARY_LIMIT = 1e-6

#: Four standard errors of the deviation of 4000 and of 10000 draws, rounded up.
SPREAD_LIMITS = {"aihwkit": 0.05, "CrossSim": 0.03}

#: How long a library may take, in s; importing torch takes most of it.
LIMIT_S = 300.0


def aihwkit_python() -> str | None:
    """The Python that has aihwkit, if any."""
    named = os.environ.get("IONSIM_AIHWKIT_PYTHON")
    return named or (sys.executable if find_spec("aihwkit") else None)


def crosssim_folder() -> str | None:
    """The folder with CrossSim's package, or "" where it is installed; None without it."""
    named = os.environ.get("IONSIM_CROSSSIM")
    if named:
        return named
    found = find_spec("simulator")
    return "" if found and found.origin and (Path(found.origin).parent / "cores" / "analog_core.py").is_file() else None


def export_records(card: Card) -> list[Record]:
    """Records of a card's exports; empty where there are no pulse trains and its model cannot make any."""
    from ionsim.compact.extraction.trains import with_trains

    try:
        card = with_trains(card)
    except CompactError:
        return []
    with tempfile.TemporaryDirectory(prefix="ionsim-export-") as name:
        folder = Path(name)
        return [*_aihwkit(card, folder), *_crosssim(card, folder)]


def _aihwkit(card: Card, folder: Path) -> list[Record]:
    law = update_law(card)
    device = aihwkit.piecewise_device(law)
    error = aihwkit.replay_error(card, law, device)
    records = [Record.below(f"{card.name}: aihwkit, replay of the trains, rms dw", error, REPLAY_LIMIT)]
    python = aihwkit_python()
    if python is None:
        return records
    module = next(path for path in export_card(card, "aihwkit", folder / "aihwkit") if path.suffix == ".py")
    trains = {way: card.trains(way) for way in ("up", "down")}
    plan = []
    for way, group in trains.items():
        count = min(len(train.conductances_S) for train in group)
        start = float(law.weight(np.array([train.conductances_S[0] for train in group])).mean())
        plan.append({"direction": way, "start": float(np.clip(start, -1, 1)), "pulses": count - 1})
    (folder / "plan.json").write_text(json.dumps({"trains": plan}), encoding="utf-8")
    found = _run([python, probes.path("run_aihwkit.py"), module, folder / "plan.json"], {})
    apart, own = [], []
    for train, weights in zip(plan, found["replay"], strict=True):
        group = trains[str(train["direction"])]
        middle = law.weight(np.mean([item.conductances_S[: len(weights)] for item in group], axis=0))
        apart.append(middle - weights)
        law_says = [aihwkit.pulsed(device, w, str(train["direction"])) for w in weights[:-1]]
        own.append(np.array(law_says) - weights[1:])
    records.append(
        Record.below(
            f"{card.name}: in aihwkit, replay of the trains, rms dw",
            float(np.sqrt(np.mean(np.concatenate(apart) ** 2))),
            REPLAY_LIMIT,
        )
    )
    largest = float(np.abs(np.concatenate(own)).max())
    records.append(
        Record.below(f"{card.name}: in aihwkit, a pulse against the law of its documentation", largest, LIBRARY_LIMIT)
    )
    after = levels(card, law)
    wanted = np.interp(np.array(found["g_uS"]) * 1e-6, after.g_S, after.programming_S) * 1e6
    records += _spread(card, "aihwkit", np.array(found["programmed_sd_uS"]), wanted)
    nu = np.interp(np.array(found["g_uS"]) * 1e-6, after.g_S, after.nu)
    records += _drift(card, "aihwkit", np.array(found["after_two_decades"]), nu, after.nu_sd, after.read_noise)
    return records


def _crosssim(card: Card, folder: Path) -> list[Record]:
    files = export_card(card, "crosssim", folder / "crosssim")
    law = update_law(card)
    records = []
    for name, way in (("increasing", "up"), ("decreasing", "down")):
        g, _, change = crosssim.read_table(folder / "crosssim" / f"dG_{name}.txt")
        mean = (change[:-1] + change[1:]).mean(axis=0) / 2
        expected = law.step(law.weight(g), way) * (law.high_S - law.low_S) / 2
        error = float(np.abs(mean - expected).max() / np.abs(expected).max())
        records.append(Record.below(f"{card.name}: CrossSim, table {name}, mean step", error, 1e-6))
    place = crosssim_folder()
    if place is None:
        return records
    module = next(path for path in files if path.suffix == ".py")
    found = _run([sys.executable, probes.path("run_crosssim.py"), module], {"PYTHONPATH": place})
    after = levels(card, law)
    g_S = np.array(found["g"]) * law.high_S
    wanted = np.interp(g_S, after.g_S, after.programming_S) / law.high_S
    records += _spread(card, "CrossSim", np.array(found["programmed_sd"]), wanted)
    nu = np.interp(g_S, after.g_S, after.nu)
    records += _drift(card, "CrossSim", np.array(found["after_two_decades"]), nu, after.nu_sd, 0.0)
    records.append(Record(f"{card.name}: in CrossSim, relative rms of a product of 40 x 30", found["product"]))
    return records


def _spread(card: Card, library: str, found: Any, wanted: Any) -> list[Record]:
    """Spread of programming; levels whose spread reaches zero conductance are clipped there, and left out."""
    if not wanted.max() > 0:
        return []
    used = (wanted > 0) & (np.arange(len(wanted)) > 0)
    error = float(np.abs(found[used] / wanted[used] - 1).max())
    return [Record.below(f"{card.name}: in {library}, spread of programming", error, SPREAD_LIMITS[library])]


def _drift(card: Card, library: str, found: Any, nu: Any, nu_sd: tuple[float, ...], read_noise: float) -> list[Record]:
    """Mean conductance a hundred times t_0 later; its limit is four standard errors of 4000 draws, and clipping."""
    log = np.log(100.0)
    wanted = np.exp(-nu * log)
    scatter = max(nu_sd) * log  # draws of nu make the mean of exp(-nu log) larger by half the square of it
    limit = 0.01 + 4 * np.hypot(scatter, read_noise) / np.sqrt(4000) + scatter**2 / 2
    used = slice(1, None)
    error = float(np.abs(found[used] / wanted[used] - 1).max())
    return [Record.below(f"{card.name}: in {library}, drift over two decades", error, float(limit))]


def _run(command: list[Any], environment: dict[str, str]) -> dict[str, Any]:
    # PYTHONPATH of this process would bring ionsim's packages before those of another Python
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | environment
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, env=clean,
                          timeout=LIMIT_S)  # fmt: skip
    if done.returncode:
        raise CompactError(f"{Path(command[1]).name} failed (code {done.returncode}):\n{done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
