"""Both frameworks on real photographs and weights, where HOTDOG_REAL names a folder with them."""

import numpy as np
import pytest
import torch
from helpers import random_tensors

from gluon_impl import data as gluon_data
from gluon_impl import nets as gluon_nets
from shared.experiments import experiment
from shared.networks.architecture import Architecture
from shared.networks.reading import load_source
from shared.networks.source import Source
from shared.runs.execute import execute
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.job import Job
from torch_impl import nets as torch_nets

WEIGHTS = "weights/resnet18_v1-imagenet1k-pq.pth"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_short_run_on_real_photographs_and_weights(framework, real, tmp_path):
    one = experiment("frozen", "resnet18_v1", num_epochs=1, size=96, batch_size=8)
    where = {"data": str(real / "data" / "hotdog"), "source": str(real / WEIGHTS), "out": tmp_path}
    job = Job(one, framework, 0, limit=24, device="cpu", **where)
    run = execute(job, *job.load())
    assert run.status == "finished"
    assert run.source["architecture"] == "resnet18_v1"
    assert 0 < run.epochs[1]["train_loss"] < 20


@pytest.mark.parametrize("version", (1, 2))
def test_untrained_logits_agree_on_real_photographs(version, real):
    files = sorted((real / "data" / "hotdog" / "test").rglob("*.jpg"))[::50]
    if version == 1:
        source = load_source(str(real / WEIGHTS))
    else:
        source = Source("random", Architecture(2), random_tensors(Architecture(2)), None, "")
    pixels, _ = gluon_data.image_batch(files, 224)
    gluon_logits = gluon_nets.pretrained_net(source)(pixels).asnumpy()
    with torch.no_grad():  # the very same pixels: the two ways to resize may differ by 1/255
        torch_logits = torch_nets.pretrained_net(source).eval()(torch.from_numpy(pixels.asnumpy())).numpy()
    assert np.abs(gluon_logits).max() > 1
    assert np.abs(gluon_logits - torch_logits).max() < 1e-4
