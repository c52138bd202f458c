"""The command line, see ``aelib.study.command``: an interrupt is answered by a sentence, early ones too."""

import signal
import sys
from contextlib import contextmanager


def main(arguments=None):
    """Run the command line until it ends or is interrupted."""
    try:
        with _interruptible():
            from aelib.study import command  # takes a second, in which an interrupt may come already

            command.main(arguments)
    except KeyboardInterrupt:
        sys.exit("stopped: what was finished is stored; the same command goes on from there")


@contextmanager
def _interruptible():
    """Treat SIGTERM like Ctrl-C; the next of either ends this process at once, and its workers with it."""

    def interrupt(number, frame):
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt

    heeded = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.getsignal(number) for number in heeded}
    for number in heeded:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    main()
