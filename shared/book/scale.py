"""How far it goes: README's section on what a cluster and several devices cost, from records and the model in scaling.py."""

from pathlib import Path
from statistics import mean, median

import matplotlib

from shared.book.measured import (
    PARTS,
    Measured,
    read_measured,
    recorded_lengths,
    run_costs,
    seconds_of_step,
    step_cost,
    usual_gap,
)
from shared.book.quotes import RECORDS
from shared.book.recorded import PICTURES, finished, machine
from shared.book.scaling import HALF, ring, server, speedup_of_runs, speedup_of_steps, stops_paying, time_of_runs
from shared.parity.design import ENDPOINT_EPOCHS, MARGIN
from shared.runs.figures import FONT, WIDTH, new_figure, save_figure
from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.tables import markdown_table, plural

RUNS, WORKERS = 1000, (1, 4, 10, 50, 100)
DEVICES, COUNTS = 64, (2, 8, 32)
GBIT = {1: 1e9, 10: 1e10, 100: 1e11}
FASTER = 100  # an assumption, not measured: a device that computes as many times as fast as one core here, as a GPU may
ENGINES = {
    "gloo": "PyTorch: processes, gloo",
    "contexts": "Gluon: contexts of one process",
    "dist_sync": "Gluon: processes, kvstore and one server",
}
NETWORKS = {"drawings": "the drawings' network", "resnet18": "ResNet-18"}
BATCHES = {"drawings": 32, "resnet18": 128}  # as the experiments have them

WHERE = (
    "{machine} One thread for each process; the median of {rounds}. The load of the machine was {least:.1f} to "
    "{most:.1f} meanwhile, its own processes counted: where that is more than its {cores} cores, processes waited for "
    "a core, as four devices always do here."
)
RUNS_SAID = (
    "Between two runs lie {gap:.2f} s on a worker and {gap_alone:.2f} s in `hotdog run` alone; beside its runs the "
    "command takes {once:.1f} s and {once_alone:.1f} s, for starting, and for connecting and sending on a cluster. "
    "Every run sent {each} over the network ({home} are files: record, probabilities, weights, pictures; these "
    "workers saw neither our storage nor our images), every further worker {worker}. Images and source network travel "
    "once to each worker: {images} and {source} for all of the drawings. For every run the client computes "
    "{client:.3f} s and the scheduler {scheduler:.3f} s, which no further worker makes less."
)
RUNS_CALCULATED = "{runs:,} runs, calculated from that and from the length of a recorded run:"
STEPS_SAID = (
    "The gradients of ResNet-18 are {gradients}. A ring sends 2 (n − 1) / n times that from each of n devices; a "
    "kvstore sends it to its server and back."
)
LINE_SAID = (
    "On an imitated line of 1 Gbit/s two devices needed {measured:.2f} s for adding up by {engine} (calculated: "
    "{wanted:.2f} s)."
)
STEPS_CALCULATED = (
    "Calculated from that, with computing in processor seconds, which nobody else's work lengthens: how many times as "
    "fast several devices are as one on the same batches, and up to how many of them each is worth at least half of "
    "one alone. A device {faster} times as fast is an assumption. No device is without an image, so a batch of 32 has "
    "no more than 32 parts; and every part is normalised by itself, which two images do badly."
)
BATCHES_SAID = (
    "More devices pay only where the batch has enough for all of them, and a batch cannot grow for ever. `finetune` "
    "on the drawings, the rate in proportion to the batch: mean test accuracy of the last {epochs} epochs, mean of "
    "{seeds} with shared draws, so that every run has its pair. Up to {largest} no run lost more than {margin:g} "
    "points against {least}: that is what so few runs can say, no test."
)


def how_far(path: Path = RECORDS / "scale.json") -> str:
    """The README's section, in Markdown."""
    measured = read_measured(path)
    loads = [row["load"] for row in measured.rows]
    where = WHERE.format(
        machine=machine(measured.about, measured.about["versions"]),
        rounds=plural(len({row["round"] for row in measured.rows}), "round"),
        least=min(loads),
        most=max(loads),
        cores=measured.about["cores"],
    )
    picture = f"![How many times as fast {RUNS:,} runs are on workers, and one run on devices]({PICTURES}/scale.png)"
    parts = [where, runs_measured(measured), many_runs(measured), steps_measured(measured), many_devices(measured)]
    return "\n\n".join([*parts, picture, batches()])


# --- many runs ---


