"""Rung 14 with both implementations as they are: several devices in one process. Real processes: tests/test_devices_of_a_run.py."""

import pytest

from .ladder import devices


@pytest.mark.parametrize("count", [2, 3])
def test_rung_14_devices(shallow, count, keep):
    keep(devices.check_devices(shallow.scene, count))


def test_rung_14_frozen_features(shallow, keep):
    keep(devices.check_devices(shallow.scene, 3, "frozen"))
