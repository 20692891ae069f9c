# shellcheck shell=bash
# What all jobs share: how to train. To be sourced by jobs/NAME/run, which then reads the same by hand and in a batch job of Slurm:
#   . "$shared/job.sh"
#   job_begin "$0" RANKS
#   job_train "$here/CONFIG" OUT [engram options]
#   job_plot OUT
#   job_check "$#" "$here/check" OUT
#
# By hand a job starts anew each time, under mpirun. In a batch job (jobs/NAME/job.sbatch) it goes on where it was: what is done is skipped, what was stopped
# is resumed; stopped by its time limit or by SIGUSR1, it puts itself into the queue again, as long as each turn saves something.

# What a script's own head says of it, asked for by --help anywhere on its line: job.sh is read with that line.
for job_word in "$@"; do
  if [[ $job_word == --help || $job_word == -h ]]; then sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; exit; fi
done

# Tools are beside the folder of jobs, or, where that is a copy, with the program.
for job_tools in "$(dirname "${BASH_SOURCE[0]}")/../tools" "$(dirname "$(realpath "$(command -v "${ENGRAM:-engram}")" 2>/dev/null)")"/../{share/engram/,}tools ''; do
  if [[ -f $job_tools/mpi-env ]]; then break; fi
done
if [[ ! $job_tools ]]; then echo "${BASH_SOURCE[0]}: Engram's tools/mpi-env is not beside this copy: put the program on the PATH, or name it: ENGRAM=PREFIX/bin/engram" >&2; exit 2; fi
# shellcheck source=tools/mpi-env
. "$job_tools/mpi-env"

# job_wrong WORD MORE NAME...: ends the job for a word of its line that is none of these names, nor what MORE says besides ('' or ', a number of seeds').
job_wrong() {
  local word=$1 more=$2 near names
  shift 2
  near=$(nearest_name "$job_tools" "$word" "$@") names=$(printf ', %s' "$@")
  echo "$0: '$word' is not one of the words that are allowed here: ${names:2}$more${near:+; did you mean $near?}" >&2
  exit 2
}

# job_ranks WORD: ends the job unless it is a number of ranks.
job_ranks() { if [[ ! $1 =~ ^[1-9][0-9]{0,5}$ ]]; then echo "$0: '$1' is no number of ranks, from 1 to 999999; options of engram come behind it, and begin with -" >&2; exit 2; fi; }

job_in_batch() { [[ ${SLURM_JOB_ID-} && ${ENVIRONMENT-} == BATCH ]]; }

# This job as scontrol takes it: the number of an array's task may stand for the whole array.
job_id() { if [[ ${SLURM_ARRAY_JOB_ID-} ]]; then echo "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"; else echo "$SLURM_JOB_ID"; fi; }

# job_begin SCRIPT RANKS: sets here, root, engram and results (tools/mpi-env says what they are), and ranks, which in a batch job are those of the job; in a member of an array also
# member (/seed_7) and seed (-P simulation.seed=7), for jobs that make of an array the same training from several seeds.
job_begin() {
  job_folders "$1"
  # shellcheck disable=SC2034
  ranks=$2 member='' seed=()
  if job_in_batch; then job_begin_batch; else mpi_env "$ranks"; fi
  if ! command -v "$engram" >/dev/null; then echo "no program $engram: build it, or name another one (ENGRAM), for jobs of Slurm in jobs/site.sh" >&2; exit 2; fi
  job_folder_free "$results"
}

