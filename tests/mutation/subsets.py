"""Which tests judge which module: few and fast, the likeliest to notice first, for the first that fails ends a mutant.

Paths and options for pytest, in its order. Where nothing of `tests/parity/conftest.py` is needed, it is left out, for it brings in
both frameworks; tests/conftest.py is named as a plugin then.
"""

WITHOUT_PARITY = ["--noconftest", "-p", "conftest"]
SURVIVORS = "tests/test_survivors.py"


def _properties(*names):
    return [f"tests/test_properties.py::test_{name}" for name in names]


def _parity(*names, properties=()):
    return [*WITHOUT_PARITY, SURVIVORS, *(f"tests/parity/test_parity_{name}.py" for name in names), *properties]


ARCHITECTURES = _properties(
    "an_architecture_is_recognised_from_its_tensors",
    "names_go_there_and_back_and_no_two_are_alike",
    "a_network_is_found_under_any_librarys_names_behind_any_prefix_in_any_order",
    "a_network_with_a_tensor_less_or_of_another_shape_is_refused_by_its_name",
)
EQUIVALENCE = _properties(
    "welchs_and_the_paired_estimate_are_scipys",
    "a_wider_margin_takes_no_equivalence_back_and_it_begins_at_the_smallest",
    "the_family_counts_whether_or_not_its_experiments_were_run",
)
# The whole ladder on a shallow network, in both frameworks.
LADDER = ["tests/parity/test_parity_catches_faults.py::test_parity_holds_without_a_fault"]
FILES = [*WITHOUT_PARITY, SURVIVORS, *ARCHITECTURES, "tests/test_names.py", "tests/test_sources.py"]
FOREIGN = [*FILES, "tests/test_torch_files.py", "tests/test_gluon_files.py", "tests/test_formats.py"]
FAMILY = "tests/test_residual_family.py"
NETS = ["tests/test_sources.py", FAMILY, *LADDER]
DEVICES = ["tests/test_choice_of_device.py", "tests/parity/test_parity_devices.py::test_parity_holds_on_other_devices"]
TRAINING = [DEVICES[0], "tests/test_resume.py", "tests/test_runs.py", DEVICES[1]]
RUNS = "not killed and not interrupted and not kill_9"
STEPS = "test_survivors or the_record_says or float32_parts or a_table_row or finite or exact_rates"  # no pictures

TABLE = {
    "shared/parity/accuracies.py": _parity("verdicts"),
    "shared/parity/agreement.py": _parity("agreement", "verdicts"),
    "shared/parity/comparisons.py": [*_parity("verdicts"), "-k", "survivors or record"],
    "shared/parity/cross_execution.py": [*WITHOUT_PARITY, SURVIVORS],
    "shared/parity/design.py": _parity("tost", "planning", "verdicts", properties=EQUIVALENCE),
    "shared/parity/divergence.py": [*WITHOUT_PARITY, SURVIVORS, "tests/test_pictures.py", "-k", STEPS],
    "shared/parity/families.py": ["tests/test_families.py"],
    "shared/parity/lockstep.py": [SURVIVORS, "tests/test_pictures.py", *LADDER, "-k", f"{STEPS} or without_a_fault"],
    "shared/parity/outcomes.py": _parity("verdicts", "agreement"),
    "shared/parity/planning.py": _parity("planning"),
    "shared/parity/plans.py": [*_parity("verdicts"), "-k", "survivors or plan or look"],
    "shared/parity/tables.py": _parity("verdicts", "agreement"),
    "shared/parity/tensors.py": _parity("statistics"),
    "shared/parity/tost.py": _parity("tost", "verdicts", properties=EQUIVALENCE),
    "shared/networks/architecture.py": [*FILES, FAMILY],
    "shared/networks/finding.py": FOREIGN,
    "shared/networks/formats.py": FOREIGN,
    "shared/networks/gluon_files.py": [*WITHOUT_PARITY, SURVIVORS, "tests/test_gluon_files.py", "tests/test_sources.py"],
    "shared/networks/names.py": FOREIGN,
    "shared/networks/numbered_names.py": [*WITHOUT_PARITY, SURVIVORS, *ARCHITECTURES, "tests/test_gluon_files.py"],
    "shared/networks/numpy_aliases.py": [*WITHOUT_PARITY, SURVIVORS, "tests/test_numpy_aliases.py"],
    "shared/networks/reading.py": FOREIGN,
    "shared/networks/rows.py": [*WITHOUT_PARITY, SURVIVORS, "tests/test_sources.py"],
    "shared/networks/source.py": FILES,
    "shared/networks/stored.py": FOREIGN,
    "shared/networks/torch_files.py": [*WITHOUT_PARITY, SURVIVORS, "tests/test_torch_files.py", "tests/test_sources.py"],
    "shared/networks/transferability.py": [*WITHOUT_PARITY, "tests/test_transferability.py"],
    "shared/networks/writing.py": [*WITHOUT_PARITY, SURVIVORS, "tests/test_export.py", "-k", "not ONNX and not onnx"],
    "shared/networks/zoos.py": [*WITHOUT_PARITY, SURVIVORS, "tests/test_zoos.py"],
    "shared/images/draws.py": [*WITHOUT_PARITY, "tests/test_properties.py", "tests/test_draws.py"],
    "gluon_impl/nets.py": [*NETS, "-k", "not torch"],
    "torch_impl/nets.py": [*NETS, "-k", "not gluon"],
    "gluon_impl/training.py": [*TRAINING, "-k", f"not torch and {RUNS}"],
    "torch_impl/training.py": [*TRAINING, "-k", f"not gluon and {RUNS}"],
}  # fmt: skip
