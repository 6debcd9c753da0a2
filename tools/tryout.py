"""Runs PyTorch programs and packages on what is installed, and compares with PyTorch if given one.

    python tools/tryout.py --python VENV/bin/python --reference TORCH/bin/python --sources DIR

`--python` runs programs through `python -m rushlight.run`, `--reference` as they are. Each row of
the table is a program: of `tools/tryouts`, or of a repository that lies unpacked in `--sources`
(see `ROWS`; nothing is downloaded). The floating-point numbers that both print are compared.
To add a program: a line in `ROWS`.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
NANO = (
    "train.py config/train_shakespeare_char.py --device=cpu --compile=False --eval_iters=2 "
    "--log_interval=1 --block_size=32 --batch_size=4 --n_layer=2 --n_head=2 --n_embd=32 "
    "--max_iters=50 --eval_interval=25 --lr_decay_iters=50 --dropout=0.0 --dtype=float32 "
    "--out_dir={out}"
)
MAKEMORE = (
    "makemore.py -i names.txt --device=cpu --max-steps=51 --n-layer=2 --n-embd=16 --n-embd2=16 "
    "--num-workers=0 -o {out} --type="
)


@dataclass
class Row:
    """A program.

    Attributes:
        name: in the table.
        command: the file and its arguments; {out} is a fresh folder, {here} that of `tryouts`.
        folder: where it runs, below `--sources`; None for programs of `tryouts`.
        numbers: a pattern whose groups are the numbers to compare; by default all that have a dot.
        tolerance: relative, and absolute for numbers below 1.
        suite: count passed tests rather than compare numbers. What runs is a part of a package's
            suite that takes minutes; the tests of a package need its sources as folder.
        variables: of the environment.
    """

    name: str
    command: str
    folder: str = None
    numbers: str = r"(?<![\w.-])(-?\d+\.\d+(?:e[-+]?\d+)?|nan|-?inf)(?![\w.])"
    tolerance: float = 1e-3
    suite: bool = False
    variables: dict = field(default_factory=dict)


LOSS = r"loss:?\s+(-?\d+\.\d+)"
ROWS = [
    Row("nanoGPT", NANO, "nanoGPT", LOSS),
    *(
        Row(f"makemore {kind}", MAKEMORE + kind, "makemore", LOSS)
        for kind in ("transformer", "mlp", "rnn", "gru", "bigram", "bow")
    ),
    Row("minGPT", "{here}/mingpt_sort.py", "minGPT"),
    Row("examples/vae layers", "{here}/vae.py"),
    Row("examples/regression", "main.py", "examples/regression", r"Loss: (\d+\.\d+) after"),
    Row("examples/fx custom tracer", "custom_tracer.py", "examples/fx", r"(?!)"),
    Row("examples/fx inline_function", "inline_function.py", "examples/fx", r"(?!)"),
    Row("examples/fx primitive_library", "primitive_library.py", "examples/fx", r"(?!)"),
    Row("examples/fx proxy_based_graph_creation", "proxy_based_graph_creation.py", "examples/fx",
        r"(?!)"),
    Row("examples/fx replace_op", "replace_op.py", "examples/fx", r"(?!)"),
    Row("examples/fx subgraph_rewriter", "subgraph_rewriter_basic_use.py", "examples/fx", r"(?!)"),
    Row("examples/fx invert", "invert.py", "examples/fx", r"(?!)"),
    Row("examples/fx wrap_output", "wrap_output_dynamically.py", "examples/fx", r"(?!)"),
    Row("examples/fx module_tracer", "module_tracer.py", "examples/fx", r"(?!)"),
    Row("examples/fx profiling_tracer", "profiling_tracer.py", "examples/fx", r"(?!)"),
    Row("examples/dcgan", "main.py --dataset fake --dry-run --manualSeed 1 --batchSize 8 --ngf 8 "
        "--ndf 8 --outf {out}", "examples/dcgan"),
    # of MNIST's files, or those of tryouts/mnist_files.py
    # at its own rate of 1, PyTorch without oneDNN is 0.04 from PyTorch within fifty steps
    Row("examples/mnist", "main.py --epochs 1 --no-accel --log-interval 1 --lr 0.1",
        "examples/mnist"),
    Row("examples/mnist_rnn", "main.py --epochs 1 --log-interval 1", "examples/mnist_rnn"),
    Row("examples/mnist_hogwild", "main.py --epochs 1 --num-processes 1", "examples/mnist_hogwild"),
    Row("examples/mnist_forward_forward", "main.py --epochs 3 --no_accel --train_size 500 "
        "--test_size 100", "examples/mnist_forward_forward"),
    Row("examples/vae", "main.py --epochs 1 --no-accel --log-interval 1", "examples/vae"),
    # its pairs are drawn without a seed
    Row("examples/siamese_network", "main.py --epochs 1 --no-accel --dry-run",
        "examples/siamese_network", r"(?!)"),
    # its data are a NumPy array in a pickle, which torch.load takes only when told to
    Row("examples/time_sequence", "train.py --steps 1", "time_sequence", LOSS,
        variables={"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}),
    Row("word_language_model LSTM", "main.py --epochs 1 --model LSTM --emsize 20 --nhid 20 "
        "--log-interval 5 --batch_size 4 --save {out}/m.pt", "word_language_model",
        r"loss\s+(\d+\.\d+)"),
    Row("word_language_model Transformer", "main.py --epochs 1 --model Transformer --emsize 20 "
        "--nhid 20 --log-interval 5 --batch_size 4 --save {out}/m.pt", "word_language_model",
        r"loss\s+(\d+\.\d+)"),
    *(
        Row(f"word_language_model {kind}", "main.py --epochs 1 --dry-run --emsize 20 --nhid 20 "
            f"--save {{out}}/m.pt --model {kind}", "word_language_model")
        for kind in ("GRU", "RNN_TANH", "RNN_RELU")
    ),
    Row("char-RNN", "{here}/char_rnn.py"),
    Row("seq2seq", "{here}/seq2seq.py"),
    Row("transformers trainer", "{here}/transformers_models.py trainer", None, LOSS),
    *(
        Row(f"transformers {name}", "{here}/transformers_models.py " + name, tolerance=1e-4)
        for name in ("bert", "gpt2", "llama", "t5", "vit", "whisper", "clip", "mamba")
    ),
    Row("pytorch_lightning", "{here}/lightning_fit.py {out}"),
    Row("accelerate", "{here}/accelerate_train.py {out}"),
    Row("timm", "{here}/timm_models.py", tolerance=1e-4),
    Row("diffusers", "{here}/diffusers_unet.py", tolerance=1e-4),
    Row("peft", "{here}/peft_lora.py {out}", tolerance=1e-4),
    Row("torchdiffeq", "{here}/torchdiffeq_ode.py"),
    Row("torch_optimizer", "{here}/torch_optimizer_steps.py"),
    Row("skorch", "{here}/skorch_fit.py"),
    Row("captum", "{here}/captum_attributions.py"),
    Row("pyro", "{here}/pyro_svi.py"),
    Row("gpytorch", "{here}/gpytorch_regression.py"),
    Row("torchmetrics", "{here}/torchmetrics_values.py"),
    # the exported files are judged by the program itself, the models by their outputs
    Row("ONNX", "{here}/onnx_models.py", None, r"(?:largest|mean) (-?\d+\.\d+)", 1e-4),
    Row("einops' tests", "-m pytest -q -x --no-header einops/tests -k torch", "einops",
        suite=True, variables={"EINOPS_TEST_BACKENDS": "numpy,torch"}),
    Row("safetensors' tests", "-m pytest -q tests/test_pt_comparison.py tests/test_pt_model.py",
        "safetensors/bindings/python", suite=True),
    Row("torchdiffeq's tests", "-m pytest -q api_tests.py event_tests.py norm_tests.py",
        "torchdiffeq/tests", suite=True),
    Row("torch_optimizer's tests", "-m pytest -q tests/test_param_validation.py "
        "tests/test_basic.py", "pytorch-optimizer", suite=True),
    Row("gpytorch's tests", "-m pytest -q test/kernels test/likelihoods test/variational",
        "gpytorch", suite=True),
    Row("captum's tests", "-m pytest -q tests/metrics tests/module tests/utils", "captum",
        suite=True),
    Row("skorch's tests", "-m pytest -q skorch/tests/test_classifier.py "
        "skorch/tests/test_regressor.py skorch/tests/test_dataset.py skorch/tests/test_utils.py",
        "skorch", suite=True),
    Row("pyro's tests", "-m pytest -q tests/distributions/test_mvt.py "
        "tests/distributions/test_transforms.py tests/ops/test_gaussian.py tests/nn", "pyro",
        suite=True),
    Row("zuko's tests", "-m pytest -q tests", "zuko", suite=True),
    Row("e3nn's tests", "-m pytest -q tests/nn tests/util tests/o3/norm_test.py", "e3nn",
        suite=True),
    Row("torchmetrics' tests", "-m pytest -q unittests/bases/test_aggregation.py "
        "unittests/bases/test_collections.py unittests/wrappers/test_tracker.py",
        "torchmetrics/tests", suite=True),
]  # fmt: skip


def run(row, python, launcher, sources, timeout):
    """What a program printed, its exit status and its seconds."""
    with tempfile.TemporaryDirectory() as out:
        command = row.command.format(out=out, here=HERE / "tryouts").split()
        folder = sources / row.folder if row.folder else out
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "MPLBACKEND": "Agg", **row.variables}
        began = time.monotonic()
        try:
            done = subprocess.run(
                [python, *launcher, *command],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired as error:
            return (error.stdout or b"").decode(errors="replace"), "timeout", timeout
        return done.stdout, done.returncode, time.monotonic() - began


def compare(row, ours, theirs):
    """(does it agree, in words) of two outputs."""
    if row.suite:
        counts = [[int(n) for n in re.findall(r"(\d+) passed", text)[-1:] or [0]][0]
                  for text in (ours, theirs)]  # fmt: skip
        return counts[0] >= 0.98 * counts[1] > 0, f"{counts[0]} of {counts[1]} tests pass"
    a, b = ([float(x) for x in re.findall(row.numbers, text)] for text in (ours, theirs))
    if len(a) != len(b):
        return False, f"{len(a)} numbers, PyTorch prints {len(b)}"
    worst = max((_apart(x, y) for x, y in zip(a, b)), default=0.0)
    return worst <= row.tolerance, f"{len(a)} numbers, apart {worst:.1e}"


def _apart(x, y):
    if x == y or (x != x and y != y):
        return 0.0
    return abs(x - y) / max(1.0, abs(y)) if abs(x) + abs(y) < float("inf") else float("inf")


def last_error(text):
    """The line that says what went wrong."""
    lines = [
        line for line in text.splitlines() if re.match(r"\w*(\.\w+)*(Error|Exception)\b", line)
    ]
    return (lines or text.splitlines() or [""])[-1][:110]


def try_row(row, options):
    """The row's line of the table: a mark, the name, what came out."""
    if row.folder and not (options.sources / row.folder).is_dir():
        return "skip", row.name, f"{row.folder} is not in {options.sources}"
    launcher = ["-m", "rushlight.run"]
    ours, status, seconds = run(row, options.python, launcher, options.sources, options.timeout)
    if status != 0 and not row.suite:
        return "FAIL", row.name, last_error(ours)
    if options.reference is None:
        return "runs", row.name, f"{seconds:.0f} s"
    theirs, status, _ = run(row, options.reference, [], options.sources, options.timeout)
    if status != 0 and not row.suite:
        return "runs", row.name, f"PyTorch fails: {last_error(theirs)}"
    agrees, words = compare(row, ours, theirs)
    return ("ok" if agrees else "DIFF"), row.name, words


def main():
    """Runs the rows that are asked for, and prints the table; 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", default=sys.executable, help="has rushlight and the packages")
    parser.add_argument("--reference", help="has PyTorch and the packages")
    parser.add_argument("--sources", type=pathlib.Path, default=pathlib.Path.cwd())
    parser.add_argument("--only", default="", help="a pattern for the names of rows")
    parser.add_argument("--timeout", type=float, default=600)
    options = parser.parse_args()
    options.sources = options.sources.resolve()
    failed = 0
    for row in ROWS:
        if not re.search(options.only, row.name):
            continue
        mark, name, words = try_row(row, options)
        failed += mark in ("FAIL", "DIFF")
        print(f"{mark:<5} {name:<40} {words}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
