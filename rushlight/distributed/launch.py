"""``python -m torch.distributed.launch``: the launcher before `run`.

It passes each process its ``--local-rank``, unless ``--use-env`` says that the program reads the
environment variable LOCAL_RANK.
"""

import sys

from . import run


def main(args=None):
    """Runs the command line, and exits with the status of the first process that fails."""
    parser = run.get_args_parser()
    parser.add_argument(*run._both("use-env"), action="store_true", help="no --local-rank")
    parsed = parser.parse_args(args)
    status = run.run(parsed, local_rank_argument=not parsed.use_env)
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()
