"""Records of runs that nobody trained: for tests of what is made of many runs."""

from pathlib import Path

import numpy as np

from shared.experiments import experiment
from shared.runs.record import Run, write_probabilities

CLASSES = ("hotdog", "not-hotdog")


def record(
    out: Path,
    name="finetune",
    framework="gluon",
    seed=0,
    accuracies=(0.5, 0.8, 0.9),
    classes=CLASSES,
    images=None,
    p=None,
    more=None,
    num_epochs=None,
    **facts,
) -> Run:
    """Write the record of a run with these test accuracies to a folder of its own below `out`, and return it.

    images: [(name, class index)]; p: (N, classes) what it says of them, both kept where they are given. more: settings of the
    experiment; num_epochs: where it was to come further than its accuracies. facts: entries of the record instead of the usual
    ones; `dataset` and `source` are added to.
    """
    e = experiment(name, num_epochs=num_epochs or max(len(accuracies) - 1, 1), **(more or {}))
    epochs = [
        {
            "epoch": i,
            "train_loss": 1.0 / i if i else None,
            "train_accuracy": a if i else None,
            "test_accuracy": a,
            "seconds": 2.0 if i else None,
            "images_per_second": 100.0 if i else None,
        }
        for i, a in enumerate(accuracies)
    ]
    dataset = {"name": "pictures", "classes": list(classes), "train": 12, "test": len(images or "12345678")}
    dataset |= {"tested_on": "test", "fingerprint": "0" * 16, "split": None}
    source = {"name": "mini", "architecture": "thin", "fingerprint": "1" * 16, "row": None, "row_label": None}
    device = {"used": "cpu", "why": "asked for", "gpu": None, "cpu": "some", "cores": 1}
    run = Run(
        folder=out / f"{len(list(out.glob('*'))) if out.is_dir() else 0:03d}",
        experiment=e.as_dict(),
        framework=framework,
        seed=seed,
        dataset=dataset | facts.pop("dataset", {}),
        source=source | facts.pop("source", {}),
        device=device,
        versions={"numpy": "1.23.5"},
        **{"status": "finished", "draws": "shared", "started": "2026-01-01T00:00:00+00:00", "epochs": epochs} | facts,
    )
    run.folder.mkdir(parents=True)
    run.save()
    if p is not None:
        names, labels = zip(*images, strict=True)
        write_probabilities(run.folder / "test_probabilities.csv", classes, names, labels, np.asarray(p))
    return run


def said(labels, seed=0, classes=2, sharpness=2.0) -> np.ndarray:
    """Random probabilities (N, classes) of images with these `labels`, mostly right."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (len(labels), classes))
    logits[np.arange(len(labels)), labels] += sharpness
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True)
