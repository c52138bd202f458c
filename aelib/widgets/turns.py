"""A generator run on an asyncio loop in short turns, so that messages get through and it can be stopped."""

import asyncio
import contextlib
import signal
import threading

_YIELDS = 4  # a message passes through several tasks of the loop before it arrives


class Turns:
    """Runs a generator at a time; one that begins closes the last.

    Args:
        alone: whether of all generators that run alone only one is under way, so that one that begins closes another's.
    """

    _under_way = None  # of those that run alone
    _in_turn = _interrupted = False

    def __init__(self, alone=True):
        self._task, self._alone = None, alone

    def begin(self, values, show, finish, fail):
        """Run a generator on the loop of this thread: ``show(value)`` for each value, then ``finish()``.

        Args:
            values: the generator; it is closed in any case.
            show: function of a value.
            finish: called after the last.
            fail: function of the exception, of the generator or of show and finish, ``KeyboardInterrupt`` among them.
        """
        self.stop()
        if self._alone:
            stop_all()
            Turns._under_way = self
        _listen()
        Turns._interrupted = False
        self._task = asyncio.get_running_loop().create_task(self._run(values, show, finish, fail))

    def stop(self):
        """Close the generator under way, if there is one. To be called on the loop's thread."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    @property
    def running(self):
        """Whether a generator is under way."""
        return self._task is not None and not self._task.done()

    async def _run(self, values, show, finish, fail):
        try:
            with contextlib.closing(values):
                more = True
                while more:
                    with _turn():
                        more = _next(values, show)
                    for _ in range(_YIELDS):
                        await asyncio.sleep(0)
            with _turn():
                finish()
        except (Exception, KeyboardInterrupt) as error:  # it must not reach the loop: that would end the kernel
            fail(error)


def stop_all():
    """Close the generator that runs alone, whosever it is."""
    if Turns._under_way is not None:
        Turns._under_way.stop()
        Turns._under_way = None


def _next(values, show):
    """Show the next value; return whether there was one."""
    for value in values:
        show(value)
        return True
    return False


@contextlib.contextmanager
def _turn():
    Turns._in_turn = True
    try:
        if Turns._interrupted:
            raise KeyboardInterrupt
        yield
    finally:
        Turns._in_turn = False


def _listen():
    """Let an interrupt end the run under way: while no cell runs, IPython's kernel ignores it, and so does this then.

    The kernel puts its own handler in place while a cell runs, and this one back after it.
    """
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(*_):
    Turns._interrupted = True
    if Turns._in_turn:
        raise KeyboardInterrupt
