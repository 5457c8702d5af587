"""Carry out jobs and say so on the console: a line an epoch, a bar on a terminal."""

import sys
from contextlib import nullcontext

from shared.command.console import console, print_report, progress_bar, say
from shared.errors import FailedRun, printable
from shared.runs.answers import write_report
from shared.runs.devices import help_with, helps
from shared.runs.execute import Diverged, execute
from shared.runs.job import Job
from shared.runs.processes import run_in_processes


def launch(jobs: list[Job], together: bool = False, report: bool = False, cluster: str | None = None) -> int:
    """Carry out `jobs`, those of each framework in a process of its own. Returns the exit code.

    report: say of every run what it gets right and wrong, and write its report.png. cluster: address of a Dask scheduler whose
    workers do it instead, or `local`.
    """
    if cluster and jobs:
        return launch_on_cluster(cluster, "report" if report else "run", jobs)
    frameworks = dict.fromkeys(job.framework for job in jobs)
    parts = {f: ([job for job in jobs if job.framework == f], not together, report) for f in frameworks}
    return run_in_processes(carry_out, parts, together)


def launch_on_cluster(address: str, work: str, jobs: list[Job]) -> int:
    """Have a cluster carry out `jobs`, all on the same images and source network, see `run_on_cluster`. Returns the exit code."""
    from shared.runs.cluster import run_on_cluster
    from shared.runs.scheduler import connected, interrupted_line

    dataset, source = jobs[0].load()
    try:
        with connected(address, dict.fromkeys(job.framework for job in jobs)) as client, progress_bar() as progress:
            return run_on_cluster(client, work, jobs, dataset, source, _say_or_complain, progress)
    except KeyboardInterrupt:
        print(interrupted_line(address), file=sys.stderr)
        raise


def _say_or_complain(line, error):
    if error:
        print(printable(line), file=sys.stderr)
    else:
        say(line)


def carry_out(jobs: list[Job], bars: bool = True, report: bool = False):
    """Carry out jobs on the same images and source network, in this process, telling the console.

    bars: show a progress bar where the console is a terminal (not for several processes at once). Raises FailedRun at the end where
    some diverged.
    """
    dataset, source = jobs[0].load()
    diverged = []
    if helps():
        for job in jobs:
            help_with(job, dataset, source)
        return
    for job in jobs:
        try:
            run = _carry_out_one(job, dataset, source, bars and console.is_terminal)
            if report and run.status == "finished":
                print_report(write_report(run, dataset.test))
        except Diverged as error:
            diverged.append(error)
            if len(jobs) > 1:
                say(f"hotdog: {error}")
    if diverged:
        raise diverged[0] if len(jobs) == 1 else FailedRun(f"{len(diverged)} of {len(jobs)} runs diverged")


def _carry_out_one(job, dataset, source, with_bar):
    experiment = job.experiment
    title = f"{experiment.name:10s} {job.framework:5s} seed {job.seed}"
    row = f", row {printable(str(experiment.row))}" if experiment.row is not None else ""
    say(
        f"{title}  lr {experiment.learning_rate:g}{row}, output layer ×{experiment.head_lr_mult:g}, {len(dataset.train)} training "
        f"and {len(dataset.test)} test images at {experiment.size} px, from {printable(source.name)}"
    )
    with _training_bar(title, len(dataset.train)) if with_bar else nullcontext() as bar:

        def show(epoch):
            parts = [f"{title}  epoch {epoch.epoch}/{experiment.num_epochs}"]
            if epoch.train_loss is not None:
                large = not abs(epoch.train_loss) < 1e4
                parts.append(f"loss {epoch.train_loss:{'.3g' if large else '.4f'}}  train {epoch.train_accuracy:.3f}")
            parts.append(f"test {epoch.test_accuracy:.3f}")
            if epoch.images_per_second is not None:
                parts.append(f"{epoch.images_per_second:.1f} images/s")
            say("  ".join(parts))
            if bar:
                bar.reset(bar.task_ids[0], description=f"{title}  epoch {epoch.epoch + 1}", visible=True)

        run = execute(job, dataset, source, watch=lambda batches: _Watched(batches, bar), on_epoch=show)
    from shared.runs.curves import plot_run

    plot_run(run)
    say(f"{title}  {run.folder}")
    return run


def _training_bar(title, total):
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"))
    bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
    bar.add_task(title, total=total, visible=False, speed="")
    return bar


class _Watched:
    """Batches that move a progress bar, where there is one, while they are gone through."""

    def __init__(self, batches, bar):
        self.batches, self.bar = batches, bar

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for X, y in self.batches:
            yield X, y
            if self.bar:
                (task,) = self.bar.tasks
                speed = f"{task.speed:.0f} images/s" if task.speed else ""
                self.bar.update(task.id, advance=len(y), speed=speed)
