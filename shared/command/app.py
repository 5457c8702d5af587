"""The `hotdog` command: run experiments, compare their records, use the trained networks."""

import multiprocessing
import os
import signal
import sys
import tempfile
from enum import Enum
from pathlib import Path
from typing import Annotated

import click
import typer
from click.core import ParameterSource
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from shared import datasets, experiments, report, runs, sources
from shared.errors import UserError, reason_of

app = typer.Typer(
    help="Hot dog recognition by fine-tuning, in MXNet Gluon and in PyTorch.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
# A log has no width of its own; tables stay whole there.
if not console.is_terminal:
    console = Console(width=160, highlight=False)


def say(line: str):
    """Print one line as it is, however long."""
    console.print(line, markup=False, soft_wrap=True)


class Framework(str, Enum):
    gluon = "gluon"
    torch = "torch"
    both = "both"

    @property
    def names(self) -> list[str]:
        return list(runs.FRAMEWORKS) if self is Framework.both else [self.value]


class Device(str, Enum):
    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"


FrameworkOption = Annotated[Framework, typer.Option(help="Which implementation.")]
DataOption = Annotated[
    str, typer.Option(help="mini (drawn), hotdog (d2l's archive) or a folder {train,test}/<class>/.")
]
SourceOption = Annotated[
    str,
    typer.Option(
        help="mini, imagenet (MXNet's resnet18_v2), torchvision (its resnet18) or a .pth, .params, .safetensors file. "
        "Default: mini for the drawn images, imagenet for others.",
        show_default=False,
    ),
]
OutOption = Annotated[Path, typer.Option(help="Folder of the run records.")]
DeviceOption = Annotated[Device, typer.Option(help="auto: the GPU where the framework can use it.")]
LimitOption = Annotated[int, typer.Option(help="Use at most N images of each split.", show_default=False)]
WorkersOption = Annotated[int, typer.Option(help="Threads (gluon) or processes (torch) that load images.", min=0)]
SeedOption = Annotated[list[int], typer.Option(help="Give it again to run several.", min=0, max=2**32 - 1)]
Unset = {"show_default": False}


@app.callback(invoke_without_command=True)
def default(
    context: typer.Context,
    framework: FrameworkOption = Framework.both,
    epochs: Annotated[int, typer.Option(**Unset)] = None,
    seed: SeedOption = (0,),
    device: DeviceOption = Device.auto,
    out: OutOption = Path("runs"),
):
    """Without a command: all four experiments on the drawn images, in both frameworks, and what they show."""
    if context.invoked_subcommand:
        stray = [p for p in context.params if context.get_parameter_source(p) is ParameterSource.COMMANDLINE]
        if stray:
            raise UserError(
                f"--{stray[0]} stands before {context.invoked_subcommand}; options of a command come after its name"
            )
        return
    for name in experiments.CHAPTER:
        experiments.experiment(name, num_epochs=epochs)
    from shared import plots

    plan = [(name, {"num_epochs": epochs}, s) for name in experiments.CHAPTER for s in seed]
    plan += [("hotdog-row", {"num_epochs": epochs, "row": experiments.WRONG_ROW}, s) for s in seed]
    folder = runs.new_folder(out, "default")
    datasets.load_dataset("mini")  # draws the images once, before two processes want them
    arguments = (plan, "mini", "mini", None, 0.0, device.value, 0, folder)
    code = run_in_processes(framework.names, arguments, together=True)
    found = [r for r in runs.read_runs(folder) if r.status == "finished"]
    if found:
        console.print()
        print_table(*report.epochs_table(found))
        for sentence in report.sentences(found):
            say(sentence)
        say(f"Picture of the curves: {plots.plot_runs(found, folder / 'curves.png')}")
    say(f"Records and weights: {folder}/")
    sys.exit(code)


@app.command()
def run(
    names: Annotated[
        list[str], typer.Argument(metavar="EXPERIMENT…", help=f"Any of {', '.join(experiments.CHAPTER)}.")
    ],
    framework: FrameworkOption = Framework.both,
    data: DataOption = "mini",
    source: SourceOption = None,
    epochs: Annotated[int, typer.Option(**Unset)] = None,
    lr: Annotated[list[float], typer.Option(help="Learning rate; give it again to try several.", **Unset)] = None,
    head_lr_mult: Annotated[float, typer.Option(help="Rate of the output layer, in multiples.", **Unset)] = None,
    weight_decay: Annotated[float, typer.Option(**Unset)] = None,
    batch_size: Annotated[int, typer.Option(**Unset)] = None,
    size: Annotated[int, typer.Option(help="Side of the crop in pixels.", **Unset)] = None,
    row: Annotated[
        str,
        typer.Option(help="hotdog-row: label or number of the output row (934; the book prints 713).", **Unset),
    ] = None,
    other_row: Annotated[
        str, typer.Option(help=f"hotdog-row: what the other class gets: {', '.join(sources.OTHER_ROWS)}.", **Unset)
    ] = None,
    lock_batch_norm: Annotated[
        bool, typer.Option("--lock-batch-norm", help="frozen: training normalises by the running statistics too.")
    ] = False,
    seed: SeedOption = (0,),
    limit: LimitOption = None,
    holdout: Annotated[
        float, typer.Option(help="Test on this share of the training images instead (to choose rates).")
    ] = 0.0,
    device: DeviceOption = Device.auto,
    workers: WorkersOption = 0,
    out: OutOption = Path("runs"),
):
    """Train and evaluate experiments, one process per framework, and record every run."""
    overrides = {
        "num_epochs": epochs,
        "head_lr_mult": head_lr_mult,
        "weight_decay": weight_decay,
        "batch_size": batch_size,
        "size": size,
        "other_row": other_row,
        "lock_batch_norm": lock_batch_norm or None,
    }
    for name in names:
        experiments.experiment(name)
    if (row is not None or other_row is not None) and set(names) != {"hotdog-row"}:
        raise UserError("--row and --other-row go with the experiment hotdog-row, and with no other")
    if lock_batch_norm and set(names) != {"frozen"}:
        raise UserError("--lock-batch-norm goes with the experiment frozen, and with no other")
    plan = [
        (name, {**overrides, "learning_rate": rate, "row": row}, one_seed)
        for name in names
        for rate in lr or [None]
        for one_seed in seed
    ]
    source = source or default_source(data)
    arguments = (plan, data, source, limit, holdout, device.value, workers, out)
    finished = run_in_processes(framework.names, arguments)
    say(f"Records are in {out}/; `hotdog results --out {out}` shows them side by side.")
    sys.exit(finished)


def default_source(data: str) -> str:
    """The source network for images `data` when none is named."""
    return "mini" if data == "mini" else "imagenet"


def run_in_processes(frameworks: list[str], arguments: tuple, together: bool = False, work=None) -> int:
    """Do `work` (carry_out) for each framework in a process of its own, one after the other. Returns the exit code.

    One framework per process: MXNet keeps threads of its own, and one after the other each gets the whole machine while it is
    timed. together: all at once, the processor's cores shared out among them; thin networks gain little from more than one.
    """
    # glibc gives large blocks back to the system at once, and every training step then asks for its gigabytes anew. Keeping them
    # made a PyTorch step of 64 x 224 px on two cores 1.25 times as fast (processor time, measured with and without).
    settings = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
    if together:
        settings["OMP_NUM_THREADS"] = str(max(1, len(os.sched_getaffinity(0)) // len(frameworks)))
    # spawn: a process forked while MXNet is loaded can hang
    spawn = multiprocessing.get_context("spawn")
    codes = []
    groups = [frameworks] if together else [[framework] for framework in frameworks]
    for group in groups:
        processes = [spawn.Process(target=_child, args=(work or carry_out, f, *arguments, not together)) for f in group]
        # Only this process hears the keyboard, and tells the others; so they hear it once, and have time to save what they have.
        heard = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)}
        new = {setting: value for setting, value in settings.items() if setting not in os.environ}
        os.environ.update(new)  # what a process inherits is what is set when it starts
        try:
            for process in processes:
                process.start()
            for s in heard:
                signal.signal(s, _interrupt)
            for process in processes:
                process.join()
        except KeyboardInterrupt:
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()
            raise
        finally:
            for setting in new:
                del os.environ[setting]
            for s, handler in heard.items():
                signal.signal(s, handler)
        codes += [process.exitcode for process in processes]
        for framework, process in zip(group, processes, strict=True):
            if process.exitcode < 0:
                print(f"hotdog: {framework} was ended by signal {-process.exitcode} (out of memory?)", file=sys.stderr)
        if 2 in codes:
            sys.exit(2)
    return 1 if any(codes) else 0


def _interrupt(number, frame):
    signal.signal(number, signal.SIG_IGN)  # once is enough
    raise KeyboardInterrupt


def _child(work, *arguments):
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(guarded(lambda: work(*arguments), interrupted=""))


def carry_out(framework, plan, data, source, limit, holdout, device, workers, out, bars=True) -> list[runs.Run]:
    """Run every (experiment, overrides, seed) of `plan` on `framework`, in this process, telling the console.

    bars: show a progress bar where the console is a terminal (not for several processes at once).
    """
    dataset = datasets.load_dataset(data, limit, holdout)
    network = sources.load_source(source)
    preset = experiments.preset_of(network)
    planned = [(experiments.experiment(name, preset, **overrides), seed) for name, overrides, seed in plan]
    for experiment, _ in planned:  # all that can be refused is refused before anything is trained
        if experiment.row is not None:
            network.row(experiment.row)
            _ = dataset.hotdog_slot
    return [
        _run_one(framework, experiment, dataset, network, seed, device, workers, out, bars)
        for experiment, seed in planned
    ]


def _run_one(framework, experiment, dataset, source, seed, device, workers, out, bars):
    title = f"{experiment.name:10s} {framework:5s} seed {seed}"
    row = f", row {experiment.row}" if experiment.row is not None else ""
    say(
        f"{title}  lr {experiment.learning_rate:g}{row}, output layer ×{experiment.head_lr_mult:g}, "
        f"{len(dataset.train)} training and {len(dataset.test)} test images at {experiment.size} px, from {source.name}"
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not (bars and console.is_terminal)) as bar:
        task = bar.add_task(title, total=len(dataset.train), visible=False, speed="")

        def show(epoch):
            loss = "" if epoch.train_loss is None else f"  loss {epoch.train_loss:.4f}"
            train = "" if epoch.train_accuracy is None else f"  train {epoch.train_accuracy:.3f}"
            speed = "" if epoch.seconds is None else f"  {epoch.images_per_second:.1f} images/s"
            line = f"{title}  epoch {epoch.epoch}/{experiment.num_epochs}{loss}{train}  test {epoch.test_accuracy:.3f}{speed}"
            say(line)
            bar.reset(task, description=f"{title}  epoch {epoch.epoch + 1}", visible=True)

        record = runs.execute(
            framework,
            experiment,
            dataset,
            source,
            seed,
            device,
            out,
            workers,
            watch=lambda batches: _Watched(batches, bar, task),
            on_epoch=show,
        )
    from shared import plots

    plots.plot_run(record)
    say(f"{title}  {record.folder}")
    return record


class _Watched:
    """Batches that move a progress bar while they are gone through."""

    def __init__(self, batches, bar, task):
        self.batches, self.bar, self.task = batches, bar, task

    def __iter__(self):
        for X, y in self.batches:
            yield X, y
            speed = self.bar.tasks[0].speed
            self.bar.update(self.task, advance=len(y), speed=f"{speed:.0f} images/s" if speed else "")


@app.command()
def results(
    out: OutOption = Path("runs"),
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    plot: Annotated[Path, typer.Option(help="Also draw test accuracy over epochs to this PNG.", **Unset)] = None,
):
    """Show the finished runs, the frameworks side by side; seeds are averaged. images/s and seeds: Gluon / PyTorch."""
    if plot and plot.suffix.lower() != ".png":
        raise UserError(f"--plot {plot}: the picture is a PNG, so name it .png")
    found = [r for r in runs.read_runs(out) if r.status == "finished"] if out.is_dir() else []
    if not found:
        raise UserError(f"no finished runs below {out}: make some with `hotdog run`, or name another --out")
    header, rows = report.results_table(found)
    if markdown:
        print(report.markdown_table(header, rows))
    else:
        print_table(header, rows)
        say("Gluon, PyTorch: test accuracy at epoch 0 → after the last epoch. difference: PyTorch − Gluon.")
    if plot:
        from shared import plots

        say(f"Picture: {plots.plot_runs(found, plot)}")


def print_table(header, rows):
    """Print a table on the console."""
    table = Table()
    for name in header:  # names of files may be long, and hold what rich takes for markup
        table.add_column(escape(name), overflow="fold")
    for line in rows:
        table.add_row(*map(escape, line))
    console.print(table)


RunOption = Annotated[list[Path], typer.Option("--run", help="Folder of a finished run; give it again for more.")]


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…")],
    run: RunOption,
):
    """Print the probability of every class for image files; also by the other framework where its twin run lies beside."""
    for file in images:
        datasets.check_image(file)
    chosen = [runs.read_run(folder) for folder in run]
    columns = ["image"]
    probabilities = []
    for one in with_twins(chosen):
        data, training = (runs.implementation(one.framework, m) for m in ("data", "training"))
        device, _ = training.choose_device("auto")
        try:
            net = runs.trained_net(one)
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


