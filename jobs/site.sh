# shellcheck shell=bash
# The one file to change for a cluster. jobs/submit, every job and the scripts of engram plan --sbatch read it; so can you before a plain sbatch: `source jobs/site.sh; sbatch jobs/sinusoids/job.sbatch`.
# A copy of your own comes before it: beside a copied job, or anywhere if ENGRAM_SITE names it.

# Modules that Engram was built with.
# module load gcc openmpi openblas scalapack hdf5

# What sbatch has to be told. These stand above the #SBATCH lines of a job and below options on sbatch's command line; any option has such a variable (man sbatch).
# export SBATCH_ACCOUNT=project SBATCH_PARTITION=standard SBATCH_QOS=normal

# How ranks are started: srun or mpirun. `srun --mpi=list` shows the kinds of MPI that srun knows; Open MPI wants pmix.
# ENGRAM_MPIRUN names an mpirun that is not the first in the PATH: it must be that of the MPI with which Engram was built (engram --version).
: "${ENGRAM_LAUNCHER:=srun}"
export SLURM_MPI_TYPE=${SLURM_MPI_TYPE:-pmix}

# Where results go: a parallel file system. Unset: build/jobs of a checkout; engram-jobs, in the folder where the job was submitted, of an installation or for a copied job.
# ENGRAM_RESULTS=/scratch/$USER/engram

# The program, unless it is build/engram of this checkout or bin/engram of this installation.
# ENGRAM=$HOME/engram/bin/engram
