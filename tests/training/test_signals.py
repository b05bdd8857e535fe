import os
import signal
import threading

import pytest

from mgc_hf.training.signals import StoppedBySignal, StopSignals


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_a_request_and_handlers_come_back(signum, capfd):
    former = signal.getsignal(signum)
    with StopSignals() as stop:
        assert stop.signum is None
        os.kill(os.getpid(), signum)
        assert stop.signum == signum
        assert signal.Signals(signum).name in capfd.readouterr().err
    assert signal.getsignal(signum) is former


def test_outside_the_main_thread_nothing_is_installed():
    former = signal.getsignal(signal.SIGTERM)
    seen = []

    def work():
        with StopSignals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [former]


def test_a_launcher_may_repeat_a_signal(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    with StopSignals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)  # would end the process without the launcher
        assert stop.signum == signal.SIGINT


def test_exit_statuses():
    assert StoppedBySignal(signal.SIGTERM, "").code == 143
    assert StoppedBySignal(signal.SIGINT, "").code == 130
    assert issubclass(StoppedBySignal, SystemExit)
