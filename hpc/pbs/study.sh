#!/bin/bash
# A study inside one job; one rank hands out runs: qsub -v STUDY=STUDY.toml,OUT=DIR hpc/pbs/study.sh   (not tried here)
#PBS -N ionsim-study
#PBS -l select=2:ncpus=17:mpiprocs=17
#PBS -l walltime=12:00:00
#PBS -j oe

cd "$PBS_O_WORKDIR" || exit 2
# source $HOME/ionsim/.venv/bin/activate
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
cache=${IONSIM_CACHE:-$HOME/ionsim-cache}
export NUMBA_CACHE_DIR=$cache/numba XDG_CACHE_HOME=$cache

# PBS warns with SIGTERM too late for large states; so the study stops by itself, 15 minutes before its walltime.
mpiexec -n "$(wc -l <"$PBS_NODEFILE")" -f "$PBS_NODEFILE" \
  ionsim study "${STUDY:?}" --out "${OUT:?}" --engine mpi --ranks-per-run "${RANKS:-1}" --stop-after 11h45m
code=$?
# 75: the rest in a new job, which begins when this one has ended.
if [ "$code" = 75 ]; then
  qsub -W depend=afterany:"$PBS_JOBID" -v STUDY="$STUDY",OUT="$OUT",RANKS="${RANKS:-1}" "$PBS_O_WORKDIR/hpc/pbs/study.sh"
fi
exit $code
