"""The ladder can fail: every fault of faults.py is planted, and its rung is the first that breaks.

A fault enters at its own rung, which has to break and to name what differs. That the rungs below hold is shown once without a fault
here, and with each fault planted by the slow test (`pytest -k parity -m slow`).
"""

import pytest

import torch_impl.training
from shared.parity.tensors import RUNGS, Mismatch

from . import faults
from .ladder import effective_rates
from .planting import fault, planted

every_fault = pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda one: one.name)


def test_parity_holds_without_a_fault(shallow):
    shallow.climb()


@pytest.mark.tried("planted faults")
@every_fault
def test_parity_catches(fault, shallow):
    with planted(fault), pytest.raises(Mismatch) as caught:
        shallow.climb(fault.rung, fault.rung)
    assert fault.sign in str(caught.value)


@pytest.mark.slow
@every_fault
def test_parity_holds_below_the_rung_that_catches(fault, shallow):
    with planted(fault):
        shallow.climb(last=fault.rung - 1)


def test_parity_faults_are_undone(shallow):
    before = torch_impl.training.train_fine_tuning
    dropped = next(f for f in faults.FAULTS if f.name == "head multiplier dropped")
    with planted(dropped):
        assert torch_impl.training.train_fine_tuning is not before
    assert torch_impl.training.train_fine_tuning is before
    effective_rates.check_effective_rates(shallow.scene, "finetune")


def test_parity_faults_must_be_plantable():
    gone = fault("gone", "torch_impl/data.py", 1, "", "text that is not there", "")
    with pytest.raises(ValueError, match="no longer says"), planted(gone):
        pass


def test_parity_fault_table_has_a_row_for_each():
    lines = faults.table().splitlines()
    assert len(lines) == 2 + len(faults.FAULTS) >= 2 + 15
    assert {f.rung for f in faults.FAULTS} <= set(RUNGS)
    assert len({f.name for f in faults.FAULTS}) == len(faults.FAULTS)
