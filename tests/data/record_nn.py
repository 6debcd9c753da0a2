"""Records PyTorch's answers for the layers, optimizers and schedules in the JSON files beside it.

Run `python tests/data/record_nn.py` with an interpreter that has PyTorch; a new case is a new key (of
nn_layers, lr_schedules, rnn_outputs) or a new entry with `options` (of optim_trajectories).
"""

import json
import pathlib
import sys
import warnings

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "behaviour"))


def update(name, answer):
    path = HERE / f"{name}.json"
    cases = json.loads(path.read_text())
    path.write_text(json.dumps(answer(cases), indent=0))


def main():
    import nn_programs
    import torch

    warnings.simplefilter("ignore")
    update("nn_layers", lambda cases: {e: nn_programs.layer(torch, e) for e in cases})
    update("rnn_outputs", lambda cases: {e: nn_programs.recurrent(torch, e) for e in cases})
    update("lr_schedules", lambda cases: {e: nn_programs.schedule(torch, e) for e in cases})
    update("optim_trajectories", lambda cases: {
        name: [nn_programs.trajectory(torch, name, run["options"]) for run in runs]
        for name, runs in cases.items()
    })


if __name__ == "__main__":
    main()
