"""The tables of an ECRAM device's parts: a set of numbers for each, of which single ones may be replaced."""

from typing import Any, Literal

from ionsim.config.base import Section, number, setting

_SET = "else that of the set"


def _own(unit: str, description: str, **bounds: float) -> Any:
    return number(None, unit, f"{description}, {_SET}", **bounds)


class Reservoir(Section):
    """The gate: what gives and takes ions at one potential."""

    material: str = setting(..., "name of a reservoir, such as PdHx")
    potential_V: float | None = _own("V", "potential against the set's reference electrode", ge=-10, le=10)


class Electrolyte(Section):
    """Where ions move and electrons do not."""

    material: str = setting(..., "name of an electrolyte, such as PSG")
    conductivity_S_per_m: float | None = _own("S/m", "ionic conductivity at 300 K and low field", gt=0, le=1e4)
    density_per_m3: float | None = _own("1/m^3", "density of mobile ions at rest", ge=1e20, le=1e30)
    sites_per_m3: float | None = _own("1/m^3", "density of their sites", ge=1e20, le=1e30)
    relative_permittivity: float | None = _own("", "relative permittivity", ge=1, le=1e4)
    hop_nm: float | None = _own("nm", "distance of a jump, by which the field helps it", ge=0, le=5)
    activation_eV: float | None = _own("eV", "activation energy of the conductivity", ge=0, le=3)


class Channel(Section):
    """What takes ions up and conducts the better, or the worse, for it."""

    material: str = setting(..., "name of a channel, such as WO3")
    initial: float = number(0.05, "", "share of its sites that ions fill at the start", gt=0, lt=1)
    read_V: float = number(0.1, "V", "voltage from source to drain at which its conductance is read", gt=0, le=10)
    read_Hz: float = number(1e3, "Hz", "bandwidth of a read, for its thermal noise", gt=0, le=1e12)
    contact_ohm_m2: float = number(0.0, "Ohm m^2", "resistance of source and drain contacts", ge=0, le=1)
    field_effect: float = number(
        1.0, "", "mobility of electrons that a field draws to the surface over that of the bulk", ge=0, le=100
    )
    equipotential: bool = setting(
        False, "in planes: the gate's current meets no resistance on its way through the channel (else Ohm's law holds)"
    )
    sites_per_m3: float | None = _own("1/m^3", "density of sites for ions", ge=1e20, le=1e30)
    diffusivity_m2_per_s: float | None = _own("m^2/s", "diffusivity D of the mobility D/kT, few ions", gt=0, le=1e-3)
    dense_diffusivity_m2_per_s: float | None = _own("m^2/s", "that at dense_at and above", gt=0, le=1e-3)
    dense_at: float | None = _own("", "share of sites up to which D falls exponentially", gt=0, le=1)
    activation_eV: float | None = _own("eV", "activation energy of the diffusivity", ge=0, le=3)
    emf_V: float | None = _own("V", "open-circuit voltage where half of the sites are filled", ge=-10, le=10)
    interaction_eV: float | None = _own("eV", "regular solution: below 0 ions repel each other", ge=-5, le=0.5)
    entropy: float | None = _own("", "1: ions are placed at random; 2: electrons as well", ge=1, le=2)
    mobility_m2_per_Vs: float | None = _own("m^2/(V s)", "mobility of carriers without barrier", gt=0, le=1)
    hopping_eV: float | None = _own("eV", "their hopping barrier where they are few", ge=0, le=2)
    critical: float | None = _own("", "share of carriers at which half of the barrier is gone", gt=0, le=1)
    critical_width: float | None = _own("", "width of that transition", gt=1e-4, le=1)


class Interface(Section):
    """A reaction, and the compact layer across which it goes."""

    rate: Literal["butler-volmer", "marcus", "marcus-hush-chidsey"] = setting("butler-volmer", "law of the rate")
    exchange_A_per_m2: float | None = _own("A/m^2", "exchange current density at 300 K, half of all sites filled",
                                           gt=0, le=1e12)  # fmt: skip
    transfer: float | None = _own("", "transfer coefficient of the law of Butler and Volmer", gt=0, lt=1)
    reorganisation_eV: float | None = _own("eV", "reorganisation energy of the other laws", gt=0, le=5)
    activation_eV: float | None = _own("eV", "activation energy of the exchange current", ge=0, le=3)
    capacitance_F_per_m2: float | None = _own("F/m^2", "capacitance of the compact layer", gt=0, le=100)


class Interfaces(Section):
    """Both sides of the electrolyte."""

    gate: Interface = setting(Interface(), "reservoir and electrolyte")
    channel: Interface = setting(Interface(), "electrolyte and channel")


class EcramHeat(Section):
    """Heat of ions and reactions, in the device and out of it through what is not meshed."""

    coupled: bool = setting(False, "whether it raises the temperature that ions and electrons feel")
    channel_W_per_mK: float = number(1.63, "W/(m K)", "thermal conductivity of the channel", gt=0, le=1e4)
    channel_J_per_m3K: float = number(2.29e6, "J/(m^3 K)", "heat capacity of the channel", gt=0, le=1e8)
    electrolyte_W_per_mK: float = number(1.38, "W/(m K)", "thermal conductivity of the electrolyte", gt=0, le=1e4)
    electrolyte_J_per_m3K: float = number(1.55e6, "J/(m^3 K)", "heat capacity of the electrolyte", gt=0, le=1e8)
    contact_W_per_mK: float = number(35.0, "W/(m K)", "thermal conductivity of source and drain", gt=0, le=1e4)
    contact_J_per_m3K: float = number(2.85e6, "J/(m^3 K)", "heat capacity of source and drain", gt=0, le=1e8)
    gate_W_per_m2K: float = number(1e8, "W/(m^2 K)", "conductance from the electrolyte through the gate", gt=0, le=1e12)
    substrate_W_per_m2K: float = number(1.38e7, "W/(m^2 K)", "conductance through the substrate", gt=0, le=1e12)


class EcramSteps(Section):
    """Steps in time."""

    shortest_s: float = number(1e-15, "s", "step below which a run is given up", gt=0, le=1)
    first_s: float = number(5e-10, "s", "step after a corner of the drive", gt=0, le=1e3)
    growth: float = number(4.0, "", "ratio of a step to the one before, at most", gt=1, le=10)
    potential_V: float = number(3.0, "V", "largest change of the potential in a step", gt=0, le=100)
    fraction: float = number(0.1, "", "largest change of the share of filled sites in a step", gt=0, le=1)
