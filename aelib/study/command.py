"""The report's experiments at full size: python -m aelib.study list | status | run [NAME ...] | figures [FOLDER].

``aelib.study.experiments`` declares them. ``run`` does what is missing, run by run, and stores each result as soon as
it is there, in the folder ``results`` beside the data set (``data``, or AELIB_DATA): killed at any moment, it loses at
most the runs in progress. ``aelib.study.results.load`` gives the stored results to the labs.
"""

import argparse
import sys
import time
from pathlib import Path

from aelib.study.experiments import EXPERIMENTS, plan
from aelib.study.figures import draw_all
from aelib.study.processes import WorkerDied, run, status
from aelib.study.results import results_folder


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m aelib.study", description="The study: the report's experiments at full size."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the experiments and what they are")
    commands.add_parser("status", help="how much of each is stored")
    command = commands.add_parser("run", help="do what is missing")
    command.add_argument("names", nargs="*", metavar="NAME", help="experiments; all by default")
    command.add_argument("--quick", action="store_true", help="a few small runs, into a folder of their own")
    command.add_argument("--jobs", type=int, help="number of processes; one a core by default")
    command.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler, such as tcp://127.0.0.1:8786")
    command = commands.add_parser("figures", help="draw every stored figure anew, from the stored results alone")
    command.add_argument("folder", nargs="?", default="figures", metavar="FOLDER", help="default: figures")
    return parser


def main(arguments=None):
    """Run the command line; see the module's docstring."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "list":
            for name, function in EXPERIMENTS.items():
                words = (function.__doc__ or "").partition("\n")[0]  # python -OO takes docstrings away
                print(f"{name:<24} {len(plan(name)):>4} runs: {words}".rstrip(": "))
        elif given.command == "status":
            print("\n".join(status()))
        elif given.command == "figures":
            start, paths = time.perf_counter(), draw_all(Path(given.folder))
            if not paths:
                sys.exit(f"aelib.study: nothing is stored in {results_folder()}: python -m aelib.study run")
            print(f"{len(paths)} figures in {given.folder}, {time.perf_counter() - start:.0f} s")
        else:
            run(given.names or list(EXPERIMENTS), given.quick, given.jobs, given.cluster)
    except (ValueError, OSError, WorkerDied) as error:  # MissingResult, StaleResult and FolderBusy are such
        sys.exit(f"aelib.study: {error}")
