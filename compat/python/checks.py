"""Runs named checks and tells their outcomes as compat/lib/client.ts has it."""

import json
import os
import sys
import threading
import time
import traceback
import uuid

_checks = []
_restarted = threading.Event()


def tell(**fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def check(name, slow=False):
    def add(run):
        _checks.append((name, slow, run))
        return run

    return add


def unique(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def restart_broker(how="stop"):
    """Asks for it; `wait_for_broker` waits until it is back."""
    _restarted.clear()
    tell(control="restart", how=how)


def wait_for_broker():
    assert _restarted.wait(60), "the broker did not come back"


def until(what, is_true, seconds=20):
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, f"not after {seconds} s: {what}"
        time.sleep(0.05)


def equal(actual, expected, what=""):
    assert actual == expected, f"{what} {actual!r:.300} is not {expected!r:.300}"


def run_checks():
    def read_answers():
        for _ in sys.stdin:
            _restarted.set()

    threading.Thread(target=read_answers, daemon=True).start()
    part = os.environ.get("KASKA_COMPAT_CHECK", "")
    is_quick = os.environ.get("KASKA_COMPAT_QUICK") == "1"
    wanted = [each for each in _checks if part in each[0] and not (is_quick and each[1])]
    tell(checks=[name for name, _, _ in wanted])
    for name, _, run in wanted:
        started = time.monotonic()
        try:
            run()
            fields = {"ok": True}
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1].lineno
            fields = {"ok": False, "reason": f"{type(error).__name__}: {error} (line {line})"}
        tell(check=name, ms=round((time.monotonic() - started) * 1000), **fields)
    sys.stdout.flush()
    os._exit(0)
