#!/bin/bash
# A restart chain for one long run: qsub -v DEVICE=hfo2_ti_bipolar,OUT=out hpc/pbs/chain.sh      (not tried here)
# The run stops by itself before the walltime with its state written (exit code 75); the rest is a new job.
#PBS -N ionsim-chain
#PBS -l select=1:ncpus=1:mpiprocs=1
#PBS -l walltime=01:00:00
#PBS -j oe

cd "$PBS_O_WORKDIR" || exit 2
# source $HOME/ionsim/.venv/bin/activate
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
cache=${IONSIM_CACHE:-$HOME/ionsim-cache}
export NUMBA_CACHE_DIR=$cache/numba XDG_CACHE_HOME=$cache

if [ -e "${OUT:?}/run.h5" ]; then
  ionsim resume "$OUT" --stop-after 50m
else
  ionsim run "${DEVICE:?}" --out "$OUT" --stop-after 50m
fi
code=$?
if [ "$code" = 75 ]; then
  qsub -W depend=afterany:"$PBS_JOBID" -v DEVICE="$DEVICE",OUT="$OUT" "$PBS_O_WORKDIR/hpc/pbs/chain.sh"
fi
exit $code
