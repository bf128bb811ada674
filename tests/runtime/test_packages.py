from __future__ import annotations

import logging
import os
import threading
import warnings

from ocrkit.runtime.packages import quiet


def test_quiet_mends_nothing_for_good(capsys):
    with quiet():
        print("a bar")
        warnings.warn("a warning", stacklevel=1)
        logging.getLogger("ocrkit-test").warning("a line")
    assert capsys.readouterr().out + capsys.readouterr().err == ""
    assert logging.root.manager.disable == logging.NOTSET
    print("heard")
    assert capsys.readouterr().out == "heard\n"


def test_threads_that_are_quiet_leave_standard_error_as_it_was():
    before = os.fstat(2)
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with quiet():
            inside.set()
            leave.wait(5)

    def second() -> None:
        with quiet():
            pass

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    inside.wait(5)
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join()
    assert os.path.samestat(os.fstat(2), before)
