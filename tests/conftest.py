"""What holds for every test: how many threads torch takes, what some need of the machine, what CI may skip."""

import importlib.util
import os
import shutil
from functools import cache

import pytest
import torch

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pytest_configure(config):
    beside_others = hasattr(config, "workerinput")  # of pytest-xdist, a worker for each core
    torch.set_num_threads(1 if beside_others else min(2, os.cpu_count() or 1))


def pytest_collection_modifyitems(items):
    """The slow ones first, so that no worker is left alone with them."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@cache
def _missing(marker: str) -> str | None:
    """Say what a marked test would need and this machine lacks."""
    if marker == "gpu" and not torch.cuda.is_available():
        return "needs an accelerator that torch sees"
    if marker == "browser" and not any(map(shutil.which, BROWSERS)):
        return "needs a browser: install Chromium (Debian: chromium)"
    if marker == "oracle" and importlib.util.find_spec("moshi") is None:
        return "needs PyPI moshi: run `make install`"
    return None


def pytest_runtest_setup(item):
    for marker in ("gpu", "browser", "oracle"):
        if item.get_closest_marker(marker) and (reason := _missing(marker)):
            pytest.skip(reason)


def _forbid_skip(report, allowed: bool) -> None:
    """Under CI a skipped test is one that CI does not keep true, so it fails there; only `gpu` may be skipped."""
    if os.environ.get("CI") != "true" or allowed or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = (
        f"{report.nodeid} was skipped under CI=true, where only gpu tests may be.\n{reason}\n"
        "Where a system package is missing, add it to PACKAGES in .ci/run."
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    _forbid_skip(report, allowed=item.get_closest_marker("gpu") is not None)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    _forbid_skip(report, allowed=False)
    return report
