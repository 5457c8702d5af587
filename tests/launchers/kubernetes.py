"""Workers as pods, by Dask's operator: `python kubernetes.py IMAGE`, after `pip install dask-kubernetes`."""

import sys

from dask_kubernetes.operator import KubeCluster

with KubeCluster(
    name="hotdog", image=sys.argv[1], n_workers=8, env={"DASK_DISTRIBUTED__WORKER__PRELOAD": '["shared.runs.worker"]'}
) as cluster:
    input(f"hotdog parity --cluster {cluster.scheduler_address}    (Enter ends the workers)\n")
