"""What every device reports, in the words of the literature, with the range that it is held against.

Ranges are context, not pass marks: medians of device classes and single stacks, as collected from five reviews
(SOURCES). Shapes and trends of the same reviews are what the tests of the families check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from ionsim.analysis.pcm_reads import read_figures
from ionsim.config import Device, EcramDevice, PcmDevice
from ionsim.config.waveforms import Sweep
from ionsim.report.curves import Series
from ionsim.report.texts import DASH, number, quantity

SOURCES = (
    "ACS Nano 2023, 10.1021/acsnano.3c03505",
    "Nanoscale Horiz. 2023, 8, 1456",
    "Adv. Funct. Mater. 2020, 10.1002/adfm.202006773",
    "Adv. Mater. 2023, 10.1002/adma.202301924",
    "Wang et al., Resistive switching materials for information processing",
)

_NONE = ""
_READ = "at the read voltage, at the end of the rest after the pulse (of a sweep on the way back)"

#: What the reviews say of a class, by family and metric.
_LITERATURE: dict[str, dict[str, str]] = {
    "vcm": {
        "E_action": "class median ≈ 220 pJ; best devices below 1 pJ",
        "P_standby": "class median ≈ 34 µW",
        "V_form": "rises about linearly with thickness; grain boundaries of HfO₂/TiN: 5.3 V for (010), 1.9 V for (111)",
        "V_set": "1.1 V Ta/HfO₂/Pd, 1.7 V Pt/HfOₓ/TiN, ± 2 V TiN/Ta₂O₅/TiN; below V_form",
        "V_reset": "−1.3 V Ta/HfO₂/Pd, −1.6 V Pt/HfOₓ/TiN; gradual, limits itself",
        "ratio": "≈ 10 Pt/HfOₓ/TiN, 360 TiN/Ta₂O₅/TiN, 500 Ta/HfO₂/Pd",
        "R_LRS": "falls with the compliance",
        "tau": "SET abrupt; 50 ns Ta/HfO₂/Pd, < 10 ns TiN/Ta₂O₅/TiN in pulses",
    },
    "ecm": {
        "E_action": "class median ≈ 13 nJ; ≈ 2 pJ with a 2 nm barrier layer",
        "R_LRS": "power law of the compliance; steps at multiples of 1/G₀ = 12.9 kΩ",
        "retention": "Pt/SiO₂/Ag: volatile at 5 and 100 nA, kept at 100 µA",
    },
    "pcm": {
        "T_melt": "≈ 600 °C (873 K)",
        "quench": "> 10⁹ K/s for amorphisation",
        "E_reset": "≈ 1000 fJ typical least, ≈ 100 fJ with nanotube electrodes; in proportion to the volume",
        "t_set": "crystallisation 50–1000 ns",
    },
    "ecram": {
        "G": "Pd/PSG/WO₃: ≈ 0.1 µS, tenfold range",
        "n_states": "≈ 1000 (Pd/PSG/WO₃); ≥ 256 for training of networks",
        "E_pulse": "≈ fJ a pulse (Pd/PSG/WO₃)",
        "nonlinearity": "near linear; 0 is linear",
        "asymmetry": "near symmetric; training wants 0",
    },
}


@dataclass(frozen=True)
class Metric:
    """A row of the table: HTML name, value of this run, definition, and the literature's range."""

    name: str
    value: str
    definition: str
    literature: str = _NONE


def metrics_of(
    device: Device | None, family: str, summary: Mapping[str, Any], series: Series, stages: Sequence[str] = ()
) -> list[Metric]:
    """The table of a run with these stages; a dash where a quantity did not occur."""
    known = _LITERATURE.get(family, {})
    if family == "ecram":
        return list(_ecram(summary, known))
    if family == "pcm":
        return list(_pcm(device, summary, series, known, stages))
    return list(_switching(summary, known))


