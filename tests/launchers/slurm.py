"""Workers as Slurm's jobs: `python slurm.py`, where sbatch is, after `pip install dask-jobqueue`."""

from dask_jobqueue import SLURMCluster

with SLURMCluster(
    cores=4, processes=1, memory="8GB", walltime="04:00:00", worker_extra_args=["--preload", "shared.runs.worker"]
) as cluster:
    cluster.scale(jobs=8)
    input(f"hotdog parity --cluster {cluster.scheduler_address}    (Enter ends the workers)\n")
