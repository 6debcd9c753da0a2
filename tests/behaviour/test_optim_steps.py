"""Optimizers and schedules take the steps that PyTorch's take; recorded in tests/data."""

import json
import pathlib

import nn_programs
import pytest
import rushlight as rl

DATA = pathlib.Path(__file__).parent.parent / "data"
RUNS = json.loads((DATA / "optim_trajectories.json").read_text())
SCHEDULES = json.loads((DATA / "lr_schedules.json").read_text())
CASES = [(name, i) for name, runs in RUNS.items() for i in range(len(runs))]


@pytest.mark.parametrize("name, i", CASES)
def test_trajectory_equals_recorded(name, i):
    want = RUNS[name][i]
    got = nn_programs.trajectory(rl, name, want["options"])
    tolerance = 2e-2 if name == "Muon" else 1e-3 if name == "LBFGS" else 1e-5
    assert nn_programs.close(got["params"], want["params"], tolerance)
    assert got["state"] == want["state"]
    assert json.loads(json.dumps(got["group"])) == want["group"]


@pytest.mark.parametrize("expression", SCHEDULES)
def test_schedule_equals_recorded(expression):
    got, want = nn_programs.schedule(rl, expression), SCHEDULES[expression]
    assert nn_programs.close(got["rates"], want["rates"], 1e-12)


def test_plateau_reduces_after_patience():
    opt = rl.optim.SGD([rl.ones(1, requires_grad=True)], lr=1.0)
    plateau = rl.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=1, factor=0.5)
    rates = []
    for loss in (3, 2, 2, 2, 2, 2, 1):
        plateau.step(loss)
        rates.append(opt.param_groups[0]["lr"])
    assert rates == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


def test_schedule_state_round_trip():
    opt = rl.optim.SGD([rl.ones(1, requires_grad=True)], lr=1.0)
    first = rl.optim.lr_scheduler.StepLR(opt, 2)
    for _ in range(3):
        opt.step()
        first.step()
    second = rl.optim.lr_scheduler.StepLR(opt, 5)
    second.load_state_dict(first.state_dict())
    assert second.last_epoch == 3 and second.step_size == 2


def test_averaged_model_averages():
    from rushlight.optim.swa_utils import AveragedModel

    net = rl.nn.Linear(1, 1, bias=False)
    average = AveragedModel(net)
    for value in (1.0, 2.0, 6.0):
        with rl.no_grad():
            net.weight.fill_(value)
        average.update_parameters(net)
    assert average.module.weight.item() == pytest.approx(3.0)
    assert average.n_averaged.item() == 3


ALL = "Adadelta Adagrad Adam AdamW Adamax ASGD NAdam RAdam RMSprop Rprop".split()


@pytest.mark.parametrize("name", ALL)
def test_steps_can_be_differentiated(name):
    options = {"amsgrad": True} if name.startswith("Adam") and name != "Adamax" else {}
    start, slope = (rl.rand(4, dtype=rl.float64).add(0.5).requires_grad_() for _ in range(2))

    def stepped(p, g):
        p = p.clone()
        p.grad = g
        opt = getattr(rl.optim, name)([p], lr=0.1, differentiable=True, **options)
        opt.step()
        return p

    stepped(start, slope).sum().backward()
    rl.testing.assert_close(start.grad, rl.ones_like(start), rtol=1e-3, atol=1e-3)
    assert slope.grad.isfinite().all()


@pytest.mark.parametrize("name", ALL)
def test_files_of_older_versions_load(name):
    p = rl.ones(2, requires_grad=True)
    p.grad = rl.ones(2)
    opt = getattr(rl.optim, name)([p])
    opt.step()
    old = opt.state_dict()
    old["state"][0]["step"] = old["state"][0]["step"].item()
    for flag in ("foreach", "maximize", "capturable", "differentiable", "fused"):
        old["param_groups"][0].pop(flag, None)
    opt.load_state_dict(old)
    opt.step()
    assert isinstance(opt.state[p]["step"], rl.Tensor) and opt.state[p]["step"] == 2
    assert opt.param_groups[0]["foreach"] is None


def test_schedules_copy_options_and_notice_another_step():
    top = rl.tensor(0.2)
    opt = rl.optim.SGD([rl.ones(1, requires_grad=True)], lr=0.1)
    schedule = rl.optim.swa_utils.SWALR(opt, swa_lr=top)
    top.mul_(0.5)
    assert opt.param_groups[0]["swa_lr"] == rl.tensor(0.2)
    step = opt.step
    opt.step = lambda: step()
    opt.step()
    with pytest.warns(UserWarning, match="overridden"):
        schedule.step()
