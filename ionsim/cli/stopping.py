"""The option ``--stop-after`` and the exit code of what was stopped and can be resumed."""

import re
from typing import Annotated

import typer

#: Exit code of a command that stopped before its work was done: EX_TEMPFAIL of BSD's sysexits.h, "try again later".
STOPPED = 75

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

StopAfterOption = Annotated[
    str | None,
    typer.Option(
        "--stop-after", metavar="TIME",
        help="Stop after this wall time (90s, 55m, 1h30m), or on Ctrl-C, SIGTERM or SIGUSR1, with exit code 75; "
        "ionsim resume goes on.",
    ),
]  # fmt: skip


def seconds_of(text: str | None) -> float | None:
    """Seconds of a time such as 90s, 55m or 1h30m; None of None. Raises BadParameter for anything else."""
    if text is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d*)?)([smhd])", text)
    total = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not total > 0.0:
        raise typer.BadParameter(
            f"{text!r}: a time above 0 with its unit is needed, such as 90s, 55m or 1h30m", param_hint="--stop-after"
        )
    return total
