"""Whole modules in files: what they hold and how functions are named."""

import rushlight as rl


class WithMask(rl.nn.Module):
    def __init__(self):
        super().__init__()
        self.mask = rl.ones(2, 2)  # neither parameter nor buffer
        self.activation = rl.nn.functional.relu


def test_modules_keep_plain_tensors_and_functions_and_name_functions_as_pytorch_does(tmp_path):
    path = tmp_path / "whole.pt"
    rl.save(WithMask(), path)
    names = rl.serialization.get_unsafe_globals_in_checkpoint(path)
    assert "torch.nn.functional.relu" in names
    with rl.serialization.safe_globals([WithMask, rl.nn.functional.relu, set]):
        module = rl.load(path)
    assert module.activation is rl.nn.functional.relu
    assert module.mask.tolist() == [[1.0, 1.0], [1.0, 1.0]]
