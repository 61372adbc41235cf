#!/bin/bash
# A restart chain for one long run: sbatch hpc/slurm/chain.sh hfo2_ti_bipolar out
# Before its time limit the run writes its state and stops (exit code 75), and the job goes back into the queue.
#SBATCH --job-name=ionsim-chain
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --time=01:00:00
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@300

# source $HOME/ionsim/.venv/bin/activate
device=${1:?device file or example} out=${2:?folder}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
cache=${IONSIM_CACHE:-$HOME/ionsim-cache}
export NUMBA_CACHE_DIR=$cache/numba XDG_CACHE_HOME=$cache

if [ -e "$out/run.h5" ]; then
  mpiexec -n "$SLURM_NTASKS" ionsim resume "$out" &
else
  mpiexec -n "$SLURM_NTASKS" ionsim run "$device" --out "$out" &
fi
child=$!
trap 'kill -USR1 $child' USR1
trap 'cancelled=yes; kill -TERM $child' TERM
wait $child
code=$?
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
if [ "$code" = 75 ] && [ -z "${cancelled:-}" ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit $code
