"""Use trained networks: `hotdog predict`, `evaluate`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from shared.command.app import app
from shared.command.console import print_table, say
from shared.command.options import Device, DeviceOption, RunOption, WorkersOption
from shared.errors import UserError
from shared.images.folders import check_image, load_test_images
from shared.runs.execute import trained_net
from shared.runs.find import with_twins
from shared.runs.frameworks import implementation
from shared.runs.record import read_run, write_probabilities


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…")],
    run: RunOption,
):
    """Print the probability of every class for image files; also by the other framework where its twin run lies beside."""
    for file in images:
        check_image(file)
    chosen = [read_run(folder) for folder in run]
    columns = ["image"]
    probabilities = []
    for one in with_twins(chosen):
        data, training = (implementation(one.framework, m) for m in ("data", "training"))
        device, _ = training.choose_device("auto")
        try:
            net = trained_net(one)
        except UserError as error:
            if one in chosen:
                raise
            print(f"hotdog: left out: {error}", file=sys.stderr)
            continue
        batches = (data.image_batch([file], one.experiment["size"]) for file in images)
        probabilities.append(training.predict_probabilities(net, batches, device)[0])
        name = f"{one.experiment['name']} {one.framework} seed {one.seed}"
        columns += [f"{name}: {c}" for c in one.dataset["classes"]]
    print_table(columns, [[str(f), *(f"{p:.4f}" for ps in probabilities for p in ps[i])] for i, f in enumerate(images)])


@app.command()
def evaluate(
    run: RunOption,
    data: Annotated[str, typer.Option(help="Folder <class>/ or {train,test}/<class>/ (test is used), mini or hotdog.")],
    device: DeviceOption = Device.auto,
    workers: WorkersOption = 0,
):
    """Accuracy of finished runs on any other images; the per-image probabilities are written into the run's folder."""
    name, classes, split = load_test_images(data)
    for one in [read_run(folder) for folder in run]:
        if tuple(one.dataset["classes"]) != classes:
            raise UserError(
                f"{one.folder} knows the classes {', '.join(one.dataset['classes'])}; {data} has {', '.join(classes)}"
            )
        impl, training = (implementation(one.framework, m) for m in ("data", "training"))
        where, _ = training.choose_device(device.value)
        net = trained_net(one)
        batches = impl.test_iter(split, one.experiment["size"], one.experiment["batch_size"], workers)
        probabilities, labels = training.predict_probabilities(net, batches, where)
        file, number = one.folder / f"probabilities-{name}.csv", 1
        while file.exists():  # two folders can have the same name
            number += 1
            file = one.folder / f"probabilities-{name}-{number}.csv"
        write_probabilities(file, classes, split.names, labels, probabilities)
        accuracy = (probabilities.argmax(axis=1) == labels).mean()
        say(
            f"{one.experiment['name']} {one.framework} seed {one.seed}: accuracy {accuracy:.4f} "
            f"on {len(split)} images of {name}; per image: {file}"
        )
