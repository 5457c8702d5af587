"""The exercises' answers in chapter.md, from the records in `results/exercises/`."""

import json

from shared.book.quotes import RECORDS
from shared.book.recorded import PICTURES, machine
from shared.exercises.bench import recorded
from shared.exercises.index import EXERCISES
from shared.exercises.report import Report, report_on
from shared.images.draws import SHARED
from shared.runs.record import read_runs


def exercise(number: int) -> str:
    """Tables, answer and picture of exercise `number` on the drawn images."""
    report = recorded_report(number, "mini")
    picture = f"![{report.title}]({PICTURES}/exercise-{number}.png)"
    return f"{report.markdown()}\n\n{_made_on(number, 'mini')}\n\n{picture}"


def exercise_on_photographs(number: int) -> str:
    """The answer of exercise `number` on a part of the photographs; its tables are folded away."""
    report = recorded_report(number, "photographs")
    return (
        f"**On photographs.** {_made_on(number, 'photographs')} Other work ran on the machine meanwhile.\n\n"
        f"{report.answer_in_markdown()}\n\n"
        f"<details><summary>tables</summary>\n\n{report.tables_in_markdown()}\n\n</details>"
    )


def recorded_report(number: int, images: str) -> Report:
    """The report of exercise `number` on `mini` or `photographs`, from its records."""
    return report_on(EXERCISES[number], recorded(_folder(number, images)))


def _folder(number, images):
    return RECORDS / "exercises" / f"exercise-{number}-{images}"


def _made_on(number, images):
    """Images, batches, source network, draws and machine of an exercise's runs."""
    folder = _folder(number, images)
    about, run = json.loads((folder / "exercise.json").read_text(encoding="utf-8")), read_runs(folder)[0]
    paired = " Runs with the same seed share initial output layer, order and views." if run.draws == SHARED else ""
    return (
        f"{about['train']} training and {about['test']} test images at {run.experiment['size']} pixels, batches of "
        f"{run.experiment['batch_size']}, source network {run.source['name']}.{paired} {machine(run.device, run.versions)}"
    )
