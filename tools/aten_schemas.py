"""Writes rushlight/library/aten_schemas.txt: PyTorch's declarations of the ops that are here.

    python tools/aten_schemas.py PYTHON    # an interpreter that has PyTorch installed

A line is ``name.overload(arguments) -> results``, in the order in which PyTorch tries overloads; a
``*`` before it: to PyTorch it is a composition, which dispatch modes never see.
"""

import subprocess
import sys
from pathlib import Path

#: ops that PyTorch makes of what is public, and that have no public name themselves
PARTS = """_softmax _log_softmax _softmax_backward_data _log_softmax_backward_data convolution
convolution_backward native_layer_norm native_layer_norm_backward native_batch_norm
native_batch_norm_backward native_group_norm native_dropout nll_loss_forward nll_loss_backward
max_pool2d_with_indices max_pool2d_with_indices_backward _adaptive_avg_pool2d _to_copy
_local_scalar_dense _unsafe_view embedding_dense_backward threshold_backward alias lift_fresh
mse_loss_backward
_scaled_dot_product_flash_attention_for_cpu _fused_rms_norm nll_loss2d_forward rsub is_same_size
_native_batch_norm_legit _native_batch_norm_legit_functional _sparse_addmm _pin_memory""".split()

ASK = """
import sys, torch
wanted = set(sys.stdin.read().split())
for name in sorted(wanted):
    packet = getattr(torch.ops.aten, name, None)
    packet = packet if isinstance(packet, torch._ops.OpOverloadPacket) else None
    for overload in packet.overloads() if packet is not None else ():
        op = getattr(packet, overload)
        if not isinstance(op, torch._ops.OpOverload) or "out" in overload.split("_"):
            continue
        text = str(op._schema).removeprefix("aten::")
        arguments = text[text.index("("):text.rindex("->")]
        if "Tensor" not in text or "Dimname" in text or "ConstQuantizerPtr" in text:
            continue
        try:
            implicit = torch._C._dispatch_has_kernel_for_dispatch_key(
                op.name(), "CompositeImplicitAutograd")
        except RuntimeError:  # an overload of scripts only
            continue
        print("*" * implicit + text)
"""


def main():
    """Asks the interpreter, writes the module."""
    import rushlight as rl
    from rushlight.ops._record import table

    names = {f"{a}_{n}" for a in ("linalg", "fft", "special") for n in dir(getattr(rl, a))}
    names |= set(table) | {n for n in dir(rl.Tensor) if not n.startswith("__")} | set(PARTS)
    done = subprocess.run(
        [sys.argv[1], "-c", ASK],
        input="\n".join(names),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    target = Path(__file__).parent.parent / "rushlight/library/aten_schemas.txt"
    target.write_text(done.stdout)


if __name__ == "__main__":
    main()
