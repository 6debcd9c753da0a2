"""Writes tests/data/early_names.json: the public names of PyTorch 0.3.0 and torchvision 0.2.0.

    python tools/record_early_names.py NAMES.md

NAMES.md lists the documented names page by page, as lines such as ``- ✓ `abs(input)` · `acos()` ``
under headings; the mark says what became of them (✓ kept, ≈ changed, ✗ removed). What the sources
had beyond the documentation, and what removed names are now, is said here.
"""

import json
import pathlib
import re
import sys

OUT = pathlib.Path(__file__).parents[1] / "tests" / "data" / "early_names.json"
_PREFIX = {"torch.Storage": "torch.FloatStorage"}  # of pages whose heading is no namespace

#: names of the sources that the documentation leaves out, by what they are below
_UNDOCUMENTED = {
    "torch": "typename sub random.fork_rng utils.dlpack.from_dlpack utils.dlpack.to_dlpack "
    "utils.data.sampler.BatchSampler utils.data.dataloader.default_collate jit.trace",
    "torch.nn": "Container RReLU GLU Hardshrink LPPool1d ReflectionPad1d ReplicationPad1d "
    "ConstantPad1d ConstantPad3d CrossMapLRN2d RNNBase utils.parameters_to_vector "
    "utils.vector_to_parameters functional.bilinear functional.embedding "
    "functional.embedding_bag functional.lp_pool1d functional.instance_norm "
    "parallel.data_parallel parallel.replicate parallel.scatter parallel.gather "
    "parallel.parallel_apply",
    "torch.autograd": "gradcheck gradgradcheck function.NestedIOFunction "
    "function.InplaceFunction function.once_differentiable",
    "torch.distributed": "reduce_op group",
    "torch.cuda": "nccl.all_reduce nccl.reduce nccl.broadcast nccl.all_gather nccl.reduce_scatter "
    "profiler.start profiler.stop profiler.profile random.get_rng_state_all "
    "random.set_rng_state_all random.manual_seed_all",
    "torch.Tensor": "scatter_add_ is_shared shape index_add index_copy index_fill scatter "
    "masked_fill masked_scatter",
    "torchvision": "transforms.LinearTransformation transforms.RandomRotation "
    "transforms.functional datasets.FakeData datasets.SEMEION datasets.LSUNClass",
}

#: removed name -> what the error about it has to say; "" if the name still computes what it did
_REMOVED = {
    "torch.eig": "torch.linalg.eig",
    "torch.symeig": "torch.linalg.eigh",
    "torch.Tensor.eig": "torch.linalg.eig",
    "torch.Tensor.symeig": "torch.linalg.eigh",
    "torch.Tensor.reinforce": "torch.distributions",
    "torch.pstrf": "torch.linalg.cholesky",
    "torch.Tensor.pstrf": "torch.linalg.cholesky",
    "torch.FloatStorage.new": "type(storage)(size)",
    "torch.utils.ffi.create_extension": "torch.library",
    "torch.legacy.nn": "torch.nn",
    "torch.legacy.optim": "torch.optim",
    "torch.btriunpack": "torch.lu_unpack",
    "torch.Tensor.masked_copy_": "",
    "torch.nn.backends": "torch.nn.functional",
    "torch.autograd.StochasticFunction": "torch.distributions",
    "torch.jit.compile": "torch.compile",
    "torch.jit.verify": "torch.jit.trace",
    "torch.utils.trainer": "loop",
    "torch.contrib": "torch.utils.tensorboard",
    "torch.utils.serialization": "torch.load",
    "torch.distributed.init_master_worker": "init_process_group",
    "torchvision.transforms.Scale": "Resize",
    "torchvision.transforms.RandomSizedCrop": "RandomResizedCrop",
}


def names_of(path):
    """Pairs of name and mark, in the order of the document."""
    base = group = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            title = line[3:].split()[0]
            if not title.startswith("torch"):
                base = None
                continue
            base = group = _PREFIX.get(title, title)
        elif line.startswith("### ") and base:
            title = re.sub(r"class `([\w.]+).*", r"\1", line[4:]).split(" / ")[0].rstrip(".(")
            title = title.split("(")[0].rstrip(".")
            group = base = title if title.startswith("torch") else base
        found = re.match(r"(\s*)- ([✓≈✗]) (.*)$", line)
        if not found or not base:
            continue
        indent, mark, rest = found.groups()
        rest = rest.split(" — ")[0]
        rest = rest.rpartition("): ")[2] if rest.startswith("(all") else rest
        for name in re.findall(r"`(?:class )?\.?([\w.]+)[^`]*`", rest):
            full = name if name.startswith("torch") else f"{group if indent else base}.{name}"
            if "**class" in rest and not indent:
                group = full
            yield full, mark


def main():
    kept, removed = set(), dict(_REMOVED)
    for name, mark in names_of(pathlib.Path(sys.argv[1])):
        if mark == "✗":
            removed.setdefault(name, "")
        else:
            kept.add(name)
    kept |= {f"{place}.{name}" for place, names in _UNDOCUMENTED.items() for name in names.split()}
    data = {"kept": sorted(kept), "removed": dict(sorted(removed.items()))}
    OUT.write_text(json.dumps(data, indent=0) + "\n")
    print(f"{len(kept)} kept, {len(removed)} removed")


if __name__ == "__main__":
    main()
