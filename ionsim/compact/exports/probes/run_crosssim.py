"""Runs an exported module in CrossSim 3 and prints what it did as JSON: ``python run_crosssim.py NAME_crosssim.py``.

A script for the Python that has CrossSim (or with its folder on PYTHONPATH); it uses nothing of ionsim.
"""

import importlib.util
import json
import sys
from typing import Any


def main() -> None:
    """Programme matrices of one conductance each, read them at once and two decades of t_0 later; one product."""
    import numpy as np
    from simulator import AnalogCore

    spec = importlib.util.spec_from_file_location("exported", sys.argv[1])
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    np.random.seed(1)  # noqa: NPY002  what CrossSim draws from
    result: dict[str, Any] = {"g": [], "programmed_sd": [], "after_two_decades": []}
    weights = np.random.uniform(-1, 1, (40, 30))  # noqa: NPY002
    vector = np.random.uniform(-1, 1, 30)  # noqa: NPY002
    for name, time_s in (("product", 0.0), ("product_later", 99 * module.LEVELS["t_0_s"])):
        core = AnalogCore(weights, module.parameters(time_s))
        exact = weights @ vector
        result[name] = float(np.sqrt(np.mean((core.matvec(vector) - exact) ** 2) / np.mean(exact**2)))
    # a core was made: CrossSim's arrays are chosen by then
    low = module.DEVICE["Rmin"] / module.DEVICE["Rmax"]
    model = getattr(module, module.DEVICE["programming_error"]["model"])
    device = model(module.parameters().xbar.device, module.parameters().xbar.device.read_noise)
    for level in np.linspace(low, 1.0, 5):
        g = np.full((100, 100), level)
        result["g"].append(float(level))
        result["programmed_sd"].append(float(device.programming_error(g.copy()).std()))
        later = device.drift_error(g.copy(), 99 * module.LEVELS["t_0_s"])
        result["after_two_decades"].append(float(later.mean() / level))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