def with_twins(chosen: list[runs.Run]) -> list[runs.Run]:
    """The runs, each followed by its twin: same experiment, data, source and seed, other framework, in the folder beside it.

    Where a twin is among `chosen` already, none is added.
    """

    def twin(a, b):
        return (a.key(), a.seed) == (b.key(), b.seed) and a.framework != b.framework

    paired = []
    for one in chosen:
        paired.append(one)
        if not any(twin(one, other) for other in chosen):
            files = sorted(one.folder.resolve().parent.glob("*/weights.safetensors"))
            folders = {file.parent for file in files}
            beside = [r for r in runs.read_runs(one.folder.resolve().parent) if r.folder in folders]
            paired += [other for other in beside if twin(one, other)][-1:]
    return paired


@app.command()
def evaluate(
    run: RunOption,
    data: Annotated[str, typer.Option(help="Folder <class>/ or {train,test}/<class>/ (test is used), mini or hotdog.")],
    device: DeviceOption = Device.auto,
    workers: WorkersOption = 0,
):
    """Accuracy of finished runs on any other images; the per-image probabilities are written into the run's folder."""
    name, classes, split = datasets.load_test_images(data)
    for one in [runs.read_run(folder) for folder in run]:
        if tuple(one.dataset["classes"]) != classes:
            raise UserError(
                f"{one.folder} knows the classes {', '.join(one.dataset['classes'])}; {data} has {', '.join(classes)}"
            )
        impl, training = (runs.implementation(one.framework, m) for m in ("data", "training"))
        where, _ = training.choose_device(device.value)
        net = runs.trained_net(one)
        batches = impl.test_iter(split, one.experiment["size"], one.experiment["batch_size"], workers)
        probabilities, labels = training.predict_probabilities(net, batches, where)
        file, number = one.folder / f"probabilities-{name}.csv", 1
        while file.exists():  # two folders can have the same name
            number += 1
            file = one.folder / f"probabilities-{name}-{number}.csv"
        runs.write_probabilities(file, classes, split.names, labels, probabilities)
        accuracy = (probabilities.argmax(axis=1) == labels).mean()
        say(
            f"{one.experiment['name']} {one.framework} seed {one.seed}: accuracy {accuracy:.4f} "
            f"on {len(split)} images of {name}; per image: {file}"
        )


