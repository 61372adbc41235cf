"""Runs an exported module in aihwkit and prints what it did as JSON: ``python run_aihwkit.py NAME_aihwkit.py PLAN``.

A script for the Python that has aihwkit, which need not be the one that has ionsim; it uses nothing of ionsim. PLAN is
a JSON file: {"trains": [{"direction": "up", "start": -1.0, "pulses": 40}, ...]}.
"""

import importlib.util
import json
import sys
from typing import Any


def main() -> None:
    """Replay trains without noise, then many cells with all spreads, then the noise model."""
    import numpy as np
    import torch
    from aihwkit.simulator.configs import InferenceRPUConfig
    from aihwkit.simulator.tiles.analog import AnalogTile

    spec = importlib.util.spec_from_file_location("exported", sys.argv[1])
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with open(sys.argv[2], encoding="utf-8") as file:
        plan = json.load(file)
    torch.manual_seed(1)

    def cells(count: int, **changes: float) -> Any:
        config = module.training_config(construction_seed=7, **changes)
        config.update.update_bl_management = config.update.update_management = False
        config.update.desired_bl = 1
        tile = AnalogTile(count, 1, config)
        tile.set_learning_rate(1.0)
        return tile

    def pulsed(tile: Any, train: Any) -> Any:
        count = tile.out_size
        tile.set_weights(torch.full((count, 1), float(train["start"])))
        out = [tile.get_weights()[0].numpy()[:, 0].copy()]
        sign = 1.0 if train["direction"] == "up" else -1.0
        for _ in range(train["pulses"]):
            tile.update(-torch.ones(1, 1), sign * torch.ones(1, count))
            out.append(tile.get_weights()[0].numpy()[:, 0].copy())
        return np.array(out)

    quiet = {"dw_min_std": 0.0, "dw_min_dtod": 0.0, "w_min_dtod": 0.0, "w_max_dtod": 0.0}
    replay = [pulsed(cells(1, **quiet), train)[:, 0].tolist() for train in plan["trains"]]
    spread = [pulsed(cells(400), train).std(axis=1).tolist() for train in plan["trains"]]

    config: Any = module.inference_config()
    assert isinstance(config, InferenceRPUConfig)
    model = config.noise_model
    g = torch.linspace(module.INFERENCE["g_min_uS"], module.INFERENCE["g_max_uS"], 5).repeat_interleave(4000)
    programmed = model.apply_programming_noise_to_conductance(g).reshape(5, -1)
    nu = model.generate_drift_coefficients(g)
    later = model.apply_drift_noise_to_conductance(g, nu, 99 * module.INFERENCE["t_0_s"]).reshape(5, -1)
    weights = model.apply_noise(torch.linspace(-1, 1, 21), 100.0)
    result = {
        "replay": replay,
        "spread": spread,
        "g_uS": g.reshape(5, -1)[:, 0].tolist(),
        "programmed_sd_uS": programmed.std(dim=1).tolist(),
        "after_two_decades": (later.mean(dim=1) / g.reshape(5, -1)[:, 0]).tolist(),
        "weights": weights.tolist(),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
