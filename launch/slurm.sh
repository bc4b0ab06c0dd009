#!/usr/bin/env bash
# One training on several machines of a SLURM cluster, as one job:
#
#   sbatch launch/slurm.sh --config=configs/alpha04.py:celeba_folder --config.data.root=/shared/celeba \
#       --config.service.checkpoint=/shared/networks/mini_xception --workdir=/shared/runs/alpha04
#
# What stands behind the script's name goes to python -m qm_vae.main as it is. Options of SLURM go before it and win over
# the lines below: sbatch --nodes=4 --time=08:00:00 launch/slurm.sh ...
#
# Give data and networks as paths that every machine sees. The cache of face crops, of missing services and of compiled
# programs is the home folder's ~/.cache/qm_vae, unless XDG_CACHE_HOME or --config.cache_dir says otherwise; it, too, must
# be the same for all.

#SBATCH --job-name=qm_vae
#SBATCH --nodes=2
# One process for each GPU: under SLURM a process takes the GPU of its own number on the machine. The batch must divide by
# the number of processes.
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
# %j is the job's number, so that no job writes over another's log.
#SBATCH --output=qm_vae-%j.log
# A job that was preempted, or whose machine failed, starts again from the newest checkpoint.
#SBATCH --requeue
#SBATCH --open-mode=append

# A step that fails must not pass for a finished job.
set -euo pipefail

# Where sbatch was called: the repository, whose .venv is used where there is one.
cd "${SLURM_SUBMIT_DIR:?is set by sbatch; start this script with sbatch launch/slurm.sh ...}"
if [[ -f .venv/bin/activate ]]; then
  source .venv/bin/activate
fi

# srun starts the same command for every process, and needs their cores named again. --distributed=auto lets JAX ask SLURM who takes part: process 0, on
# the first machine, is the meeting place, and it alone writes files. Without it every process would train a network
# of its own. --kill-on-bad-exit ends the others as soon as one fails, instead of letting them wait for it.
exec srun --cpus-per-task="$SLURM_CPUS_PER_TASK" --kill-on-bad-exit=1 python -m qm_vae.main --distributed=auto "$@"
