"""CrossSim: tables of dG for its training simulator (version 2), and a device with its errors for inference (3.x).

- ``dG_increasing.txt``, ``dG_decreasing.txt``: a header, a line of conductances, a line of cumulative probabilities
  (both on even grids, which its fast interpolation asks for), then one line a probability with dG of one pulse at each
  conductance, all in S, below 0 in the decreasing table.
- ``NAME_crosssim.json``: fields of ``DeviceParameters``. ``NAME_crosssim.py`` makes ``CrossSimParameters`` of it and
  defines a device class whose programming error, drift and read noise are the card's.

A row of a table is the mean step plus noise: normal quantiles at the middle of each interval of probability, since
CrossSim rounds a random number to the nearest row. Its first and last row get half a share of the draws. CrossSim's own
mean leaves out the last row, so that its mean step is larger by noise x 3/250: 0.4 % at a noise of 0.3.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ionsim.compact.card import Card
from ionsim.compact.description import CompactError
from ionsim.compact.exports.aihwkit import class_name, origin
from ionsim.compact.exports.drift import levels
from ionsim.compact.render import render
from ionsim.compact.updates import UpdateLaw, update_law

Floats = NDArray[np.float64]

#: Sizes of the tables.
N_CONDUCTANCES = 101
N_PROBABILITIES = 251

#: Rmax over Rmin of a cell that conducts nothing when off; CrossSim is told so as well and does not look at it.
_NO_CONDUCTANCE = 1e9

_HEADER = "1st Row = Gbins, 2nd Row = CDF Points, 3rd row onward = dG matrix (rows = CDF, columns = Gbins)"


def tables(law: UpdateLaw) -> tuple[Floats, Floats, Floats, Floats]:
    """Conductances (n,) in S, probabilities (m,), and dG (m, n) in S of a pulse up and of one down."""
    weights = np.linspace(-1, 1, N_CONDUCTANCES)
    chance = np.linspace(0, 1, N_PROBABILITIES)
    half = 0.25 / (N_PROBABILITIES - 1)
    scores = stats.norm.ppf(np.clip(chance, half, 1 - half))
    scores /= np.sqrt(np.mean((scores[1:] ** 2 + scores[:-1] ** 2) / 2))  # variance 1 as CrossSim draws
    to_siemens = (law.high_S - law.low_S) / 2
    up, down = (law.step(weights, direction) * to_siemens for direction in ("up", "down"))
    noise = 1 + law.noise * scores[:, None]
    # rows rise with the probability in both tables
    return law.conductance_S(weights), chance, up * noise, np.sort(down * noise, axis=0)


def write_table(path: Path, conductance_S: Floats, chance: Floats, change_S: Floats) -> None:
    """One table in the format of CrossSim."""
    lines = [_HEADER, *(",".join(map(repr, row.tolist())) for row in (conductance_S, chance, *change_S))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_table(path: Path) -> tuple[Floats, Floats, Floats]:
    """Conductances, probabilities and dG of a table as CrossSim reads it; raises CompactError for a wrong shape."""
    rows = [np.array([float(word) for word in line.split(",")]) for line in path.read_text().splitlines()[1:] if line]
    if len(rows) < 3 or len(rows) - 2 != len(rows[1]) or any(len(row) != len(rows[0]) for row in rows[2:]):
        raise CompactError(f"{path.name}: rows of dG must be as many as probabilities, each as long as conductances")
    return rows[0], rows[1], np.array(rows[2:])


def export(card: Card, folder: Path) -> list[Path]:
    """Write both tables, the fields and the module; raises CompactError for a card without pulse trains."""
    law = update_law(card)
    after = levels(card, law)
    conductance, chance, up, down = tables(law)
    files = [folder / name for name in ("dG_increasing.txt", "dG_decreasing.txt")]
    write_table(files[0], conductance, chance, up)
    write_table(files[1], conductance, chance, down)
    name = f"{class_name(card.name)}Device"
    read_V = card.pulses[0].read_V
    fields = {
        "cell_bits": 0,
        "Rmin": 1 / law.high_S,
        "Rmax": 1 / law.low_S if law.low_S > 0 else _NO_CONDUCTANCE / law.high_S,
        "infinite_on_off_ratio": law.low_S <= 0,
        "Vread": abs(read_V),
        "programming_error": {"enable": True, "model": name, "magnitude": 0.0},
        "drift_error": {"enable": any(nu != 0 for nu in after.nu), "model": name, "magnitude": 0.0},
        "read_noise": {"enable": after.read_noise > 0, "model": name, "magnitude": after.read_noise},
    }
    table = {
        "g_S": list(after.g_S),
        "programming_S": list(after.programming_S),
        "nu": list(after.nu),
        "nu_sd": list(after.nu_sd),
        "t_0_s": after.first_s,
    }
    content = {
        "format": "ionsim CrossSim export",
        "card": card.name,
        "card_sha256": card.sha256(),
        "trains": origin(card),
        "device": fields,
        "levels": table,
    }
    files += [folder / f"{card.name}_crosssim.json", folder / f"{card.name}_crosssim.py"]
    files[2].write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    text = render("crosssim.py.j2", card=card, content=content, class_name=name, notes=after.notes)
    files[3].write_text(text, encoding="utf-8")
    return files
