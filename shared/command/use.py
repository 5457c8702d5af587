"""Use trained networks: `hotdog predict`, `evaluate`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from shared.command.app import app
from shared.command.console import print_report, print_table, say
from shared.command.options import Device, DeviceOption, RunOption, Unset, WorkersOption
from shared.errors import UserError


@app.command()
def predict(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE…", help="Image files, folders of them (with what is below), patterns.")
    ],
    run: RunOption,
    top: Annotated[int, typer.Option(help="Of more classes than this, print the N most probable.", min=1)] = 5,
    csv: Annotated[Path, typer.Option(help="Also write the probability of every class to this file.", **Unset)] = None,
):
    """Print the classes of images with their probabilities; also by the other framework where its twin run lies beside."""
    from shared.files import check_target
    from shared.runs.find import with_twins
    from shared.runs.opened import trained
    from shared.runs.predictions import class_table, image_files, write_csv
    from shared.runs.record import read_run

    chosen = [read_run(folder) for folder in run]
    if csv and len({tuple(one.dataset["classes"]) for one in chosen}) > 1:
        raise UserError("--csv has a column for every class, so it takes runs that know the same classes")
    if csv:
        check_target(csv)
    files, left_out = image_files(images)
    for reason in left_out:
        print(f"hotdog: left out: {reason}", file=sys.stderr)
    predictions = []
    for one in with_twins(chosen):
        try:
            predictions.append((one, trained(one).probabilities(files)))
        except UserError as error:
            if one in chosen:
                raise
            print(f"hotdog: left out: {error}", file=sys.stderr)
    print_table(*class_table(files, predictions, top))
    if csv:
        write_csv(csv, files, predictions)
        say(f"Every class: {csv}")


@app.command()
def evaluate(
    run: RunOption,
    data: Annotated[str, typer.Option(help="Folder <class>/ or {train,test}/<class>/ (test is used), mini or hotdog.")],
    device: DeviceOption = Device.auto,
    workers: WorkersOption = 0,
):
    """Accuracy of finished runs on any other images, class by class; probabilities and a picture go into the run's folder."""
    from shared.images.folders import load_test_images
    from shared.runs.answers import report_on
    from shared.runs.failures import explained
    from shared.runs.frameworks import implementation
    from shared.runs.opened import trained
    from shared.runs.record import read_run, write_probabilities

    chosen = [read_run(folder) for folder in run]
    name, classes, split = load_test_images(data)
    for one in chosen:
        if tuple(one.dataset["classes"]) != classes:
            raise UserError(
                f"{one.folder} knows the classes {', '.join(one.dataset['classes'])}; {data} has {', '.join(classes)}"
            )
    for one in chosen:
        impl, training = (implementation(one.framework, m) for m in ("data", "training"))
        where, _ = training.choose_device(device.value)
        net = trained(one).net
        batches = impl.test_iter(split, one.experiment["size"], one.experiment["batch_size"], workers)
        try:
            probabilities, labels = training.predict_probabilities(net, batches, where)
        except Exception as error:
            raise explained(error, [split]) from error
        ending, number = name, 1
        while (file := one.folder / f"probabilities-{ending}.csv").exists():  # two folders can have the same name
            number += 1
            ending = f"{name}-{number}"
        write_probabilities(file, classes, split.names, labels, probabilities)
        accuracy = (probabilities.argmax(axis=1) == labels).mean()
        say(
            f"{one.experiment['name']} {one.framework} seed {one.seed}: accuracy {accuracy:.4f} "
            f"on {len(split)} images of {name}; per image: {file}"
        )
        print_report(report_on(classes, split, labels, probabilities, one.folder / f"report-{ending}"))
