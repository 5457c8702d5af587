"""Files that MXNet writes: by each of its functions, in both modes, in each of its binary layouts; and damaged ones."""

import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers import THIN, random_tensors

from shared.errors import UserError
from shared.networks.architecture import Architecture
from shared.networks.gluon_files import read_ndarray_list, read_npz
from shared.networks.names import canonical_from_gluon, gluon_from_canonical
from shared.networks.reading import load_source

WRITER = Path(__file__).with_name("write_with_mxnet.py")
KINDS = [(mode, v, block) for mode in ("classic", "numpy") for v in (1, 2) for block in ("BasicBlock", "Bottleneck")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """{mode: folder} of what MXNet writes in that mode, each in a process of its own."""
    made = {mode: tmp_path_factory.mktemp(mode) for mode in ("classic", "numpy")}
    for mode, folder in made.items():
        done = subprocess.run([sys.executable, WRITER, folder, mode], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
    return made


@pytest.fixture(params=KINDS, ids=lambda kind: "-".join(map(str, kind)))
def written(request, folders):
    """(folder of files, version, {canonical name: array} that they hold)"""
    mode, version, block = request.param
    folder = folders[mode] / f"{version}-{block}"
    return folder, version, {canonical_from_gluon(n, version): t for n, t in np.load(folder / "expected.npz").items()}


def test_whatever_mxnet_writes_is_read_by_name(written):
    folder, version, expected = written
    files = sorted(set(folder.glob("*.params")) - {folder / "without_names.params", folder / "other_dtypes.params"})
    assert len(files) >= 8
    for file in files:
        source = load_source(str(file))
        features = {n: t for n, t in expected.items() if file.stem != "features" or n.startswith("features.")}
        assert source.architecture.version == version
        assert source.tensors.keys() == features.keys(), file.name
        assert all(np.array_equal(source.tensors[n], t) for n, t in features.items()), file.name
        assert source.architecture.classes == (0 if file.stem == "features" else 5)
        assert bool(source.notes) == (file.stem == "features"), file.name


def test_other_float_types_are_converted_and_said_so(written):
    folder, _, expected = written
    source = load_source(str(folder / "other_dtypes.params"))
    assert {t.dtype.name for t in source.tensors.values()} == {"float32"}
    for name, tensor in source.tensors.items():
        np.testing.assert_allclose(tensor, expected[name], rtol=1e-3, atol=1e-4)
    assert any("float16" in note for note in source.notes) and any("float64" in note for note in source.notes)


def test_files_without_names_or_weights_are_refused_by_name(written):
    folder, _, _ = written
    with pytest.raises(UserError, match="0 names"):
        load_source(str(folder / "without_names.params"))
    for file in (*folder.glob("*.states"),):
        with pytest.raises(UserError, match="optimizer states"):
            load_source(str(file))
    with pytest.raises(UserError, match="description of a network.*net-0000.params"):
        load_source(str(folder / "export-symbol.json"))


# NDArray::Save of the versions that cannot be installed any more, as src/ndarray/ndarray.cc documents them.
def _array(array, layout):
    magic = {"V1": 0xF993FAC8, "V2": 0xF993FAC9, "V3": 0xF993FACA}.get(layout)
    head = b"" if magic is None else struct.pack("<I", magic)
    if layout in ("V2", "V3"):
        head += struct.pack("<i", 0)  # storage type: dense
    size = "I" if magic is None else "q"
    head += struct.pack(f"<I{array.ndim}{size}", array.ndim, *array.shape)
    flag = {"float32": 0, "float64": 1, "float16": 2, "int32": 4, "bfloat16": 12}[
        "bfloat16" if array.dtype == "u2" else array.dtype.name
    ]
    return head + struct.pack("<iii", 1, 0, flag) + array.tobytes()  # the CPU, number 0


def _list(arrays, layout):
    head = struct.pack("<QQQ", 0x112, 0, len(arrays))
    names = b"".join(struct.pack("<Q", len(n.encode())) + n.encode() for n in arrays)
    return head + b"".join(_array(a, layout) for a in arrays.values()) + struct.pack("<Q", len(arrays)) + names


def test_all_binary_layouts_are_read_and_mxnet_agrees_with_the_bytes(tmp_path):
    tensors = random_tensors(Architecture(2, channels=THIN, classes=5))
    named = {gluon_from_canonical(name, 2): tensor for name, tensor in tensors.items()}
    files = [tmp_path / f"{layout}.params" for layout in ("none", "V1", "V2", "V3")]
    for file in files:
        file.write_bytes(_list(named, file.stem))
        source = load_source(str(file))
        assert all(np.array_equal(source.tensors[name], tensors[name]) for name in tensors)
    # MXNet reads all of them too: V3 only under NumPy shapes.
    code = (
        "import sys, gluon_impl, mxnet, numpy\n"
        "for file in sys.argv[1:]:\n"
        "    mxnet.util.set_np_shape(file.endswith('V3.params'))\n"
        "    numpy.savez(file + '.npz', **{k: v.asnumpy() for k, v in mxnet.nd.load(file).items()})\n"
    )
    subprocess.run([sys.executable, "-c", code, *map(str, files)], check=True, capture_output=True)
    for file in files:
        theirs = np.load(f"{file}.npz")
        assert set(theirs) == set(named) and all(np.array_equal(theirs[name], named[name]) for name in named)


def test_bfloat16_is_the_upper_half_of_a_float32(tmp_path):
    tensors = random_tensors(Architecture(1, channels=THIN, classes=5))
    bits = {gluon_from_canonical(n, 1): (t.view("u4") >> 16).astype("u2") for n, t in tensors.items()}
    (tmp_path / "bf16.params").write_bytes(_list(bits, "V2"))
    source = load_source(str(tmp_path / "bf16.params"))
    for name, tensor in tensors.items():
        np.testing.assert_allclose(source.tensors[name], tensor, rtol=2**-7)
    assert "bfloat16" in source.notes[0]


@pytest.mark.parametrize("prefix", ("", "arg:"), ids=("save_parameters", "export"))
@pytest.mark.parametrize("version", (1, 2))
def test_mxnet_2_writes_a_zip_of_arrays(prefix, version, tmp_path):
    tensors = random_tensors(Architecture(version, channels=THIN, classes=5))
    with zipfile.ZipFile(tmp_path / "net.params", "w") as archive:
        for name, tensor in tensors.items():
            prefix = prefix and ("aux:" if "running" in name else "arg:")
            with archive.open(f"{prefix}{gluon_from_canonical(name, version)}.npy", "w") as file:
                np.lib.format.write_array(file, tensor)
    source = load_source(str(tmp_path / "net.params"))
    assert all(np.array_equal(source.tensors[name], tensors[name]) for name in tensors)


def test_gluoncv_names_are_read_where_the_network_is_the_same(tmp_path):
    tensors = random_tensors(Architecture(1, channels=THIN, classes=5))
    named = {gluon_from_canonical(name, "1b"): tensor for name, tensor in tensors.items()}
    (tmp_path / "v1b.params").write_bytes(_list(named, "V2"))
    source = load_source(str(tmp_path / "v1b.params"))
    assert all(np.array_equal(source.tensors[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize(
    "names, what",
    (
        (("conv1.0.weight", "conv1.1.gamma", "layer1.0.conv1.weight"), "deep stem"),
        (("resnetv1s_conv0_weight", "resnetv1s_conv1_weight", "resnetv1s_layers1_conv0_weight"), "deep stem"),
        (("features.4.0.body.0.weight", "features.4.0.se.0.weight"), "squeeze-and-excitation"),
        (("features.1.0.body.0.weight", "features.2.0.body.0.weight"), "small images"),
        (("features.0.weight", "features.31.weight", "output.weight"), "VGG"),
        (("bn_data_gamma", "stage1_unit1_conv1_weight", "fc1_weight"), "symbol ResNet"),
        (("densenet0_conv0_weight", "densenet0_stage1_denseblock0_weight"), "DenseNet"),
    ),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_networks_are_refused_by_what_they_are(names, what, tmp_path):
    (tmp_path / "other.params").write_bytes(_list(dict.fromkeys(names, np.zeros((2, 2, 3, 3), "f4")), "V2"))
    with pytest.raises(UserError, match=what):
        load_source(str(tmp_path / "other.params"))


def test_the_scale_that_gluon_ignores_is_read_as_one_and_said_so(tmp_path):
    tensors = random_tensors(Architecture(2, channels=THIN, classes=5))
    named = {gluon_from_canonical(name, 2): tensor.copy() for name, tensor in tensors.items()}
    named["features.0.gamma"][:] = 3
    (tmp_path / "net.params").write_bytes(_list(named, "V2"))
    source = load_source(str(tmp_path / "net.params"))
    assert (source.tensors["features.bn0.weight"] == 1).all()
    assert "features.0.gamma" in source.notes[0]


def test_damaged_lists_never_do_more_than_be_refused(tmp_path):
    arrays = {"a": np.arange(6, dtype="f4").reshape(2, 3), "b": np.zeros(4, "f4")}
    rng, refused = np.random.default_rng(0), 0
    for layout in ("none", "V1", "V2", "V3"):
        whole, file = _list(arrays, layout), tmp_path / "damaged.params"
        for trial in range(150):
            damaged = bytearray(whole[: rng.integers(9, len(whole))] if trial % 3 == 0 else whole)
            for _ in range(rng.integers(1, 4)):
                damaged[rng.integers(8, len(damaged))] = rng.choice([0, 1, 2, 127, 128, 255])
            file.write_bytes(damaged)
            try:
                for tensor in read_ndarray_list(file).values():
                    tensor.read()
            except UserError as error:
                assert "\n" not in str(error)
                refused += 1
    assert refused > 200


@pytest.mark.parametrize(
    "change, message",
    (
        (lambda whole: whole[:-3], "cut short"),
        (lambda whole: whole[:16] + struct.pack("<Q", 1 << 60) + whole[24:], "header speaks of"),
        (lambda whole: whole.replace(b"\1\0\0\0\0\0\0\0b", b"\1\0\0\0\0\0\0\0a"), "two arrays that are called a"),
        (lambda whole: whole[:32] + struct.pack("<I", 1 << 30) + whole[36:], "dimensions"),
    ),
    ids=("shortened", "count", "names", "dimensions"),
)
def test_what_is_wrong_with_a_list_is_said(change, message, tmp_path):
    whole = _list({"a": np.zeros((2, 3), "f4"), "b": np.zeros(4, "f4")}, "V2")
    (tmp_path / "damaged.params").write_bytes(change(whole))
    with pytest.raises(UserError, match=message):
        load_source(str(tmp_path / "damaged.params"))


def test_a_zip_cannot_hold_code_or_lie_about_its_size(tmp_path):
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="Python objects"):
        read_npz(tmp_path / "objects.npz")
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    with zipfile.ZipFile(tmp_path / "lie.npz", "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header) + 1) + header + b"\n")
    with pytest.raises(UserError, match="does not fit"):
        read_npz(tmp_path / "lie.npz")
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("a.npy", "no array")
    with pytest.raises(UserError, match="no .npy file"):
        read_npz(tmp_path / "text.npz")
