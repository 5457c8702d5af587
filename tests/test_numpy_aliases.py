"""MXNet 1.9.1 on NumPy 2, in an environment of its own that the test builds."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from shared.networks import numpy_aliases

ROOT = Path(__file__).parent.parent

TRAIN = """
import gluon_impl
from gluon_impl import nets
import numpy, mxnet
from mxnet import autograd, gluon, np
from shared.networks.architecture import Architecture
assert numpy.__version__.startswith("2."), numpy.__version__
net = nets.scratch_net(Architecture(2, channels=(8, 8, 16, 24, 32)), 2)
net.save_parameters("net.params")
X, y = np.random.normal(size=(4, 3, 32, 32)), np.array([0, 1, 0, 1])
trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
losses = []
for _ in range(8):
    with autograd.record():
        l = gluon.loss.SoftmaxCrossEntropyLoss()(net(X), y)
    l.backward()
    trainer.step(4)
    losses.append(float(l.mean()))
assert losses[-1] < losses[0], losses
print("trained", numpy.__version__, mxnet.__version__)
"""


# A process that comes to MXNet only because of the file it reads.
READ = """
from shared.networks.reading import load_source
print("read", load_source("net.params").architecture.name)
"""


def test_nothing_is_done_on_the_numpy_that_mxnet_was_written_for():
    before = set(vars(numpy))
    assert numpy.__version__ == "1.23.5"
    assert numpy_aliases.restore() == []
    assert set(vars(numpy)) == before


def test_gluon_trains_on_numpy_2(tmp_path):
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed, so no second environment can be built")
    python = tmp_path / "venv" / "bin" / "python"
    packages = ["mxnet==1.9.1", "numpy==2.2.6", "safetensors==0.6.2", "requests", "urllib3", "idna", "certifi"]
    packages += ["charset-normalizer", "setuptools<81", "pillow", "platformdirs", "filelock", "psutil", "threadpoolctl"]
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"],
        # --no-deps: MXNet's own metadata forbids NumPy 2
        [uv, "pip", "install", "--quiet", "--no-deps", "--python", python, *packages],
    ):
        # not from here: uv would apply this project's constraints
        built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        if built.returncode:
            pytest.skip(f"the environment with NumPy 2 cannot be built: {built.stderr.strip().splitlines()[-1]}")
    without = subprocess.run([python, "-c", "import mxnet"], cwd=tmp_path, capture_output=True, text=True)
    assert "AttributeError" in without.stderr  # or the aliases would not be needed any more
    for script, words in ((TRAIN, "trained 2.2.6"), (READ, "read resnet18_v2")):
        done = subprocess.run(
            [python, "-c", script], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(words)
