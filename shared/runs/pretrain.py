"""Train the embedded source network on its drawings, from nothing: `hotdog mini build`."""

import json
import time
from pathlib import Path

import numpy as np

from shared.images.mini.render import VERSION
from shared.images.views import MEAN, STD
from shared.networks.source import MINI_FILE

# A resnet18_v2 of a quarter of the width or less, so that its float32 weights stay under 3 MB.
LAYERS, CHANNELS = (2, 2, 2, 2), (16, 16, 32, 64, 128)
# AdamW's rate at the top of a one-cycle schedule, and its decay, of weights only.
PEAK_RATE, WEIGHT_DECAY = 4e-3, 0.05


def pretrain(folder, epochs=14, seed=0, batch=64, log=print):
    """Train the source network on the drawings in `folder` (as `write_source` leaves them).

    Returns (tensors, facts). tensors: {canonical name: float32 array}. facts: "classes" (labels, row by row of the output layer),
    "top1" (accuracy on the held-out drawings, 0 to 1), "seed", "seconds".
    """
    import torch
    from torch.nn import functional as F

    from torch_impl.resnet_v2 import BasicBlockV2, ResNetV2

    start = time.monotonic()
    torch.manual_seed(seed)
    classes = sorted(p.name for p in (Path(folder) / "train").iterdir())
    X, y = _load(Path(folder) / "train", classes)
    X_test, y_test = _load(Path(folder) / "test", classes)
    net = ResNetV2(BasicBlockV2, LAYERS, CHANNELS, len(classes))
    steps = len(X) // batch
    optimizer = _optimizer(net)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, epochs * steps, pct_start=0.2)
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for rows in torch.randperm(len(X))[: steps * batch].split(batch):
            loss = F.cross_entropy(net(_augmented(X[rows])), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        top1 = _accuracy(net, X_test, y_test)
        seconds = time.monotonic() - start
        log(f"epoch {epoch + 1} of {epochs}: loss {total / steps:.3f}, held-out accuracy {top1:.3f}, {seconds:.0f} s")
    tensors = {
        name: tensor.detach().numpy().astype(np.float32)
        for name, tensor in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    return tensors, {"classes": classes, "top1": top1, "seed": seed, "seconds": seconds}


def _optimizer(net):
    import torch

    trained = [p for p in net.parameters() if p.requires_grad]
    weights, others = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=PEAK_RATE)


def save(tensors, facts, path=MINI_FILE):
    """Store a pretrained source network. Everything in the metadata is text, as the format asks."""
    from safetensors.numpy import save_file

    metadata = {
        "name": "mini",
        "classes": json.dumps(facts["classes"]),
        "top1": f"{facts['top1']:.4f}",
        "seed": str(facts["seed"]),
        "drawings": str(VERSION),
        "command": "hotdog mini build",
    }
    save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, path, metadata)


def _load(folder, classes):
    """All pictures of a split: (n, 3, 64, 64) uint8 and (n,) int64 torch tensors."""
    import torch
    from PIL import Image

    pictures, labels = [], []
    for label, name in enumerate(classes):
        for path in sorted((folder / name).glob("*.png")):
            pictures.append(np.asarray(Image.open(path)).transpose(2, 0, 1))
            labels.append(label)
    return torch.from_numpy(np.stack(pictures)), torch.tensor(labels)


def _normalized(X):
    import torch

    mean, std = (torch.from_numpy(v.astype("float32")) for v in (MEAN, STD))
    return (X.float() / 255 - mean) / std


def _augmented(X):
    """A random part of each picture (15 to 100 % of its area), enlarged, and half of them flipped."""
    import torch
    from torch.nn import functional as F

    n = len(X)
    area = torch.empty(n).uniform_(0.15, 1.0)
    ratio = torch.exp(torch.empty(n).uniform_(np.log(3 / 4), np.log(4 / 3)))
    wide = (area * ratio).sqrt().clamp(max=1)
    high = (area / ratio).sqrt().clamp(max=1)
    flip = torch.randint(0, 2, (n,)) * 2.0 - 1
    # In grid_sample's terms a picture spans -1 to 1, so a part of width w has its middle in +-(1-w).
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = wide * flip, high
    theta[:, 0, 2] = torch.empty(n).uniform_(-1, 1) * (1 - wide)
    theta[:, 1, 2] = torch.empty(n).uniform_(-1, 1) * (1 - high)
    grid = F.affine_grid(theta, X.shape, align_corners=False)
    parts = F.grid_sample(_normalized(X), grid, padding_mode="reflection", align_corners=False)
    # Other light, other colours and grain, so that shape is what is left to learn.
    gain = torch.exp(0.25 * torch.randn(n, 1, 1, 1) + 0.12 * torch.randn(n, 3, 1, 1))
    grey = parts.mean(1, keepdim=True)
    mix = torch.empty(n, 1, 1, 1).uniform_(-0.6, 0.8).clamp(min=0)
    parts = (grey + (parts - grey) * (1 - mix)) * gain + 0.2 * torch.randn(n, 3, 1, 1)
    return parts + 0.3 * torch.rand(n, 1, 1, 1) ** 2 * torch.randn_like(parts)


def _accuracy(net, X, y):
    import torch

    net.eval()
    with torch.no_grad():
        hits = [(net(_normalized(a)).argmax(1) == b).sum() for a, b in zip(X.split(500), y.split(500), strict=False)]
    return float(sum(hits)) / len(y)
