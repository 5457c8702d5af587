"""Exercise 5: which way to transfer, with how many images? A measured table instead of a rule of thumb.

Trained: every strategy on 50, 200, 1,000 and all training images, after a search among three rates for each, judged on a fifth of
the training images that is held out. The searches are shared out among the frameworks, whose runs with one seed are pairs.
Measured beforehand: what LEEP and LogME say of the source network.
"""

from dataclasses import dataclass, replace

from shared.exercises.bench import Bench
from shared.exercises.intervals import difference, each, end_of_sweep, one_digit, over_seeds, t_interval
from shared.exercises.report import Table
from shared.exercises.tuning import FACTORS, HOLDOUT, SETTLED, settled
from shared.runs.frameworks import NAMES
from shared.runs.tables import mean, plural, show

TITLE = "Which strategy when?"
# What is compared: nothing transferred, all trained, next to nothing trained, and the ways in between.
STRATEGIES = {
    "scratch": {},
    "finetune": {},
    "frozen-locked": {},
    "partial": {},
    "gradual": {},
    "discriminative": {"schedule": "warmup-cosine"},  # both at once, as courses recommend it
}
SIZES = (50, 200, 1000)
SEEDS = 1  # unless more are asked for; the search always has one
ALL = None  # as a size: all training images


@dataclass(frozen=True)
class Numbers:
    """What the runs gave, by (strategy, size); size is a number of training images, ALL for all `images` of them.

    searched: {(strategy, size): {rate: held-out accuracy}}. accuracy: {(strategy, size): {framework: test accuracy a seed}} at
    the rate that did best, mean of the last three epochs. scores: {framework: {"leep", "logme"}} of the source network.
    """

    frameworks: list[str]
    seeds: list[int]
    epochs: int
    images: int
    searched: dict
    accuracy: dict
    scores: dict

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self.accuracy))

    @property
    def sizes(self) -> list[int | None]:
        return list(dict.fromkeys(size for _, size in self.accuracy))

    def chosen(self, name: str, size: int | None) -> float:
        """The rate that did best on held-out images; of equals the lowest."""
        rates = self.searched[name, size]
        return max(sorted(rates), key=rates.get)

    def best(self, f: str, size: int | None) -> str:
        """The strategy with the highest mean test accuracy."""
        return max(self.names, key=lambda name: mean(self.accuracy[name, size][f]))

    def said(self, size: int | None) -> str:
        return f"all {self.images}" if size is ALL else str(size)


def measure(bench: Bench) -> Numbers:
    """Search a rate for every strategy and size, and train with what was found."""
    scores = bench.measurement("transferability")
    epochs = {"num_epochs": bench.epochs} if bench.epochs else {}
    sizes = [*(size for size in SIZES if size < bench.images), ALL]
    arms = {
        (name, size): bench.experiment(name, train_images=size, **STRATEGIES[name], **epochs)
        for size in sizes
        for name in bench.names(list(STRATEGIES))
    }
    length = next(iter(arms.values())).num_epochs
    candidates = {
        key: [replace(arm, learning_rate=one_digit(arm.learning_rate * factor)) for factor in FACTORS]
        for key, arm in arms.items()
    }
    order = list(STRATEGIES)
    by = {
        (name, size): bench.frameworks[(order.index(name) + sizes.index(size)) % len(bench.frameworks)]
        for name, size in candidates
    }
    only = {one: by[key] for key, some in candidates.items() for one in some}
    tried = bench.train(list(only), HOLDOUT, bench.seeds[:1], only=only)
    searched = {
        key: {one.learning_rate: settled(tried[one][by[key]][0], length) for one in some}
        for key, some in candidates.items()
    }
    numbers = Numbers(bench.frameworks, bench.seeds, length, bench.images, searched, {}, scores)
    tuned = {key: replace(arm, learning_rate=numbers.chosen(*key)) for key, arm in arms.items()}
    runs = bench.train(list(tuned.values()))
    accuracy = {
        key: {f: [settled(run, length) for run in runs[arm][f]] for f in bench.frameworks} for key, arm in tuned.items()
    }
    return replace(numbers, accuracy=accuracy)


# --- tables ---


