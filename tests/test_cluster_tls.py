"""SECURITY.md's recipe: with certificates, as it is printed there, a cluster works for who has one and for nobody else."""

import re
import subprocess

import pytest
from helpers import ROOT, hotdog
from loopback import PATIENCE, Here

from shared.runs.record import read_runs

RECIPE = re.search(r"\n\n((?: {6}.*\n)+)", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))[1]


@pytest.fixture
def certified(tmp_path):
    """The environment that the recipe makes, in a folder with an authority's and our own certificate."""

    def openssl(*command):
        subprocess.run(["openssl", *command], cwd=tmp_path, check=True, capture_output=True)

    try:
        new = ("-newkey", "rsa:2048", "-nodes", "-subj")
        openssl("req", "-x509", *new, "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2")
        openssl("req", *new, "/CN=hotdog", "-keyout", "key.pem", "-out", "request.pem")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
        openssl("x509", "-req", "-in", "request.pem", *signed, "-out", "cert.pem")
    except FileNotFoundError:
        pytest.skip("there is no openssl to make certificates with: apt-get install openssl")
    settings = "\n".join(line for line in RECIPE.splitlines() if "dask scheduler" not in line)
    shown = subprocess.run(["bash", "-c", f"{settings}\nenv"], cwd=tmp_path, check=True, capture_output=True, text=True)
    names = dict(line.split("=", 1) for line in shown.stdout.splitlines() if line.startswith("DASK_"))
    # the recipe stands in the folder of the certificates; these processes do not
    return {name: str(tmp_path / value) if value.endswith(".pem") else value for name, value in names.items()}


@pytest.mark.slow
def test_a_cluster_with_certificates(certified, images, thin_file, tmp_path):
    with Here(tmp_path, certified, ["--protocol", "tls"]) as here:
        assert here.address.startswith("tls://")
        here.worker()
        order = ("run", "finetune", "--framework", "torch", "--epochs", 1, "--size", 32, "--data", images)
        client = here.client(*order, "--source", thin_file, "--out", tmp_path / "runs")
        assert client.wait(PATIENCE) == 0, here.log_of(client)
        assert [run.status for run in read_runs(tmp_path / "runs")] == ["finished"]
        refused = hotdog("cluster", here.address)
        assert refused.returncode == 2 and "no certificate is set for tls" in refused.stderr
        assert refused.stderr.count("\n") == 1 and "Traceback" not in here.log_of(client)
