"""A worker that has no MXNet takes PyTorch's jobs, and Gluon's wait for one that has: real processes."""

import pytest
from helpers import ROOT
from loopback import PATIENCE, Here, until

from shared.runs.record import read_runs

WITHOUT = """
import importlib.metadata, sys
sys.modules["mxnet"] = None
every = importlib.metadata.packages_distributions
importlib.metadata.packages_distributions = lambda: {name: d for name, d in every().items() if name != "mxnet"}
"""


@pytest.mark.slow
def test_a_worker_without_mxnet(images, thin_file, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT)
    out = tmp_path / "runs"

    def finished():
        return sorted(r.framework for r in (read_runs(out) if out.is_dir() else []) if r.status == "finished")

    with Here(tmp_path) as here:
        here.worker(PYTHONPATH=f"{tmp_path / 'site'}:{ROOT}")
        order = ("run", "finetune", "--epochs", 1, "--size", 32, "--data", images, "--source", thin_file, "--out", out)
        client = here.client(*order)
        until(
            lambda: "waiting for a worker with Gluon; start one with: dask worker tcp" in here.log_of(client), "a line"
        )
        until(lambda: finished() == ["torch"], "PyTorch's run")
        here.worker()
        assert client.wait(PATIENCE) == 0, here.log_of(client)
        assert finished() == ["gluon", "torch"]
