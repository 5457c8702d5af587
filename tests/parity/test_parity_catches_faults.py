"""The ladder can fail: every fault of faults.py is planted, and the first rung that breaks is the one in its row."""

import pytest

import torch_impl.training
from shared.networks.architecture import Architecture
from shared.parity.tensors import RUNGS, Mismatch

from . import faults, ladder


@pytest.fixture(scope="module")
def narrow(drawings):
    """A shallow network, for the ladder is climbed once per fault."""
    source = ladder.random_source(Architecture(2, layers=(1, 1, 1, 1), channels=(8, 8, 16, 32, 64)))
    return ladder.Scene("shallow", source, drawings, size=32, batch_size=16)


def test_parity_holds_without_a_fault(narrow, kinds, solid):
    for check in ladder.climb(narrow, kinds, solid):
        check()


@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda fault: fault.name)
def test_parity_catches(fault, narrow, kinds, solid):
    with faults.planted(fault), pytest.raises(Mismatch) as caught:
        for check in ladder.climb(narrow, kinds, solid):
            check()
    assert caught.value.rung == fault.rung, str(caught.value)
    assert fault.sign in str(caught.value)


def test_parity_faults_are_undone(narrow):
    before = torch_impl.training.train_fine_tuning
    dropped = next(f for f in faults.FAULTS if f.name == "head multiplier dropped")
    with faults.planted(dropped):
        assert torch_impl.training.train_fine_tuning is not before
    assert torch_impl.training.train_fine_tuning is before
    ladder.check_effective_rates(narrow, "finetune")


def test_parity_faults_must_be_plantable():
    gone = faults.fault("gone", "torch_impl/data.py", 1, "", "text that is not there", "")
    with pytest.raises(ValueError, match="no longer says"), faults.planted(gone):
        pass


def test_parity_fault_table_has_a_row_for_each():
    lines = faults.table().splitlines()
    assert len(lines) == 2 + len(faults.FAULTS) >= 2 + 15
    assert {f.rung for f in faults.FAULTS} <= set(RUNGS)
    assert len({f.name for f in faults.FAULTS}) == len(faults.FAULTS)