def runs_measured(measured: Measured) -> str:
    """What a cluster adds to a run."""
    many = measured.counts[1]
    header = [
        f"{many} short runs",
        "seconds in all",
        "to the first run",
        "between two runs of a worker",
        "after the last",
    ]
    rows = []
    for workers in sorted({row["workers"] for row in measured.of(kind="runs")}):
        turn = {"kind": "runs", "workers": workers, "runs": many}
        times = [measured.median(value, **turn) for value in ("seconds", "first", usual_gap, "last")]
        name = f"on {plural(workers, 'worker')}" if workers else "by `hotdog run` alone"
        rows.append([name, *(f"{seconds:.2f}" for seconds in times)])
    alone, cost = run_costs(measured)
    said = RUNS_SAID.format(
        gap=cost.gap,
        gap_alone=alone.gap,
        once=cost.first + cost.last,
        once_alone=alone.first + alone.last,
        each=size(measured.further("sent")),
        home=size(measured.median("home_bytes", kind="runs", workers=1, runs=many)),
        worker=size(measured.further_worker("sent")),
        images=size(measured.about["images_bytes"]),
        source=size(measured.about["source_bytes"]),
        client=measured.further("client"),
        scheduler=measured.further("scheduler"),
    )
    return f"{markdown_table(header, rows)}\n\n{said}"


def many_runs(measured: Measured) -> str:
    """How long RUNS runs take on a cluster, and beyond how many workers half of each is idle."""
    alone, cost = run_costs(measured)
    names = [plural(workers, "worker") for workers in WORKERS]
    header = ["a run", f"{RUNS:,} without a cluster", *names, "worth it up to"]
    rows = []
    for what, seconds in recorded_lengths().items():

        def ratio(workers, seconds=seconds):
            return speedup_of_runs(RUNS, workers, seconds, cost, alone)

        times = {workers: time_of_runs(RUNS, workers, seconds, cost) for workers in WORKERS}
        cells = [f"{duration(time)} ({ratio(workers):.1f} ×)" for workers, time in times.items()]
        without = duration(time_of_runs(RUNS, 1, seconds, alone))
        rows.append([f"{what}, {duration(seconds)}", without, *cells, plural(stops_paying(ratio, RUNS), "worker")])
    return f"{RUNS_CALCULATED.format(runs=RUNS)}\n\n{markdown_table(header, rows)}"


# --- one run, several devices ---


def steps_measured(measured: Measured) -> str:
    """What adding up gradients costs in a step; and on an imitated line, beside what the model says of it."""
    header = [
        "by",
        "trains",
        "devices",
        "seconds a step",
        "computing",
        "waiting",
        "adding up",
        "share",
        "sent by a device",
    ]
    rows = []
    for engine, name in ENGINES.items():
        for network, what in NETWORKS.items():
            for devices in sorted({row["devices"] for row in measured.of(engine=engine, network=network)}):
                rows.append([name, what, str(devices), *_step_cells(measured, engine, network, devices)])
    said = STEPS_SAID.format(gradients=size(step_cost(measured, "resnet18").gradients))
    return "\n\n".join([markdown_table(header, rows), " ".join([said, *line_sentences(measured)])])


def _step_cells(measured, engine, network, devices):
    turn = {"engine": engine, "network": network, "devices": devices}
    turn["batch"] = max(row["batch"] for row in measured.of(**turn))
    parts = {part: measured.median(part, **turn) for part in PARTS}
    share = measured.median(lambda row: row["exchange"] / seconds_of_step(row), **turn)
    sent = [row["bytes"] for row in measured.of(**turn) if row["bytes"]] if engine != "contexts" and devices > 1 else []
    return [
        f"{measured.median(seconds_of_step, **turn):.3f}",
        f"{parts['compute'] + parts['rest']:.3f}",
        f"{parts['wait']:.3f}",
        f"{parts['exchange']:.4f}",
        f"{share:.0%}",
        size(median(sent) / devices) if sent else "–",
    ]


def line_sentences(measured: Measured) -> list[str]:
    """What was measured on an imitated line, and what the model says of it."""
    said = []
    for engine, how in (("gloo", ring), ("dist_sync", server)):
        if rows := measured.of(engine=engine, line=GBIT[1]):
            cost = step_cost(measured, rows[0]["network"])
            wanted = how(rows[0]["devices"], cost, rows[0]["line"]) + cost.packing
            found = median(row["exchange"] for row in rows)
            said.append(LINE_SAID.format(measured=found, engine=ENGINES[engine], wanted=wanted))
    return said


def cases(measured: Measured):
    """(what is trained, on what, its batch, its cost) of which the model is asked."""
    for network, what in NETWORKS.items():
        cost = step_cost(measured, network)
        pixels = measured.of(kind="steps", network=network)[0]["size"]
        for device, one in (("a core of this machine", cost), (f"{FASTER} times as fast", cost.faster(FASTER))):
            yield f"{what}, {pixels} px", device, BATCHES[network], one


def many_devices(measured: Measured) -> str:
    """How many times as fast a run is on several devices, and where more of them stop paying."""
    header = [
        "trains",
        "each device",
        "batch",
        "Gbit/s",
        *(f"{n} devices" for n in COUNTS),
        "ring: up to",
        "one server: up to",
    ]
    rows = []
    for what, device, batch, cost in cases(measured):
        for gbit, line in GBIT.items():
            most = min(DEVICES, batch)

            def ratio(n, how=ring, batch=batch, cost=cost, line=line):
                return speedup_of_steps(n, batch, cost, line, how)

            worth = (stops_paying(ratio, most), stops_paying(lambda n, ratio=ratio: ratio(n, server), most))
            cells = [f"{ratio(n):.1f} ×" for n in COUNTS] + [f"{n} of {most}" for n in worth]
            rows.append([what, device, str(batch), str(gbit), *cells])
    return f"{STEPS_CALCULATED.format(faster=FASTER)}\n\n{markdown_table(header, rows)}"


