#!/bin/bash
# One run on a few ranks: qsub -v DEVICE=hfo2_ti_bipolar,OUT=out hpc/pbs/run.sh        (not tried here)
#PBS -N ionsim
#PBS -l select=1:ncpus=4:mpiprocs=4
#PBS -l walltime=04:00:00
#PBS -j oe

cd "$PBS_O_WORKDIR" || exit 2
# source $HOME/ionsim/.venv/bin/activate
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
cache=${IONSIM_CACHE:-$HOME/ionsim-cache}
export NUMBA_CACHE_DIR=$cache/numba XDG_CACHE_HOME=$cache

mpiexec -n "$(wc -l <"$PBS_NODEFILE")" -f "$PBS_NODEFILE" ionsim run "${DEVICE:?}" --out "${OUT:?}"