@app.command()
def doctor():
    """What is installed, what works, and which device each framework will use and why."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    table = Table("what", "is", "verdict")
    table.add_row("python", platform.python_version(), "")
    for package in ("mxnet", "d2l", "torch", "torchvision", "numpy", "pillow", "matplotlib"):
        try:
            table.add_row(package, version(package), "")
        except PackageNotFoundError:
            table.add_row(package, "missing", "install the project again")
    healthy = True
    for framework in runs.FRAMEWORKS:
        try:
            training = runs.implementation(framework, "training")
            device, reason = training.choose_device("auto")
            table.add_row(f"{framework} device", str(device), reason)
        except Exception as error:
            healthy = False
            table.add_row(framework, "does not work", f"{type(error).__name__}: {reason_of(error)}")
    cache = datasets.cache_folder()
    table.add_row("hotdog archive", "there" if (cache / "hotdog").is_dir() else "not downloaded", str(cache))
    console.print(table)
    sys.exit(0 if healthy else 1)


mini_app = typer.Typer(help="The drawn images and their source network.")
app.add_typer(mini_app, name="mini")


@mini_app.command("build")
def mini_build(
    out: Annotated[Path, typer.Option(help="The file to write; --source takes it.")] = Path("source.safetensors"),
):
    """Draw the source images and train the source network on them, from nothing (minutes on two cores)."""
    from shared.mini import build

    with tempfile.TemporaryDirectory() as scratch:
        say("drawing the source images …")
        build.write_source(Path(scratch) / "source")
        tensors, facts = build.pretrain(Path(scratch) / "source", log=say)
    runs.write_atomically(out, lambda path: build.save(tensors, facts, path))
    say(
        f"{out}: {len(facts['classes'])} classes, {facts['top1']:.3f} of the held-out drawings right, "
        f"{out.stat().st_size / 1e6:.2f} MB, {facts['seconds']:.0f} s of training"
    )


data_app = typer.Typer(help="Look at the images.")
app.add_typer(data_app, name="data")


@data_app.command("show")
def data_show(
    data: Annotated[str, typer.Argument(help="mini, hotdog or a folder {train,test}/<class>/.")] = "mini",
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("contact-sheet.png"),
    count: Annotated[int, typer.Option(help="Images of each class.", min=1)] = 8,
):
    """Write a contact sheet: the first training images of every class."""
    from shared import plots

    dataset = datasets.load_dataset(data)
    say(datasets.describe(dataset))
    say(f"Contact sheet: {plots.contact_sheet(dataset, out, count)}")


@app.command()
def parity(
    names: Annotated[list[str], typer.Argument(metavar="[EXPERIMENT…]", help="All four unless named.")] = None,
    data: DataOption = "mini",
    source: SourceOption = None,
    seeds: Annotated[int, typer.Option(help="Seeds 0 to N - 1, in both frameworks.", min=1)] = 3,
    epochs: Annotated[int, typer.Option(**Unset)] = None,
    size: Annotated[int, typer.Option(help="Side of the crop in pixels.", **Unset)] = None,
    limit: LimitOption = None,
    device: DeviceOption = Device.auto,
    workers: WorkersOption = 0,
    together: Annotated[
        bool, typer.Option("--together", help="Both frameworks at once, the cores shared out (thin networks).")
    ] = False,
    record: Annotated[Path, typer.Option(help="Also write what every run got right to this JSON.", **Unset)] = None,
    out: OutOption = Path("runs"),
):
    """Whether both frameworks reach the same accuracy: from the runs in --out where they are, training what is missing."""
    from shared import parity as equivalence

    source = source or default_source(data)
    dataset, network = datasets.load_dataset(data, limit), sources.load_source(source)
    overrides = {"num_epochs": epochs, "size": size}
    chosen = [
        experiments.experiment(name, experiments.preset_of(network), **overrides)
        for name in names or experiments.CHAPTER
    ]

    def have():
        found = runs.read_runs(out) if out.is_dir() else []
        return equivalence.matching(found, chosen, dataset.fingerprint, network, range(seeds), device.value)

    code = 0
    for frameworks, lacking in equivalence.missing(have(), chosen, range(seeds), together):
        plan = [(name, overrides, seed) for name, seed in lacking]
        arguments = (plan, data, source, limit, 0.0, device.value, workers, out)
        code = run_in_processes(frameworks, arguments, together) or code
    found = list(have().values())
    outcomes = [equivalence.outcome_of(r) for r in found]
    print_table(*equivalence.accuracy_table(equivalence.compare_all(outcomes)))
    for line in equivalence.order_sentences(outcomes) + equivalence.where_they_ran(found):
        say(line)
    if record:
        about = equivalence.about(" ".join(["hotdog", *sys.argv[1:]]), found)
        equivalence.write_record(record, about, outcomes)
        say(f"Record: {record}")
    sys.exit(code)


@app.command()
def diverge(
    names: Annotated[list[str], typer.Argument(metavar="[EXPERIMENT…]", help="finetune and scratch unless named.")] = (
        "finetune",
        "scratch",
    ),
    data: DataOption = "mini",
    source: SourceOption = None,
    steps: Annotated[int, typer.Option(help="Batches to train on, one after the other.", min=1)] = 24,
    lr: Annotated[float, typer.Option(help="Learning rate.", **Unset)] = None,
    batch_size: Annotated[int, typer.Option(**Unset)] = None,
    size: Annotated[int, typer.Option(help="Side of the crop in pixels.", **Unset)] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    limit: LimitOption = None,
    device: DeviceOption = Device.cpu,
    record: Annotated[Path, typer.Option(help="Also write every step to this JSON.", **Unset)] = None,
):
    """How far the frameworks part, step by step: same weights, same batches, in float32 and in float64."""
    from shared import lockstep

    source = source or default_source(data)
    overrides = {"learning_rate": lr, "batch_size": batch_size, "size": size}
    for name in names:
        experiments.experiment(name, **overrides)
    dataset, network = datasets.load_dataset(data, limit), sources.load_source(source)
    chosen = [experiments.experiment(name, experiments.preset_of(network), **overrides) for name in names]
    command = " ".join(["hotdog", *sys.argv[1:]])
    found = lockstep.diverge(
        chosen,
        network,
        dataset,
        steps,
        seed,
        device.value,
        command,
        on_series=lambda one: say(f"{one['experiment']['name']} in {one['name']}: {steps} steps of both"),
    )
    print_table(*lockstep.table(found))
    say(
        "Steps: the gap between the two losses (nats). Weights: their distance as a share of the way they were trained."
    )
    if record:
        lockstep.write_record(record, found)
        say(f"Record: {record}")


@app.command()
def pictures(
    out: Annotated[
        Path, typer.Option(help="Folder of the pictures; default: where README and chapter look.", **Unset)
    ] = None,
):
    """Draw the chapter's pictures, from the records in shared/results and the drawn images."""
    from shared import plots

    for path in plots.chapter_pictures(out or plots.RECORDS / "pictures"):
        say(str(path))


