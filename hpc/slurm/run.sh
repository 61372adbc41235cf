#!/bin/bash
# One run on a few ranks: sbatch hpc/slurm/run.sh hfo2_ti_bipolar out       (not tried here)
#SBATCH --job-name=ionsim
#SBATCH --nodes=1
#SBATCH --ntasks=4
#SBATCH --time=04:00:00
#SBATCH --output=%x-%j.log

# source $HOME/ionsim/.venv/bin/activate      # where ionsim is
device=${1:?device file or example} out=${2:?folder}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
cache=${IONSIM_CACHE:-$HOME/ionsim-cache}     # filled by: ionsim prebuild --cache ...
export NUMBA_CACHE_DIR=$cache/numba XDG_CACHE_HOME=$cache

mpiexec -n "$SLURM_NTASKS" ionsim run "$device" --out "$out"