def _switching(summary: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[Metric]:
    def row(key: str, name: str, unit: str, definition: str, literature: str = "") -> Metric:
        return Metric(name, quantity(summary.get(key), unit), definition, known.get(literature, ""))

    yield row(
        "V_form_V",
        "V<sub>form</sub>",
        "V",
        "first voltage at which the current is limited (else the largest rise of the conductance, if tenfold)",
        "V_form",
    )
    yield row("V_set_V", "V<sub>set</sub>", "V", "the same in the SET stage", "V_set")
    yield row(
        "V_reset_V", "V<sub>reset</sub>", "V", "voltage of the largest current on the way out of RESET", "V_reset"
    )
    yield row("R_virgin_ohm", "R<sub>virgin</sub>", "Ω", "resistance of the first recorded point")
    yield row(
        "R_LRS_ohm", "R<sub>LRS</sub>", "Ω", "at the read voltage on the way back from SET (else forming)", "R_LRS"
    )
    yield row("R_HRS_ohm", "R<sub>HRS</sub>", "Ω", "at the read voltage on the way back from RESET")
    ratio = summary.get("on_off_ratio")
    yield Metric("on/off ratio", number(ratio, 3), "R<sub>HRS</sub> / R<sub>LRS</sub>", known.get("ratio", ""))
    yield row(
        "tau_set_s",
        "τ<sub>SET</sub>",
        "s",
        "10–90 % of the logarithmic rise of the conductance in SET; not shorter than a recorded step",
        "tau",
    )
    yield row(
        "E_action_J",
        "E<sub>action</sub>",
        "J",
        "V² (G<sub>on</sub> + G<sub>off</sub>)/2 τ, V = V<sub>set</sub>",
        "E_action",
    )
    yield row("P_standby_W", "P<sub>standby</sub>", "W", "V² G<sub>off</sub>", "P_standby")
    set_V, tau = summary.get("V_set_V"), summary.get("tau_set_s")
    on, off = summary.get("R_LRS_ohm"), summary.get("R_HRS_ohm")
    spike = set_V**2 / off * tau if set_V and tau and off else None
    fire = set_V**2 / on * tau if set_V and tau and on else None
    yield Metric("E<sub>spike</sub>", quantity(spike, "J"), "V² G<sub>off</sub> τ")
    yield Metric("E<sub>fire</sub>", quantity(fire, "J"), "V² G<sub>on</sub> τ")
    yield Metric("I<sub>max</sub>", quantity(summary.get("I_max_A"), "A"), "largest current of the run")
    yield Metric("T<sub>peak</sub>", quantity(summary.get("T_peak_K"), "K"), "hottest point of the run")
    yield Metric(
        "S, spread between cycles and devices",
        DASH,
        "2 (sd[log R<sub>HRS</sub>] + sd[log R<sub>LRS</sub>]) / "
        "(⟨log R<sub>HRS</sub>⟩ − ⟨log R<sub>LRS</sub>⟩): needs several seeds (ionsim study)",
    )


def _pcm(
    device: Device | None, summary: Mapping[str, Any], series: Series, known: Mapping[str, str], stages: Sequence[str]
) -> Iterator[Metric]:
    melting = device.phase("melting_K") if isinstance(device, PcmDevice) else None
    yield Metric("T<sub>peak</sub>", quantity(summary.get("T_peak_K"), "K"), "hottest point of the run")
    yield Metric("T<sub>melt</sub>", quantity(melting, "K"), "melting point of the material set", known["T_melt"])
    quench = quench_K_per_s(series, melting)
    yield Metric(
        "quench rate",
        f"{number(quench, 3)} K/s" if quench else DASH,
        "steepest fall of the hottest point between two recorded points, of those that begin above T<sub>melt</sub>",
        known["quench"],
    )
    reads = read_figures(None if device is None else device.drive, series, stages)
    for name in stages:
        yield Metric(f"R after {escape(name)}", quantity(reads[f"R_{name}_ohm"], "Ω"), _READ)
    low, high = reads["R_LRS_ohm"], reads["R_HRS_ohm"]
    yield Metric("R<sub>LRS</sub>", quantity(low, "Ω"), "least resistance read, of two or more reads")
    yield Metric("R<sub>HRS</sub>", quantity(high, "Ω"), "largest resistance read, of two or more reads")
    yield Metric("on/off ratio", number(reads["on_off_ratio"], 3), "R<sub>HRS</sub> / R<sub>LRS</sub>")
    share = series.get("crystalline_share")
    if share is not None and len(share):
        yield Metric(
            "largest amorphous share",
            f"{100.0 * (1.0 - float(share.min())):.3g} %",
            "of the phase-change material, molten parts included",
        )
    yield Metric(
        "electrical energy",
        quantity(summary.get("E_electrical_J"), "J"),
        "of the whole run, at the cell; stage by stage in the table of the curves",
        known["E_reset"],
    )
    yield Metric(
        "crystallisation",
        f"{100.0 * summary['crystalline_share']:.4g} %" if summary.get("crystalline_share") is not None else DASH,
        "crystalline share at the end",
        known["t_set"],
    )
    yield Metric("nuclei", number(summary.get("n_nuclei")), "births during the run")
    yield Metric("I<sub>max</sub>", quantity(summary.get("I_max_A"), "A"), "largest current of the run")


def quench_K_per_s(series: Series, melting_K: float | None) -> float | None:
    """The steepest fall of the hottest temperature between recorded points that begins in the melt; None without."""
    if melting_K is None or len(series.get("time_s", ())) < 2:
        return None
    hot, time = series["temperature_peak_K"], series["time_s"]
    falls = -np.diff(hot) / np.diff(time)
    molten = hot[:-1] > melting_K
    rate = float(falls[molten].max(initial=0.0))
    return rate if rate > 0.0 else None


def _ecram(summary: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[Metric]:
    start, end = summary.get("G_start_S"), summary.get("G_end_S")
    yield Metric(
        "G at start, end",
        f"{quantity(start, 'S')}, {quantity(end, 'S')}",
        "conductance of the channel, first and last recorded point",
        known["G"],
    )
    if "n_pulses" in summary:
        low, high = summary.get("G_min_S"), summary.get("G_max_S")
        yield Metric(
            "G<sub>min</sub>, G<sub>max</sub>", f"{quantity(low, 'S')}, {quantity(high, 'S')}", "of all levels"
        )
        yield Metric(
            "on/off ratio", number(summary.get("on_off_ratio"), 3), "G<sub>max</sub> / G<sub>min</sub>", "tenfold"
        )
        yield Metric(
            "number of states",
            number(summary.get("n_states")),
            "levels three standard deviations of a read's thermal noise apart",
            known["n_states"],
        )
        for way, name in (("up", "LTP"), ("down", "LTD")):
            yield Metric(
                f"nonlinearity, {name}",
                number(summary.get(f"nonlinearity_{way}"), 3),
                f"largest distance of the way {way} from a straight line, over its range",
                known["nonlinearity"],
            )
        yield Metric(
            "asymmetry",
            number(summary.get("asymmetry"), 3),
            "largest distance of the way up from the way down reversed, over the range of both",
            known["asymmetry"],
        )
        yield Metric(
            "E<sub>pulse</sub>",
            quantity(summary.get("E_pulse_J"), "J"),
            "mean energy of a pulse at the gate",
            known["E_pulse"],
        )
        yield Metric("ΔG a pulse", quantity(summary.get("dG_pulse_S"), "S"), "mean change of the first amplitude")
    yield Metric(
        "P<sub>standby</sub>", quantity(summary.get("P_standby_W"), "W"), "V<sub>read</sub>² G at the least conductance"
    )
    yield Metric(
        "E<sub>gate</sub>", quantity(summary.get("E_total_J"), "J"), "energy that the gate took in the whole run"
    )
    yield Metric("I<sub>max</sub>", quantity(summary.get("I_max_A"), "A"), "largest gate current")


def ramp_note(device: Device | None) -> str:
    """What times and energies of a sweep are worth beside those of pulses; empty of any other run."""
    if device is None or isinstance(device, PcmDevice | EcramDevice) or not isinstance(device.drive, Sweep):
        return ""
    rate = device.drive.ramp_rate_V_per_s
    step_s = device.drive.step_V / rate
    return (
        f"Times and energies of this run are set by its ramp, {quantity(rate, 'V')}/s (a recorded step lasts "
        f"{quantity(step_s, 's')}): they are no measure of the speed and energy of the device in pulses, of which the "
        'literature speaks; drive.kind = "pulses" applies pulses.'
    )