def tables(n: Numbers) -> list[Table]:
    """The rates that were searched, and the accuracy of every strategy by size."""
    last = min(SETTLED, n.epochs)
    return [
        Table(
            f"The rate that did best of three on the {HOLDOUT:.0%} of the training images that were held out for the search, and "
            "its accuracy there; one seed, in one of the frameworks.",
            ["strategy", *map(n.said, n.sizes)],
            [[name, *(_rate(n, name, size) for size in n.sizes)] for name in n.names],
        ),
        Table(
            f"Test accuracy by the number of training images, mean of the last {last} of {plural(n.epochs, 'epoch')} "
            f"({over_seeds(n.seeds)}).",
            ["strategy", *(f"{NAMES[f]}, {n.said(size)}" for size in n.sizes for f in n.frameworks)],
            [
                [name, *(str(t_interval(n.accuracy[name, size][f])) for size in n.sizes for f in n.frameworks)]
                for name in n.names
            ],
        ),
    ]


def _rate(n, name, size):
    rate = n.chosen(name, size)
    end = {"": "", "the lowest rate tried": ", lowest", "the highest rate tried": ", highest"}
    return f"{rate:g} ({n.searched[name, size][rate]:.3f}{end[end_of_sweep(rate, list(n.searched[name, size]))]})"


# --- answer ---

AHEAD = {"positive": "ahead", "undecided": "undecided", "negative": "behind"}


def answer(n: Numbers) -> list[str]:
    """Which strategy does best at each size, what transfer is worth there, and what was said beforehand."""
    fs = n.frameworks
    sentences = [
        f"With {n.said(size)} training images {each(fs, lambda f, size=size: _best(n, f, size))}." for size in n.sizes
    ]
    few, many = n.sizes[0], n.sizes[-1]
    if "scratch" in n.names and few != many:
        sentences.append(
            f"Fine-tuning less from scratch, in points: with {n.said(few)} images {each(fs, lambda f: _gap(n, f, few))}; with "
            f"{n.said(many)} {each(fs, lambda f: _gap(n, f, many))}."
        )
    said = "; ".join(
        f"{name} {each(fs, lambda f, key=key: show(n.scores[f][key], '.3f'))}" for name, key in SCORES.items()
    )
    return [*sentences, f"Beforehand, of the source network on all {n.images} training images: {said}."]


SCORES = {"LogME": "logme", "LEEP": "leep"}


def _best(n, f, size):
    """The best strategy, and the others that it is not told from, or with one seed the second."""
    best = n.best(f, size)
    others = sorted((o for o in n.names if o != best), key=lambda o: -mean(n.accuracy[o, size][f]))
    text = f"{best} does best ({mean(n.accuracy[best, size][f]):.3f}"
    if not others:
        return f"{text})"
    gap = difference(n.accuracy[best, size][f], n.accuracy[others[0], size][f])
    return f"{text}; {others[0]} is {gap.in_points()} points behind, {AHEAD[gap.sign].replace('ahead', 'decided')})"


def _gap(n, f, size):
    gap = difference(n.accuracy["finetune", size][f], n.accuracy["scratch", size][f])
    return f"{gap.in_points()} ({AHEAD[gap.sign]})"


# --- picture ---


def draw(figure, n: Numbers):
    """A heat map a framework: strategies by sizes, the accuracy in every field."""
    panels = figure.subplots(1, len(n.frameworks), squeeze=False)[0]
    values = {f: [[mean(n.accuracy[name, size][f]) for size in n.sizes] for name in n.names] for f in n.frameworks}
    everything = [value for rows in values.values() for row in rows for value in row]
    low, high = min(everything), max(everything)
    for panel, f in zip(panels, n.frameworks, strict=True):
        shown = panel.imshow(values[f], cmap="viridis", vmin=low, vmax=max(high, low + 1e-3), aspect="auto")
        for i, row in enumerate(values[f]):
            for j, value in enumerate(row):
                dark = value < (low + high) / 2
                panel.text(
                    j, i, f"{value:.3f}", ha="center", va="center", color="white" if dark else "black", fontsize=9
                )
        panel.set(xticks=range(len(n.sizes)), xticklabels=[n.said(size) for size in n.sizes], xlabel="training images")
        panel.set(yticks=range(len(n.names)), yticklabels=n.names if panel is panels[0] else [], title=NAMES[f])
    figure.colorbar(shown, ax=list(panels), label="test accuracy")
