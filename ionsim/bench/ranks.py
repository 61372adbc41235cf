"""One job on MPI ranks of their own: ``python -m ionsim.bench NAME ARGUMENT PIECES SECONDS FILE`` writes JSON."""

import json
import tempfile
from pathlib import Path

from ionsim.bench.child import BenchError
from ionsim.bench.timing import Effort
from ionsim.verification.serial_parallel import LaunchError, launch

#: The largest job (1,000,000 unknowns on two busy cores) takes a few minutes.
_TIMEOUT_S = 1200.0


def run_ranks(name: str, argument: float, effort: Effort, ranks: int) -> dict[str, object]:
    """Run a job on so many ranks: what rank 0 returns, and ``peak_MB``, the peak memory of all ranks together.

    One thread a rank, with one rank as well, so that times compare. Raises BenchError when it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbers.json"
        call = ["-m", "ionsim.bench", name, str(argument), str(effort.pieces), str(effort.piece_s), str(path)]
        try:
            launch(ranks, call, timeout_s=_TIMEOUT_S)
        except LaunchError as error:
            raise BenchError(f"benchmark {name} {argument:g} on {ranks} ranks: {error}") from error
        numbers: dict[str, object] = json.loads(path.read_text())
    return numbers
