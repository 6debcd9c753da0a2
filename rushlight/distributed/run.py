"""``python -m torch.distributed.run --nproc-per-node=N SCRIPT ARGS``: a program in N processes.

Only the command line belongs here; starting the processes, watching and ending them is in
`_launcher.py`. PyTorch calls this `torchrun`.
"""

import os
import sys
from argparse import REMAINDER, Action, ArgumentParser

from rushlight._notes import unsupported

from ._launcher import Plan, launch

_UNSUPPORTED = (
    "rdzv-conf", "log-dir", "redirects", "tee", "local-ranks-filter", "event-log-handler",
    "logs-specs", "numa-binding", "signals-to-handle", "local-addr",
)  # fmt: skip


class _Refused(Action):
    def __call__(self, parser, namespace, values, option_string=None):
        raise unsupported(f"torch.distributed.run: {option_string}")


def _both(name):
    """An option's name with hyphens, and with underscores."""
    return (f"--{name}", f"--{name.replace('-', '_')}") if "-" in name else (f"--{name}",)


def get_args_parser():
    """The parser of the command line."""
    parser = ArgumentParser(prog="torch.distributed.run", description="Runs a program many times")

    def add(name, default, help, **more):  # noqa: A002
        default = os.environ.get(f"PET_{name.upper().replace('-', '_')}", default)
        parser.add_argument(*_both(name), default=default, help=help, **more)

    add("nnodes", "1", "how many machines", type=str)
    add("nproc-per-node", "1", "how many processes on each: a number, cpu or auto", type=str)
    add("node-rank", 0, "which of the machines this is", type=int)
    add("master-addr", "127.0.0.1", "the address of machine 0", type=str)
    add("master-port", 29500, "a free port of machine 0", type=int)
    add("rdzv-backend", "static", "static or c10d; with one machine, all is static", type=str)
    add("rdzv-endpoint", "", "instead of master-addr and master-port: host:port", type=str)
    add("rdzv-id", "none", "a name of this run, in TORCHELASTIC_RUN_ID", type=str)
    add("max-restarts", 0, "0: processes are not started again", type=int)
    add("monitor-interval", 0.1, "seconds between looks at the processes", type=float)
    add("start-method", "spawn", "spawn", choices=["spawn"])
    add("role", "default", "a name, in ROLE_NAME", type=str)
    for name in _UNSUPPORTED:
        parser.add_argument(*_both(name), action=_Refused, help="not supported")
    parser.add_argument("--standalone", action="store_true", help="one machine, any free port")
    parser.add_argument("-m", "--module", action="store_true", help="SCRIPT names a module")
    parser.add_argument(*_both("no-python"), action="store_true", help="SCRIPT is a program")
    parser.add_argument(*_both("run-path"), action="store_true", help="as without it")
    parser.add_argument("training_script", metavar="SCRIPT", help="what to run")
    parser.add_argument("training_script_args", metavar="ARGS", nargs=REMAINDER, help="for it")
    return parser


def parse_args(args):
    """The options of a command line."""
    return get_args_parser().parse_args(args)


def _count(text):
    if text in ("cpu", "auto"):
        return os.cpu_count()
    if text == "gpu":
        raise ValueError("torch.distributed.run: --nproc-per-node=gpu, but there are no GPUs")
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"torch.distributed.run: --nproc-per-node must be a number, got {text!r}")
    return int(text)


def _address(args):
    """Host and port of the store; port 0 is any."""
    if args.standalone:
        return "127.0.0.1", 0
    host, colon, port = args.rdzv_endpoint.rpartition(":")
    if args.rdzv_endpoint and colon:
        return host, int(port)
    return args.rdzv_endpoint or args.master_addr, args.master_port


def _command(args):
    """What is run, without its arguments: as PyTorch's programs if that is what torch means."""
    if args.no_python:
        return [args.training_script]
    import rushlight

    alias = sys.modules.get("torch") is rushlight
    start = [sys.executable, "-u", *(["-m", "rushlight.run"] if alias else [])]
    return [*start, *(["-m"] if args.module else []), args.training_script]


def run(args, local_rank_argument=False):
    """Runs a program as parsed options say; its exit status, the first failure's if one fails."""
    if args.max_restarts:
        raise unsupported("torch.distributed.run: --max-restarts", "processes are not restarted")
    nodes = 1 if args.standalone else args.nnodes
    if str(nodes).partition(":")[0] != str(nodes).rpartition(":")[2]:
        raise unsupported(f"torch.distributed.run: --nnodes={nodes}", "use a fixed number")
    nodes = int(str(nodes).partition(":")[0])
    if nodes > 1 and args.rdzv_backend != "static":
        raise unsupported(
            f"torch.distributed.run: {args.rdzv_backend} with {nodes} machines",
            "use --node-rank, --master-addr and --master-port",
        )
    if not 0 <= args.node_rank < nodes:
        raise ValueError(f"torch.distributed.run: --node-rank {args.node_rank} of {nodes}")
    host, port = _address(args)
    plan = Plan(
        command=_command(args),
        arguments=args.training_script_args,
        local_size=_count(args.nproc_per_node),
        nodes=nodes,
        node=args.node_rank,
        host=host,
        port=port,
        role=args.role,
        run_id=args.rdzv_id,
        interval=args.monitor_interval,
        local_rank_argument=local_rank_argument,
    )
    return launch(plan)


def main(args=None):
    """Runs the command line, and exits with the status of the first process that fails."""
    status = run(parse_args(args))
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()
