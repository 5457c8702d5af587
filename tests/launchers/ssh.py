"""A worker on every host, the scheduler on the first: `python ssh.py HOST …`, after `pip install asyncssh`."""

import sys

from distributed import SSHCluster

hosts = sys.argv[1:]
with SSHCluster([hosts[0], *hosts], worker_options={"nthreads": 4, "preload": ["shared.runs.worker"]}) as cluster:
    input(f"hotdog parity --cluster {cluster.scheduler_address}    (Enter ends the workers)\n")