# job_folder_free FOLDER: ends the job where a file stands in the way of that folder.
job_folder_free() {
  local way=$1
  until [[ -e $way || -L $way || $way != */* ]]; do way=${way%/*}; done
  if [[ (-e $way || -L $way) && ! -d $way ]]; then echo "$0: results go to $1 (ENGRAM_RESULTS), but $way is no folder; give another one" >&2; exit 2; fi
}

# job_site FOLDER: reads what is of the site: the file that ENGRAM_SITE names, else site.sh in the job's folder or beside it, else that of the jobs that came with the program. What starts from
# here reads the same one.
job_site() {
  local file
  if [[ ${ENGRAM_SITE-} && ! -f $ENGRAM_SITE ]]; then echo "ENGRAM_SITE: there is no file '$ENGRAM_SITE'" >&2; exit 2; fi
  for file in "${ENGRAM_SITE-}" "$1/site.sh" "$1/../site.sh" "$(dirname "${BASH_SOURCE[0]}")/site.sh" "$job_tools/../jobs/site.sh"; do
    if [[ -f $file ]]; then
      ENGRAM_SITE=$(realpath "$file")
      export ENGRAM_SITE
      # shellcheck source=jobs/site.sh
      . "$file"
      break
    fi
  done
  export SLURM_MPI_TYPE=${SLURM_MPI_TYPE:-pmix}
  : "${ENGRAM_LAUNCHER:=srun}"
}

# shellcheck disable=SC2034 # they are for the script
job_begin_batch() {
  job_site "$here"
  engram=${ENGRAM:-$engram} results=${ENGRAM_RESULTS:-$results} ranks=${SLURM_NTASKS:-1}
  if [[ ${SLURM_ARRAY_TASK_ID-} ]]; then member=/seed_$SLURM_ARRAY_TASK_ID seed=(-P "simulation.seed=$SLURM_ARRAY_TASK_ID"); fi
  job_child='' job_signalled='' job_advanced=''
  trap job_forward USR1
  export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
  echo "== $(date '+%F %T')  job $(job_id), turn $((${SLURM_RESTART_COUNT:-0} + 1)): ${SLURM_NTASKS:-?} tasks on ${SLURM_JOB_NODELIST-?}, started by $ENGRAM_LAUNCHER"
  job_bind
}

# How ranks are started: on a core of their own each; or, where there are not enough (a test on a laptop), as ranks that give way to each other.
job_bind() {
  local tasks=${SLURM_TASKS_PER_NODE-1} cores bind=core
  tasks=${tasks%%[^0-9]*} cores=$(mpi_cores)
  if ((tasks > cores)); then
    echo "$(hostname): $tasks ranks on $cores core(s), not bound; they give way to each other"
    export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_rmaps_base_oversubscribe=1
    bind=none
  fi
  if ((EUID == 0)); then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
  case $ENGRAM_LAUNCHER in
    srun) job_launcher=(srun "--cpu-bind=${bind/core/cores}" --kill-on-bad-exit=0) ;; # all ranks of a run that stops end with 75: none is to be killed for it
    mpirun) job_launcher=("${ENGRAM_MPIRUN:-mpirun}" -n "$ranks" --bind-to "$bind") ;;
    *) echo "jobs/site.sh: ENGRAM_LAUNCHER is '$ENGRAM_LAUNCHER'; allowed are srun and mpirun" >&2; exit 2 ;;
  esac
}

# SIGUSR1 comes to the batch script alone (--signal=B:USR1@120): srun and mpirun pass it on to the ranks.
job_forward() {
  job_signalled=1
  if [[ $job_child ]]; then kill -USR1 "$job_child" 2>/dev/null || true; fi
}

# job_run COMMAND...: in the background, because bash minds signals only while it waits. Sets job_code.
job_run() {
  local again=1 code
  job_code=127
  "$@" &
  job_child=$!
  while ((again)); do
    again=0 code=0
    wait "$job_child" || code=$?
    if ((code != 127)); then job_code=$code; fi # 127: waited for already
    if ((code == 138)) && [[ $job_signalled ]]; then again=1; fi # 128 + SIGUSR1: it is the wait that was interrupted
  done
  job_child=''
}

# Newest checkpoint in a run's folder; nothing if there is none.
job_saved() {
  local files=("$1"/checkpoint/loop-*.h5)
  if [[ -e ${files[-1]} ]]; then basename "${files[-1]}" .h5; fi
}

# Of which writing a run's run.json is; nothing if it is not there.
job_told() { stat -c '%i %y' "$1/run.json" 2>/dev/null || true; }

# job_believe OUT TOLD: how the run ended, now that its launcher gave job_code: as its run.json says, if it is not the one of before (job_told), for a launcher may end with 0 (MPICH's mpirun
# after SIGUSR1) or with a signal although the run saved itself. Sets job_code, and job_stopped if it was a file stop that ended the run.
job_believe() {
  local out=$1 code
  job_stopped=''
  if [[ $(job_told "$out") == "$2" ]]; then
    if ((job_code == 0)); then echo "$out: the run did not say in run.json how it ended" >&2; job_code=1; fi
    return
  fi
  code=$(sed -n 's/^  "exit_code": \([0-9]*\),$/\1/p' "$out/run.json")
  if [[ $code && $code != "$job_code" ]]; then
    echo "$out: ended with $code, as its run.json says; the launcher, with $job_code" >&2
    job_code=$code
  fi
  if grep -qs '"stopped_by": "the file .stop.' "$out/run.json"; then job_stopped=1; fi
}

# What was done, and with what: differs when something is changed, or done otherwise. job_stamp CONFIG OUT [engram options]
job_stamp() {
  local config=$1 out=$2
  shift 2
  { cat "$config" "$out/run.json" && printf '%s\n' "$@"; } 2>/dev/null | cksum
}

# job_train CONFIG OUT [engram options]: trains, or ends the script.
job_train() {
  local config=$1 out=$2 before told
  shift 2
  if ! job_in_batch; then
    "${ENGRAM_MPIRUN:-mpirun}" -n "$ranks" "$engram" train "$config" -o "$out" --overwrite "$@"
    return
  fi
  if [[ -f $out/job.done && $(<"$out/job.done") == "$(job_stamp "$config" "$out" "$@")" ]]; then
    echo "$out: done already"
    return
  fi
  before=$(job_saved "$out") told=$(job_told "$out") job_stopped=''
  if [[ $job_signalled ]]; then job_again "$out"; fi
  job_run "${job_launcher[@]}" "$engram" train "$config" --resume "$out" "$@"
  job_believe "$out" "$told"
  if [[ $(job_saved "$out") != "$before" ]]; then job_advanced=1; fi
  case $job_code in
    0) job_stamp "$config" "$out" "$@" >"$out/job.done" && job_advanced=1 ;;
    75) job_again "$out" ;;
    *) job_fail "$out" ;;
  esac
}

job_fail() {
  local saved next='begins with loop 1'
  saved=$(job_saved "$1")
  if [[ $saved ]]; then next="goes on from checkpoint $saved"; fi
  echo "job $(job_id): engram ended with exit code $job_code; when its reason is gone, submit the job again: it $next" >&2
  exit "$job_code"
}

# The run was stopped and saved: another turn, unless it was not wanted or would not help.
job_again() {
  local id
  id=$(job_id)
  if [[ $job_stopped ]] || rm "$1/stop" 2>/dev/null; then # the file came when the run had ended already
    echo "job $id: stopped on request; submit it again to go on" >&2
  elif [[ ! $job_advanced ]]; then
    echo "job $id: not one loop was done and saved in this turn, so another one would not help: give the job more time (sbatch --time)" >&2
  else
    echo "job $id: goes into the queue again, to go on from $(job_saved "$1")" # said before: Slurm ends this script with the turn
    scontrol requeue "$id" || echo "job $id: Slurm does not take it; submit it again to go on" >&2
  fi
  exit 75
}

# job_plot OUT [options of tools/plot]: in a batch job not what is drawn already; and a compute node may have nothing to draw with.
job_plot() {
  if ! job_in_batch; then "$root/tools/plot" "$@"; return; fi
  if [[ $1/figure.png -nt $1/run.json ]]; then return; fi
  "$root/tools/plot" "$@" || echo "no figure: draw it elsewhere with tools/plot $1"
}

# job_check OPTIONS COMMAND...: the thresholds of an experiment hold for its own parameters. With other ones (OPTIONS: how many were given) the verdict is printed and not acted on.
job_check() {
  if (($1 == 0)); then "${@:2}"; return; fi
  "${@:2}" || echo "(the experiment's thresholds; it was given other parameters)"
}

# ---- Experiments of many small runs, each on one rank:
#   job_arguments quick|full [SEEDS] [engram options]       job_begin "$0" 1
#   job_many FUNCTION <<<"$members"                         job_report FOLDER
# FUNCTION is called for every line of members, the line's words as its arguments; it calls job_one, and job_test if it likes.

# job_arguments "$@": sets size (quick, the default, or full), seeds (default 5) and options (what is for engram).
# shellcheck disable=SC2034 # they are for the script
job_arguments() {
  size=quick seeds=5 options=()
  if [[ ${1-} == quick || ${1-} == full ]]; then size=$1; shift; fi
  if [[ ${1-} =~ ^[1-9][0-9]{0,3}$ ]]; then seeds=$1; shift; fi
  if [[ ${1-} && $1 != -* ]]; then job_wrong "$1" ', then a number of seeds, 1 to 9999, then options of engram, which begin with -' quick full; fi
  options=("$@")
}

# job_many FUNCTION: by hand as many calls at a time as there are cores (JOB_PROCESSES: so many), each a process of its own; in a batch job one after the other, and as a member of an
# array the line of its index alone. Called again, it does what is missing. The file JOB_PROGRESS, if it is named, always holds how many calls are done and how many there are.
job_many() {
  local lines line words running=0 failures=0 wrong=0 begun=0 processes=${JOB_PROCESSES:-$(mpi_cores)}
  mapfile -t lines
  if [[ ${SLURM_ARRAY_TASK_ID-} ]] && job_in_batch; then
    if ((SLURM_ARRAY_TASK_ID >= ${#lines[@]})); then echo "$SLURM_ARRAY_TASK_ID is not in the array: there are ${#lines[@]} runs, 0 to $((${#lines[@]} - 1))" >&2; exit 2; fi
    lines=("${lines[SLURM_ARRAY_TASK_ID]}")
  fi
  for line in "${lines[@]}"; do
    read -r -a words <<<"$line"
    if job_in_batch; then "$1" "${words[@]}"; continue; fi
    if ((running == processes)); then
      job_wait
      running=$((running - 1))
      job_progress $((begun - running)) "${#lines[@]}"
    fi
    ("$1" "${words[@]}") </dev/null &
    running=$((running + 1)) begun=$((begun + 1))
  done
  for (( ; running; running--)); do
    job_wait
    job_progress $((begun - running + 1)) "${#lines[@]}"
  done
  if ((failures)); then echo "$0: $failures of ${#lines[@]} runs failed" >&2; exit $((wrong == failures ? 2 : 1)); fi
}

# Of job_many: a call ended. All failed for bad input (2): so does the job.
job_wait() {
  local code=0
  wait -n || code=$?
  if ((code)); then failures=$((failures + 1)); fi
  if ((code == 2)); then wrong=$((wrong + 1)); fi
}

job_progress() { if [[ ${JOB_PROGRESS-} ]]; then echo "$1 $2" >"$JOB_PROGRESS"; fi; }

# job_one OUT CONFIG [engram options]: trains one run unless it is done with the same parameters, or goes on with it.
job_one() {
  local out=$1 config=$2
  shift 2
  if job_in_batch; then job_train "$config" "$out" "$@" --quiet; return; fi
  if [[ -f $out/job.done && $(<"$out/job.done") == "$(job_stamp "$config" "$out" "$@")" ]]; then return; fi
  "$engram" train "$config" --resume "$out" --quiet "$@"
  job_stamp "$config" "$out" "$@" >"$out/job.done"
}

# job_test OUT NAME [options of engram test]: trials with frozen weights into OUT/NAME.h5, unless they are there.
job_test() {
  local out=$1 name=$2
  shift 2
  if [[ $out/$name.h5 -nt $out/job.done ]]; then return; fi
  if job_in_batch; then
    job_run "${job_launcher[@]}" "$engram" test "$out" -o "$out/$name.h5" --overwrite --quiet "$@"
    if ((job_code)); then exit "$job_code"; fi
  else
    "$engram" test "$out" -o "$out/$name.h5" --overwrite --quiet "$@"
  fi
}

# job_collect STUDY.yaml FOLDER [options of tools/sweep collect]: table and summary of the runs that were asked for, in their folder, whatever runs a table there had.
job_collect() { "$job_tools/sweep" collect "$1" -o "$2" --output "$2/table.csv" "${@:3}"; }

# job_sweep STUDY.yaml [options of tools/sweep run]: the runs of a study; in a batch job each on all ranks of it, and as a member of an array those of its index (--block 10: ten an index).
# Ends the script if they are not all done: what was stopped goes into the queue again. With job_findings=1 runs that failed do not end it: that they do is what the study finds. With job_whole=1
# a member of an array does the whole study, because members differ otherwise.
job_sweep() {
  local index=${SLURM_ARRAY_TASK_ID-}
  if [[ ${job_whole-} ]]; then index=''; fi
  local words=("$job_tools/sweep" run --engram "$(command -v "$engram")")
  if ! job_in_batch; then
    if [[ ${JOB_PROCESSES-} ]]; then words+=(--jobs "$JOB_PROCESSES"); fi
    job_code=0
    "${words[@]}" "$@" || job_code=$?
  else
    job_run "${words[@]}" --jobs 1 --ranks "$ranks" --launcher "${job_launcher[*]}" "$@" ${index:+"$index"}
    if ((job_code == 75 && ${SLURM_RESTART_COUNT:-0} < 20)); then scontrol requeue "$(job_id)"; fi
  fi
  if ((job_code == 1)) && [[ ${job_findings-} ]]; then return; fi
  if ((job_code)); then exit "$job_code"; fi
}

# job_report FOLDER [options of check]: the check of the experiment over all its runs: prints the verdicts, draws FOLDER/figure.png, writes FOLDER/report.json. Not in a member of an array: collect.sbatch does it.
job_report() {
  if [[ ${SLURM_ARRAY_TASK_ID-} ]] && job_in_batch; then return; fi
  job_check "${#options[@]}" "$(dirname "$0")/check" "$@"
}
