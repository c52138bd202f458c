"""The command line, see ``aelib.study.command``: an interrupt is answered by a sentence, early ones too."""

import _thread
import signal
import sys
import threading
from contextlib import contextmanager

_IMPORTS, _SOON = "<frozen importlib", 0.02  # the file name of the import system's frames; seconds


def main(arguments=None):
    """Run the command line until it ends or is interrupted."""
    try:
        with _interruptible():
            from aelib.study import command  # takes a second, in which an interrupt may come already

            command.main(arguments)
    except KeyboardInterrupt:
        sys.exit("stopped: what was finished is stored; the same command goes on from there")


def _signal_again(number):
    """Send this signal to the main thread, whatever it waits for; on Windows it is heeded once that thread runs."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, number)
    else:
        _thread.interrupt_main(number)


@contextmanager
def _interruptible():
    """Treat SIGTERM like Ctrl-C; the next of either ends this process at once, and its workers with it.

    Within the import system, some of whose callbacks lose an exception, the interrupt waits until it is left.
    """

    def interrupt(number, frame):
        if frame is not None and frame.f_code.co_filename.startswith(_IMPORTS):
            again = threading.Timer(_SOON, _signal_again, [number])
            again.daemon = True
            again.start()
            return
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
