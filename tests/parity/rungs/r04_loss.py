"""Rung 4, loss: the numbers that a training loop reports are the same, and they are those of the network it trains.

Compared: reported loss and training accuracy over full batches and a short last one, with each other and with NumPy's from the
logits, with classes of unequal weight too; every reported test accuracy and probability with those of the weights at that moment.
Tolerance: relative, float64, two hundred times what was measured; what is reported of test images to 1e-10.
Fails: eval mode in training, a second softmax, a mean over batches in place of images, the best accuracy in place of the last.
"""

from dataclasses import replace

import numpy as np
from scipy.special import softmax

from shared.images import feed
from shared.parity.lockstep import OnePerEpoch, framework_batch
from shared.parity.tensors import compare
from shared.runs.frameworks import FRAMEWORKS

from ..inside import forward
from ..scene import NETS, TRAINING, steps_of, train, twins

RUNG = 4

LOSS = (1e-12, 1e-11)  # (cpu, gpu); measured on the CPU: 4e-15
REPORTED = 1e-10


def check_loss(scene):
    """The loss and accuracy that the loops report over full batches and a short last one, and NumPy's from Gluon's logits."""
    experiment = replace(scene.experiment("finetune"), learning_rate=0.0)
    half = scene.batch_size // 2 - 1
    batches = feed.batches(scene.dataset.train, scene.size, scene.batch_size, 0, 3)
    batches[-1] = tuple(part[:half] for part in batches[-1])
    nets, found = twins(scene, experiment), {}
    for framework, net in nets.items():
        seen, _ = train(framework, net, experiment, batches, scene, epochs=1)
        found[framework] = {"loss": np.array([seen[1].train_loss]), "accuracy": np.array([seen[1].train_accuracy])}
    worst = [compare(RUNG, "reported", found["gluon"], found["torch"], scene.tolerance(*LOSS))]
    losses, right = [], []
    net = twins(scene, experiment)["gluon"]
    for X, y in batches:
        logits = forward("gluon", net, framework_batch("gluon", (X, y))[0], scene, training=True)["output"]
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        losses += list(-log_p[np.arange(len(y)), y])
        right += list(logits.argmax(axis=1) == y)
    by_hand = {"loss": np.array([np.mean(losses)]), "accuracy": np.array([np.mean(right)])}
    return worst + [compare(RUNG, "against NumPy", by_hand, found["gluon"], scene.tolerance(*LOSS))]


# Weights of the two classes, as `--balance` gives them for 3 : 1 images: exact in binary.
CLASS_WEIGHTS = np.array([0.75, 2.25])


def check_balanced_loss(scene):
    """With weighed classes the loss is the sum of weight times loss over the number of images, as NumPy has it from the logits.

    PyTorch's own `CrossEntropyLoss(weight=...)` would divide by the sum of the weights in each batch.
    """
    experiment = replace(scene.experiment("finetune"), learning_rate=0.0, num_epochs=1)
    batches, found = steps_of(scene, 3), {}
    for framework, net in twins(scene, experiment).items():
        seen, given = [], [framework_batch(framework, batch) for batch in batches]
        device = scene.where.of(framework)
        TRAINING[framework].train_fine_tuning(
            net, given, given[:1], experiment, device, seen.append, class_weights=CLASS_WEIGHTS
        )
        found[framework] = {"loss": np.array([seen[1].train_loss])}
    net, losses = twins(scene, experiment)["torch"], []
    for X, y in batches:
        logits = forward("torch", net, framework_batch("torch", (X, y))[0], scene, training=True)["output"]
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        losses += list(-CLASS_WEIGHTS[y] * log_p[np.arange(len(y)), y])
    by_hand = {"loss": np.array([np.mean(losses)])}
    return [
        compare(RUNG, f"{framework}: weighed loss against NumPy", by_hand, found[framework], scene.tolerance(*LOSS))
        for framework in found
    ]


def check_reported_accuracies(scene, name="finetune", steps=6, must_fall=True):
    """Test accuracy and probabilities that a loop reports of every epoch are those of the weights it then has.

    By NumPy from the logits of full and short batches, at a rate at which the accuracy falls now and then; where `must_fall`, it
    has to.
    """
    measured = []
    for framework in FRAMEWORKS:
        reported, counted = _reports(framework, scene, name, steps)
        values = [float(value) for value in counted["accuracy"].values()]
        if must_fall and values == sorted(values):
            raise ValueError(f"{scene.name}: accuracies {values} never fall; this shows little")
        for kind in counted:
            what = f"{framework}: reported test {kind}, {name}"
            measured.append(compare(RUNG, what, counted[kind], reported[kind], REPORTED))
    return measured


def _reports(framework, scene, name, steps):
    """What one framework's loop reports after each step, and the same by NumPy: two times {kind: {epoch: array}}."""
    experiment = replace(scene.experiment(name), learning_rate=0.03, num_epochs=steps)
    batches = steps_of(scene, steps)
    given = [framework_batch(framework, batch) for batch in batches]
    tested, labels = given[:3], np.concatenate([y for _, y in batches[:3]])  # the third one is short
    net, own = (twins(scene, experiment)[framework] for _ in range(2))
    reported, counted = ({"accuracy": {}, "probabilities": {}} for _ in range(2))

    def look(epoch):
        NETS[framework].set_tensors(own, NETS[framework].get_tensors(net))
        logits = np.concatenate([forward(framework, own, X, scene, training=False)["output"] for X, _ in tested])
        key = f"epoch {epoch.epoch}"
        counted["accuracy"][key] = np.array((logits.argmax(axis=1) == labels).mean())
        counted["probabilities"][key] = softmax(logits, axis=1)
        reported["accuracy"][key] = np.array(epoch.test_accuracy)
        reported["probabilities"][key] = epoch.test_probabilities

    TRAINING[framework].train_fine_tuning(net, OnePerEpoch(given), tested, experiment, scene.where.of(framework), look)
    return reported, counted