@app.command()
def notebook(
    framework: FrameworkOption = Framework.both,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("notebooks"),
):
    """Write the chapter as a Jupyter notebook per framework, whose cells define the functions that the chapter quotes."""
    from shared.notebook import write_notebook

    for name in framework.names:
        say(f"Notebook: {write_notebook(name, out)}")


@app.command()
def exercise(
    number: Annotated[int, typer.Argument(metavar="1|2|3|4", help="Which of the chapter's exercises.", min=1, max=4)],
    framework: FrameworkOption = Framework.both,
    data: DataOption = "mini",
    source: SourceOption = None,
    seeds: Annotated[int, typer.Option(help="Seeds 0 to N - 1.", min=1)] = 3,
    epochs: Annotated[int, typer.Option(help="Instead of the exercise's own number.", min=1, **Unset)] = None,
    size: Annotated[int, typer.Option(help="Side of the crop in pixels.", **Unset)] = None,
    batch_size: Annotated[int, typer.Option(**Unset)] = None,
    limit: LimitOption = None,
    device: DeviceOption = Device.auto,
    workers: WorkersOption = 0,
    out: OutOption = Path("runs"),
):
    """Answer an exercise with measurements: train what is not recorded yet, write table and picture, print the answer."""
    from shared import exercises
    from shared.parity import where_they_ran

    if number is None:
        raise UserError("which exercise? Give its number, 1 to 4")
    source = source or default_source(data)
    network, dataset = sources.load_source(source), datasets.load_dataset(data, limit)
    fingerprints = {"data": dataset.fingerprint, "source": network.fingerprint}
    if number == 2:
        fingerprints["held out"] = datasets.load_dataset(data, limit, exercises.HOLDOUT).fingerprint
    if number == 4:
        exercises.check_rows(network, dataset)
    folder = out / f"exercise-{number}-{dataset.name}"

    def launch(tasks, holdout):
        count = sum(map(len, tasks.values()))
        say(
            f"exercise {number}: {count} runs to train; their records are kept, so an interrupted exercise goes on where it was"
        )
        # Thin networks gain little from a second core, so both frameworks run at once.
        arguments = (tasks, data, source, limit, holdout, device.value, workers, folder)
        if run_in_processes(list(tasks), arguments, True, _exercise_runs):
            sys.exit(1)

    def inspect(name, frameworks):
        some = bench.experiment("finetune")
        arguments = (name, data, source, limit, some.size, some.batch_size, device.value, workers, folder)
        if run_in_processes(frameworks, arguments, True, _measure):
            sys.exit(1)

    overrides = {key: value for key, value in {"size": size, "batch_size": batch_size}.items() if value is not None}
    bench = exercises.Bench(
        folder,
        experiments.preset_of(network),
        list(range(seeds)),
        framework.names,
        overrides,
        epochs,
        chance=max(map(dataset.test.labels.count, set(dataset.test.labels))) / len(dataset.test),
        fingerprints=fingerprints,
        launch=launch,
        inspect=inspect,
    )
    bench.experiment("finetune")  # refuses what cannot be before anything is trained
    folder.mkdir(parents=True, exist_ok=True)
    found = exercises.EXERCISES[number](bench)
    about = {
        "data": dataset.name,
        "source": network.name,
        "limit": limit,
        "train": len(dataset.train),
        "test": len(dataset.test),
    }
    exercises.write(bench, found, about)
    picture = found.save_picture(folder / "picture.png")
    for caption, header, rows in found.tables:
        console.print()
        say(caption)
        print_table(header, rows)
    for sentence in found.answer:
        say(f"- {sentence}")
    for line in where_they_ran(runs.read_runs(folder)):
        say(line)
    say(f"Tables and answer: {folder}/answer.md, picture: {picture}, records: {folder}/")