# --- the batch ---


def batches() -> str:
    """How large a batch may be, at a rate in proportion: accuracies of recorded pairs of runs."""
    by_size = {}
    for run in finished("batches"):
        by_size.setdefault(run.experiment["batch_size"], {})[run.framework, run.seed] = run
    least, largest = min(by_size), None
    header = ["batch", "learning rate", *NAMES.values(), f"against {least}, points", f"within {100 * MARGIN:g} points"]
    rows = []
    for count, runs in sorted(by_size.items()):
        changes = [_endpoint(run) - _endpoint(by_size[least][key]) for key, run in runs.items()]
        fine = sum(change > -MARGIN for change in changes)
        largest = count if fine == len(changes) else largest
        rate = next(iter(runs.values())).experiment["learning_rate"]
        ends = [mean(_endpoint(run) for (f, _), run in runs.items() if f == framework) for framework in FRAMEWORKS]
        row = [str(count), f"{rate:g}", *(f"{end:.3f}" for end in ends)]
        compared = [
            f"{100 * min(changes):+.1f} to {100 * max(changes):+.1f}",
            f"{fine} of {plural(len(changes), 'run')}",
        ]
        rows.append([*row, *(compared if count != least else ("", ""))])
    seeds = plural(len({seed for _, seed in by_size[least]}), "seed")
    said = BATCHES_SAID.format(epochs=ENDPOINT_EPOCHS, seeds=seeds, largest=largest, margin=100 * MARGIN, least=least)
    return f"{markdown_table(header, rows)}\n\n{said}"


def _endpoint(run):
    return mean(epoch["test_accuracy"] for epoch in run.epochs[-ENDPOINT_EPOCHS:])


# --- the picture ---


@matplotlib.rc_context(FONT)
def plot_scale(path: Path, record: Path = RECORDS / "scale.json") -> Path:
    """Write how many times as fast many runs are on workers, and one run on devices, as one picture. Returns `path`."""
    measured = read_measured(record)
    alone, cost = run_costs(measured)
    figure = new_figure(WIDTH, 3.9)
    left, right = figure.subplots(1, 2)
    counts = sorted({round(10 ** (i / 100)) for i in range(301)})  # 1 to 1,000
    for (what, seconds), colour in zip(recorded_lengths().items(), ("#d55e00", "#0072b2"), strict=True):
        ratios = [speedup_of_runs(RUNS, workers, seconds, cost, alone) for workers in counts]
        left.plot(counts, ratios, color=colour, label=f"{what}, {duration(seconds)} a run")
    what, _, batch, one = list(cases(measured))[-1]
    for (gbit, line), colour in zip(GBIT.items(), ("#cc79a7", "#e69f00", "#009e73"), strict=True):
        for how, style, name in ((ring, "-", "ring"), (server, "--", "one server")):
            ratios = [speedup_of_steps(n, batch, one, line, how) for n in range(1, DEVICES + 1)]
            right.plot(range(1, DEVICES + 1), ratios, style, color=colour, label=f"{gbit} Gbit/s, {name}")
    right.set(xlabel=f"devices, each {FASTER} times a core here", title=f"one run: {what}, batch {batch}")
    left.set(xlabel="workers", ylabel="times as fast as one", title=f"{RUNS:,} runs")
    for panel, ticks in ((left, (1, 10, 100, 1000)), (right, (1, 2, 4, 8, 16, 32, 64))):
        last = ticks[-1]
        panel.fill_between([1, last], [HALF, HALF * last], 0.1, color="#eeeeee", linewidth=0)
        box = {"facecolor": "#eeeeee", "edgecolor": "none", "pad": 1}
        words = {"fontsize": 7.5, "ha": "right", "color": "#555555", "zorder": 3, "bbox": box}
        panel.text(last**0.97, HALF * 1.1, "each worth less than half of one", **words)
        panel.plot([1, last], [1, last], color="#777777", linewidth=0.8)
        panel.set(xscale="log", yscale="log", xlim=(1, last), ylim=(HALF, last))
        panel.set(xticks=ticks, xticklabels=ticks, yticks=ticks, yticklabels=ticks)
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.legend(loc="upper left", frameon=False, fontsize=7.5)
    save_figure(figure, path)
    return path


def size(count: float) -> str:
    """A number of bytes, in words."""
    for unit, bytes_of in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= bytes_of:
            return f"{count / bytes_of:.1f} {unit}"
    return f"{count:.0f} bytes"


def duration(seconds: float) -> str:
    """A time, in words."""
    for unit, seconds_of in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * seconds_of:
            return f"{seconds / seconds_of:.1f} {unit}"
    return f"{seconds:.0f} s"
