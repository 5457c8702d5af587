"""Records of runs are read through one schema: old ones as they were, unknown entries kept, bad ones refused in one line."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest
from helpers import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import UserError
from shared.experiments import Experiment, completed, translated
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.record import SCHEMA, Run, read_probabilities, read_run, read_runs
from shared.runs.schema import Framework, parse

COMMITTED = sorted((ROOT / "shared" / "results").glob("**/run.json"))


def a_record(**other) -> dict:
    """The oldest of the committed records, as it lies there, with `other` entries."""
    return json.loads((COMMITTED[0]).read_text()) | other


def keep(folder, record):
    """Write `record` (a dict, or the text of one) as the run.json of `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(record if isinstance(record, str) else json.dumps(record))
    return folder


def test_every_committed_record_reads_as_it_is_written():
    assert len(COMMITTED) >= 500
    for path in COMMITTED:
        written = json.loads(path.read_text())
        run = read_run(path.parent)
        for key, value in written.items():
            if key == "experiment":  # what was not there yet was as it is by default
                assert run.experiment == dataclasses.asdict(Experiment(value["name"])) | translated(value)
            elif key != "schema":
                assert getattr(run, key) == value, f"{path}: {key}"
        if "draws" not in written:
            assert run.draws == "own"


def test_a_record_written_again_keeps_what_this_version_does_not_know(tmp_path):
    epochs = [epoch | {"energy_joule": 3} for epoch in a_record()["epochs"]]
    device = a_record()["device"] | {"temperature": [40, 41]}
    experiment = a_record()["experiment"] | {"precision": "bf16"}
    future = {
        "schema": SCHEMA + 1,
        "author": {"name": "Ada"},
        "device": device,
        "epochs": epochs,
        "experiment": experiment,
    }
    run = read_run(keep(tmp_path, a_record(**future)))
    run.save()
    again = json.loads((tmp_path / "run.json").read_text())
    for key, value in future.items():
        assert again[key] == (completed(value) if key == "experiment" else value)
    assert read_run(tmp_path) == run


def changed(path, value):
    """`a_record` with the entry at `path`, a tuple of keys and positions, set to `value`; ABSENT leaves it out."""
    record = a_record()
    *above, last = path
    place = record
    for key in above:
        place = place[key]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return record


ABSENT = object()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("epochs",), [], "finished with 0 epochs"),
        (("epochs",), {}, "epochs is {}"),
        (("epochs", 1, "epoch"), 7, "not 0, 1, 2"),
        (("epochs", 1, "test_accuracy"), 1.5, "epochs.1.test_accuracy is 1.5"),
        (("epochs", 1, "test_accuracy"), None, "no test accuracy"),
        (("epochs", 1, "test_accuracy"), ABSENT, "no entry 'epochs.1.test_accuracy'"),
        (("epochs", 1, "train_loss"), -1.0, "epochs.1.train_loss is -1.0"),
        (("epochs", 1, "images_per_second"), "fast", 'images_per_second is "fast"'),
        (("dataset",), None, "dataset is null"),
        (("dataset", "classes"), ["hotdog"], "dataset.classes"),
        (("dataset", "classes"), ["hotdog", "hotdog"], "same name"),
        (("dataset", "train"), 0, "dataset.train is 0"),
        (("dataset", "test"), 10**400, "dataset.test is 1000"),
        (("dataset", "name"), "", 'dataset.name is ""'),
        (("dataset", "name"), "x" * 10_000, "dataset.name is"),
        (("source", "row"), "3", 'source.row is "3"'),
        (("device",), [], "device is []"),
        (("device", "cores"), True, "device.cores is true"),
        (("versions",), {"torch": 2}, "versions.torch is 2"),
        (("experiment",), ABSENT, "no entry 'experiment'"),
        (("seed",), ABSENT, "no entry 'seed'"),
        (("process",), {"pid": 10**30}, "process.pid is 1000000000"),
        (("experiment", "name"), ABSENT, "no entry 'experiment.name'"),
        (("experiment", "size"), "64", 'experiment.size is "64"'),
        (("experiment", "size"), 8, "size is 8"),
        (("experiment", "learning_rate"), -1, "learning_rate is -1"),
        (("experiment", "frozen"), 0, "experiment.frozen is 0"),
        (("experiment", "trained_from"), "top", "trained_from has 'top'"),
        (("experiment", "trained_from"), "stem output", "go down"),
        (("framework",), "os", 'framework is "os"'),
        (("seed",), -1, "seed is -1"),
        (("seed",), 2**32, "seed is 4294967296"),
        (("seed",), 1.0, "seed is 1.0"),
        (("status",), "done", 'status is "done"'),
        (("draws",), "ours", 'draws is "ours"'),
        (("schema",), 0, "schema is 0"),
        (("schema",), "2", 'schema is "2"'),
        (("started",), 3, "started is 3"),
    ],
)
def test_a_wrong_entry_is_named_in_one_line(path, value, words, tmp_path):
    record = a_record()
    record.setdefault("draws", "own")
    with pytest.raises(UserError) as refused:
        read_run(keep(tmp_path, changed(path, value)))
    (line,) = str(refused.value).splitlines()
    assert words in line and line.startswith(f"{tmp_path / 'run.json'} is no run record: ")
    assert len(line) < len(str(tmp_path)) + 300


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "[" * 100_000, '{"seed": NaN}', '{"seed": 1e999}', '{"a": "\\ud800"}', "\x00"]
)
def test_what_is_no_json_object_is_refused_in_one_line(text, tmp_path):
    with pytest.raises(UserError, match="is no run record: [^\n]*$"):
        read_run(keep(tmp_path, text))


def test_what_a_newer_version_wrote_says_so(tmp_path):
    with pytest.raises(UserError, match=f"newer version .schema {SCHEMA + 1}, this one knows {SCHEMA}"):
        read_run(keep(tmp_path, a_record(schema=SCHEMA + 1, seed={"data": 1, "order": 2})))


def test_a_pipe_for_a_record_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(UserError, match="no regular file"):
        read_run(tmp_path)


def test_bad_records_cost_a_line_each_and_hide_no_good_one(tmp_path, capsys):
    keep(tmp_path / "good", a_record())
    for number, (path, value) in enumerate([(("epochs",), []), (("dataset",), None), (("experiment", "size"), "64")]):
        keep(tmp_path / f"bad{number}", changed(path, value))
    (run,) = read_runs(tmp_path)
    assert run.folder == tmp_path / "good"
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all(line.startswith("hotdog: left out: ") for line in lines)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
shares = st.floats(0, 1)


@st.composite
def runs(draw):
    epochs = [
        {
            "epoch": i,
            "train_loss": draw(st.none() | st.floats(0, 1e300)),
            "train_accuracy": draw(st.none() | shares),
            "test_accuracy": draw(shares),
            "seconds": draw(st.none() | st.floats(0, 1e6)),
            "images_per_second": draw(st.none() | st.floats(1e-3, 1e6)),
        }
        for i in range(draw(st.integers(1, 4)))
    ]
    experiment = Experiment(draw(texts), learning_rate=draw(st.floats(0, 1e6)), num_epochs=len(epochs) - 1)
    return {
        "experiment": experiment.as_dict(),
        "framework": draw(st.sampled_from(FRAMEWORKS)),
        "seed": draw(st.integers(0, 2**32 - 1)),
        "dataset": {
            "name": draw(texts),
            "classes": draw(st.lists(texts, min_size=2, max_size=4, unique=True)),
            "train": draw(st.integers(1, 10**6)),
            "test": draw(st.integers(1, 10**6)),
            "tested_on": draw(texts),
            "fingerprint": draw(texts),
        },
        "source": {
            "name": draw(texts),
            "architecture": draw(texts),
            "fingerprint": "f",
            "row": None,
            "row_label": None,
        },
        "device": {
            "used": draw(texts),
            "why": draw(texts),
            "gpu": None,
            "cpu": draw(texts),
            "cores": draw(st.integers(1, 99)),
        },
        "versions": draw(st.dictionaries(texts, texts, max_size=3)),
        "status": draw(st.sampled_from(["running", "finished", "failed", "interrupted"])),
        "epochs": epochs,
        "more": draw(st.dictionaries(texts.map("later {}".format), st.none() | st.integers() | texts, max_size=2)),
    }


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs())
def test_whatever_a_run_holds_comes_back_from_its_record(tmp_path, facts):
    run = Run(folder=tmp_path, **facts)
    run.save()
    assert read_run(tmp_path) == run


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_is_an_object_or_refused(value):
    text = json.dumps(value)
    try:
        assert parse(text) == value and isinstance(value, dict)
    except ValueError as error:
        assert not isinstance(value, dict) or "is no number in JSON" in str(error)


def test_the_schema_knows_the_frameworks():
    assert Framework.__args__ == FRAMEWORKS


def test_records_are_not_checked_before_one_is_read():
    code = "import sys, shared.command.__main__; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.", "nan"),
        ("0.", "7."),
        ("hotdog", "burger"),
        ("\n", "\x00\n"),
        (",0.", ",x0."),
        ('"', ""),
        ("image,", "image,extra,"),
    ],
)
def test_damaged_probabilities_are_refused_in_one_line(old, new, tmp_path):
    whole = next(p.parent for p in COMMITTED if (p.parent / "test_probabilities.csv").is_file())
    run = read_run(whole)
    text = (whole / "test_probabilities.csv").read_text()
    run.folder = tmp_path
    (tmp_path / "test_probabilities.csv").write_text(text)
    assert len(read_probabilities(run)[0]) == run.dataset["test"]
    if old == '"':  # a quotation that never ends
        old, new = text.splitlines()[1], '"' + text.splitlines()[1]
    (tmp_path / "test_probabilities.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=r"test_probabilities.csv is damaged \([^\n]*\): delete its folder"):
        read_probabilities(run)
