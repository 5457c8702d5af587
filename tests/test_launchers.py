"""README's recipes for workers on other machines, each started as a user starts it; what hands out machines is pretended.

Slurm is a script that runs what it is given. SSH is real, on loopback. Kubernetes checks what would be sent to it.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from helpers import ROOT, hotdog

RECIPES = ROOT / "tests" / "launchers"
PATIENCE = 120  # seconds for what takes few
SBATCH = """#!/bin/sh
# There is room for one job, the others wait for ever.
mkdir "$0.begun" 2>/dev/null && { cp "$1" "$0.script"; setsid sh "$0.script" > "$0.log" 2>&1 & }
echo Submitted batch job 1
"""


@contextlib.contextmanager
def launched(recipe, *arguments, **environment):
    """The address that a recipe prints; it is ended as a user ends it, and has to end without complaint."""
    process = subprocess.Popen(
        [sys.executable, str(RECIPES / recipe), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("hotdog parity --cluster "), process.communicate("\n", timeout=PATIENCE)[1]
        yield line.split()[3]
        _, errors = process.communicate("\n", timeout=PATIENCE)
        assert process.returncode == 0, errors
    finally:
        process.kill()
        process.wait()


def workers_at(address, wanted):
    """What `hotdog cluster` prints, once there are so many workers with both frameworks."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        done = hotdog("cluster", address)
        assert done.returncode == 0, done.stderr
        if done.stdout.count("Gluon, PyTorch") == wanted:
            return done.stdout
        time.sleep(0.5)
    raise AssertionError(done.stdout)


def test_slurm_starts_workers_that_say_what_they_have(tmp_path):
    for name, text in (("sbatch", SBATCH), ("scancel", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    with launched("slurm.py", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}") as address:
        workers_at(address, 1)
    script = (tmp_path / "sbatch.script").read_text()
    assert "#SBATCH --cpus-per-task=4" in script and "#SBATCH -t 04:00:00" in script
    assert "--preload shared.runs.worker" in script and "--nthreads 4" in script


@pytest.fixture
def loopback(tmp_path):
    """An SSH server on loopback, with keys of its own; the HOME in which `ssh loopback` reaches it."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if not sshd:
        pytest.skip("there is no SSH server to be reached by: apt-get install openssh-server")
    if os.getuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # where sshd, run by root, wants to go
    keys = tmp_path / ".ssh"
    keys.mkdir(mode=0o700)
    for name in ("host", "own"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    (keys / "known_hosts").write_text(f"[127.0.0.1]:{port} {(keys / 'host.pub').read_text()}")
    (keys / "config").write_text(
        f"Host loopback\n HostName 127.0.0.1\n Port {port}\n IdentityFile {keys / 'own'}\n"
        f" UserKnownHostsFile {keys / 'known_hosts'}\n"
    )
    settings = ["StrictModes no", "UsePAM no", f"AuthorizedKeysFile {keys / 'own.pub'}", f"PidFile {keys / 'pid'}"]
    (keys / "sshd_config").write_text("\n".join([f"HostKey {keys / 'host'}", "ListenAddress 127.0.0.1", *settings, ""]))
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen([sshd, "-D", "-e", "-p", str(port), "-f", keys / "sshd_config"], stderr=log)
    try:
        time.sleep(0.5)
        assert server.poll() is None, (tmp_path / "log").read_text()
        yield tmp_path
    finally:
        server.terminate()
        server.wait()


@pytest.mark.slow
def test_ssh_starts_workers_on_every_host(loopback):
    with launched("ssh.py", "loopback", "loopback", HOME=str(loopback)) as address:
        workers_at(address, 2)


def without_nulls(value):
    """As Kubernetes reads it, which leaves out what is null before it compares with a description."""
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def test_kubernetes_would_be_given_workers_with_the_preload(monkeypatch, capsys):
    """What the recipe asks for, held against the operator's own description of what it takes."""
    operator = pytest.importorskip(
        "dask_kubernetes.operator",
        reason="dask-kubernetes is needed for this recipe alone and not among the pins: uv run --with dask-kubernetes==2026.3.0 …",
    )
    import runpy
    from pathlib import Path

    import jsonschema
    import yaml

    asked = {}

    class Pretended:
        scheduler_address = "tcp://10.0.0.1:8786"

        def __init__(self, **more):
            asked.update(more)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(operator, "KubeCluster", Pretended)
    monkeypatch.setattr("builtins.input", print)
    monkeypatch.setattr(sys, "argv", ["kubernetes.py", "an/image"])
    runpy.run_path(str(RECIPES / "kubernetes.py"))
    assert "--cluster tcp://10.0.0.1:8786" in capsys.readouterr().out
    spec = operator.make_cluster_spec(**asked)
    crds = Path(operator.__file__).parent / "deployment" / "helm" / "dask-kubernetes-operator" / "crds"
    resource = yaml.safe_load((crds / "daskcluster.yaml").read_text(encoding="utf-8"))
    schema = resource["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    jsonschema.validate(without_nulls(spec), schema)
    (worker,) = spec["spec"]["worker"]["spec"]["containers"]
    assert worker["image"] == "an/image" and spec["spec"]["worker"]["replicas"] == 8
    assert {"name": "DASK_DISTRIBUTED__WORKER__PRELOAD", "value": '["shared.runs.worker"]'} in worker["env"]
