"""Commands as one array job of a SLURM cluster, through submitit."""

import pathlib
import subprocess
import time
from collections.abc import Callable

from qm_vae.errors import InputError
from qm_vae.io import progress

_SECONDS_BETWEEN_LOOKS = 5


def run(
  lines: list[list[str]],
  folder: pathlib.Path,
  *,
  partition: str | None = None,
  minutes: int = 60,
  gpus: int = 0,
  cpus: int = 4,
  at_once: int = 1,
  cluster: str = "slurm",
  tell: Callable[[str], None] = print,
) -> list[bool]:
  """Submits the commands and waits for them; a process that is stopped while it waits leaves the jobs running.

  Args:
    lines: each is the arguments of one command, run in the present working directory.
    folder: where submitit keeps scripts and what the jobs print.
    partition: of the cluster; None: its default.
    minutes: after which a job is ended.
    gpus: of each job.
    cpus: of each job.
    at_once: jobs that run at the same time, at most.
    cluster: slurm | local, which starts processes on this machine.
    tell: called with the jobs' numbers.

  Returns:
    Whether each command ended with 0.

  Raises:
    ValueError: when submitit or the cluster is missing.
  """
  try:
    import submitit  # an extra that only clusters need
  except ImportError:
    raise InputError("--runner=slurm needs submitit: pip install -r requirements-slurm.txt") from None
  try:
    executor = submitit.AutoExecutor(folder, cluster=cluster)
  except RuntimeError as error:
    raise InputError(f"{error} --runner=slurm is for a machine that submits to SLURM; elsewhere take local") from None
  executor.update_parameters(
    name="qm_vae", timeout_min=minutes, gpus_per_node=gpus, cpus_per_task=cpus, slurm_array_parallelism=at_once
  )
  if partition:
    executor.update_parameters(slurm_partition=partition)
  jobs = executor.map_array(subprocess.call, lines)
  tell(f"Submitted {len(jobs)} jobs, {jobs[0].job_id} to {jobs[-1].job_id}; what they print is in {folder}.")
  with progress.bar(len(jobs), "jobs", "job") as bar:
    while bar.n < len(jobs):
      bar.update(sum(job.done() for job in jobs) - bar.n)
      time.sleep(_SECONDS_BETWEEN_LOOKS if cluster == "slurm" else 0.1)
  return [_went_well(job) for job in jobs]


def _went_well(job):
  try:
    return job.result() == 0
  except Exception:  # submitit raises what the job raised, and its own errors for jobs that were ended
    return False