def _exercise_runs(framework, *arguments):
    from shared import exercises

    *arguments, _ = arguments
    exercises.train_runs(framework, *arguments, say)


def _measure(framework, *arguments):
    from shared import exercises

    *arguments, _ = arguments
    exercises.measure_features(framework, *arguments)


def guarded(work, interrupted="interrupted; what was recorded so far is kept") -> int:
    """Do `work`; turn its errors into one line on standard error and an exit code."""
    try:
        code = work()
        if code != 130:  # what typer makes of a KeyboardInterrupt
            return 0
    except click.UsageError as error:
        print(f"hotdog: {error.format_message()} (--help shows what there is)", file=sys.stderr)
        return 2
    except UserError as error:
        print(f"hotdog: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, click.Abort):
        pass
    except Exception as error:
        if (
            isinstance(error, OSError) and error.filename
        ):  # a path that the user gave and that cannot be read or written
            print(f"hotdog: {error.filename}: {error.strerror}", file=sys.stderr)
            return 2
        if os.environ.get("HOTDOG_TRACEBACK"):
            raise
        print(
            f"hotdog: failed: {type(error).__name__}: {reason_of(error)} (HOTDOG_TRACEBACK=1 shows where)",
            file=sys.stderr,
        )
        return 1
    if interrupted:
        print(f"hotdog: {interrupted}", file=sys.stderr)
    return 130


def main():
    """Entry point of the `hotdog` command."""
    sys.exit(guarded(lambda: app(standalone_mode=False)))


if __name__ == "__main__":
    main()
