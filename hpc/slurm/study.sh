#!/bin/bash
# A study inside one job; one rank hands out runs: sbatch hpc/slurm/study.sh STUDY.toml DIR [ranks per run]
#SBATCH --job-name=ionsim-study
#SBATCH --ntasks=33
#SBATCH --time=12:00:00
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
# Ten minutes before the time limit the shell gets SIGUSR1 and hands it on: states are written, the exit code is 75.
#SBATCH --signal=B:USR1@600

# source $HOME/ionsim/.venv/bin/activate
study=${1:?study file} out=${2:?folder} ranks=${3:-1}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
cache=${IONSIM_CACHE:-$HOME/ionsim-cache}
export NUMBA_CACHE_DIR=$cache/numba XDG_CACHE_HOME=$cache

# The same command begins a study and goes on with it.
mpiexec -n "$SLURM_NTASKS" ionsim study "$study" --out "$out" --engine mpi --ranks-per-run "$ranks" &
child=$!
trap 'kill -USR1 $child' USR1
trap 'cancelled=yes; kill -TERM $child' TERM
wait $child
code=$?
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
if [ "$code" = 75 ] && [ -z "${cancelled:-}" ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit $code
