"""`python -m torch.distributed.run`, and `torch.multiprocessing.spawn`: programs in processes."""

import subprocess
import sys

import pytest
from distributed_runs import SECONDS, environment

from rushlight.distributed import run as launcher

PROGRAM = """
import os, sys, time
import torch
import torch.distributed as dist

dist.init_process_group("gloo")
total = torch.tensor([float(os.environ["LOCAL_RANK"]) + 1])
dist.all_reduce(total)
with open(f"{sys.argv[-1]}/{dist.get_rank()}", "w") as file:
    print(total.item(), dist.get_world_size(), sys.argv[1:-1], file=file)
if "fail" in sys.argv:
    time.sleep(0 if dist.get_rank() == 1 else 600)
    sys.exit(7)
dist.destroy_process_group()
"""

SPAWNING = """
import os
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

def work(rank, path):
    dist.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    x = torch.full((3,), rank + 1.0)
    dist.all_reduce(x, op=dist.ReduceOp.PRODUCT)
    assert x.tolist() == [2, 2, 2]
    dist.destroy_process_group()

if __name__ == "__main__":
    path = os.path.abspath("meeting")
    mp.spawn(work, args=(path,), nprocs=2)
    assert not os.path.exists(path)
    print("over")
"""


def _run(tmp_path, *words):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    line = [sys.executable, "-m", "rushlight.run", "-m", *words[:-1], str(program), *words[-1]]
    done = subprocess.run(
        [*line, str(tmp_path)],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    return done, [p.read_text().strip() for p in sorted(tmp_path.glob("[0-9]"))]


def test_a_program_in_two_processes(tmp_path):
    words = ("torch.distributed.run", "--standalone", "--nproc_per_node=2", ["a", "--b=1"])
    done, told = _run(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert told == ["3.0 2 ['a', '--b=1']"] * 2


def test_the_first_failure_ends_all(tmp_path):
    words = ("torch.distributed.launch", "--standalone", "--nproc-per-node", "2", ["fail"])
    done, told = _run(tmp_path, *words)
    assert done.returncode == 7 and "rank 1 (local rank 1, pid" in done.stderr, done.stderr
    assert told == [f"3.0 2 ['--local-rank={rank}', 'fail']" for rank in range(2)]


def test_processes_that_are_spawned_meet_in_a_file_that_goes(tmp_path):
    (tmp_path / "program.py").write_text(SPAWNING)
    line = [sys.executable, "-m", "rushlight.run", "program.py"]
    done = subprocess.run(
        line, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0 and done.stdout == "over\n", done.stderr


@pytest.mark.parametrize(
    "words, error, message",
    [
        (["--max-restarts=3"], NotImplementedError, "max-restarts"),
        (["--nnodes=1:2"], NotImplementedError, "nnodes=1:2"),
        (["--nnodes=2", "--rdzv-backend=c10d"], NotImplementedError, "c10d with 2 machines"),
        (["--tee=3"], NotImplementedError, "--tee"),
        (["--nproc-per-node=gpu"], ValueError, "no GPUs"),
        (["--nproc-per-node=x"], ValueError, "a number"),
        (["--node-rank=1"], ValueError, "node-rank 1 of 1"),
    ],
)
def test_what_is_not_supported_is_refused(words, error, message):
    with pytest.raises(error, match=message):
        launcher.main([*words, "program.py"])
