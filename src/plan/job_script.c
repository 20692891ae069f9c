#include "job_script.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../training/results.h"
#include "engram/files.h"
#include "engram/output.h"
#include "site.h"

/** A word of the shell. */
static void write_quoted(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text; text++)
        if (*text == '\'') fputs("'\\''", out);
        else fputc(*text, out);
    fputc('\'', out);
}

/** What may stand in a comment: nothing that ends its line. */
static void write_comment(FILE *out, const char *text) {
    for (; *text; text++) fputc(iscntrl((unsigned char)*text) ? ' ' : *text, out);
}

/** D-HH:MM:SS as sbatch wants it. */
static void write_time(FILE *out, double seconds) {
    long minutes = lround(ceil(seconds / 60));
    fprintf(out, "%ld-%02ld:%02ld:00", minutes / 1440, minutes / 60 % 24, minutes % 60);
}

/** What the script says to sbatch. @param site NULL: no site's file */
static void write_head(const context *context, FILE *out, const plan *plan, const char *site) {
    plan_time time = plan_time_of(plan, plan->ranks.count);
    double peak = plan_memory_of(plan, plan->ranks.count).peak;
    int64_t ranks = plan->ranks.count, here = ranks < plan->ranks.per_node ? ranks : plan->ranks.per_node;
    double limit = 1.5 * time.run + 600; /* estimates are good to 25 %, and machines are busy */
    fprintf(out, "#!/bin/bash\n# Planned for %lld neurons at %g Hz with the machine file of ", (long long)plan->facts.neurons, plan->rate);
    write_comment(out, plan->machine.about.name);
    fprintf(out, ": %.0f MiB a rank at the peak, %.3g s a loop, %.0f s in all.\n", peak / (1 << 20), time.loop, time.run);
    fprintf(out, "#SBATCH --job-name=engram\n#SBATCH --nodes=%lld\n#SBATCH --ntasks=%lld\n", (long long)plan->nodes, (long long)ranks);
    fprintf(out, "#SBATCH --ntasks-per-node=%lld\n#SBATCH --cpus-per-task=1\n", (long long)here);
    fprintf(out, "#SBATCH --mem=%.0fM\n#SBATCH --time=", ceil(1.1 * plan_memory_of_nodes(plan, ranks).node.peak / (1 << 20)));
    write_time(out, limit);
    fputs("\n#SBATCH --signal=B:USR1@120\n#SBATCH --requeue\n#SBATCH --open-mode=append\n#SBATCH --output=%x-%j.log\n", out);
    if (site) site_write_options(context, out, site);
}

/** How ranks are started, as the site's file says, and the run: SIGUSR1 comes to the script alone, which passes it on. */
static const char launch[] =
    "export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 SRUN_CPUS_PER_TASK=1 SLURM_MPI_TYPE=\"${SLURM_MPI_TYPE:-pmix}\"\n"
    "case ${ENGRAM_LAUNCHER:-srun} in\n"
    "  srun) launcher=(srun --cpu-bind=cores --kill-on-bad-exit=0) ;;\n"
    "  mpirun) launcher=(\"${ENGRAM_MPIRUN:-mpirun}\" -n \"${SLURM_NTASKS:-$ranks}\" --bind-to core) ;;\n"
    "  *) echo \"ENGRAM_LAUNCHER is '$ENGRAM_LAUNCHER'; allowed are srun and mpirun\" >&2; exit 2 ;;\n"
    "esac\n";
static const char before_launch[] =
    "stamp() { stat -c '%i %y' \"$directory/run.json\" 2>/dev/null; }\n"
    "before=$(stamp) run='' asked=''\n"
    "trap 'asked=1; kill -USR1 \"$run\" 2>/dev/null' USR1 # it may come before there is a run to pass it on to\n";
static const char wait_and_requeue[] =
    " &\n"
    "run=$! code=138 again=138 # 128 + SIGUSR1: it is the wait that was interrupted, the run is saving\n"
    "if [[ $asked ]]; then kill -USR1 \"$run\" 2>/dev/null; fi\n"
    "while ((again == 138)); do\n"
    "  wait \"$run\"; again=$?\n"
    "  if ((again != 127)); then code=$again; fi # 127: waited for already\n"
    "done\n"
    "if [[ $(stamp) != \"$before\" ]]; then # of this turn: it says how the run ended, which a launcher need not\n"
    "  told=$(sed -n 's/^  \"exit_code\": \\([0-9]*\\),$/\\1/p' \"$directory/run.json\"); code=${told:-$code}\n"
    "elif ((code == 0)); then echo \"the run did not say in run.json how it ended\" >&2; code=1\n"
    "fi\n"
    "if ((code == 75)); then\n"
    "  if grep -qs '\"stopped_by\": \"the file .stop.' \"$directory/run.json\" || rm \"$directory/stop\" 2>/dev/null; then "
    "echo \"stopped on request; submit it again to go on\"\n"
    "  else scontrol requeue \"$SLURM_JOB_ID\"; fi\n"
    "fi\n"
    "exit \"$code\"\n";

static void write_body(FILE *out, const char *config_path, const char *directory, const plan_options *options, const plan *plan, const char *site) {
    char *program = site_program();
    fputs("# A run that has no time left saves itself (exit code 75) and is put into the queue again, "
          "unless a file 'stop' in its folder was the reason.\n\n", out);
    if (site) {
        fputs(". ", out);
        write_quoted(out, site);
        fputs(" # modules, launcher\n", out);
    }
    fputs("engram=", out);
    write_quoted(out, program);
    fputs("\nengram=${ENGRAM:-$engram} directory=", out);
    write_quoted(out, directory);
    fprintf(out, " ranks=%lld\n%s", (long long)plan->ranks.count, launch);
    fputs(before_launch, out);
    fputs("\"${launcher[@]}\" \"$engram\" train ", out);
    write_quoted(out, config_path);
    fputs(" --resume \"$directory\"", out);
    for (int k = 0; k < options->override_count; k++) {
        fputs(" -P ", out);
        write_quoted(out, options->overrides[k]);
    }
    fputs(wait_and_requeue, out);
    free(program);
}

status plan_file_check(const char *option, const char *path, bool overwrite) {
    status result = status_worse(file_check_name(option, path), file_check_output(path));
    char *owner = result == STATUS_OK ? results_owner(path) : NULL;
    if (owner) result = status_fail(STATUS_INPUT, "%s %s: has the name or the place of a file of the run in %s; give another name", option, path, owner);
    free(owner);
    if (result == STATUS_OK && !overwrite && file_exists(path))
        result = status_fail(STATUS_INPUT, "%s is there already; give another name, or --overwrite", path);
    if (result != STATUS_OK) return result;
    FILE *file = file_begin(path, 0666);
    if (!file) return status_fail(status_unreadable(errno), "%s cannot be written: %s", path, file_why(errno));
    file_give_up(file, path);
    return STATUS_OK;
}

FILE *plan_file_open(const char *path, mode_t mode, status *result) {
    FILE *file = file_begin(path, mode);
    *result = file ? STATUS_OK : status_fail(status_unreadable(errno), "%s cannot be written: %s", path, file_why(errno));
    return file;
}

status plan_file_close(FILE *file, const char *path) {
    int error = file_end(file, path);
    return error ? status_fail(STATUS_FAILURE, "%s could not be written: %s", path, file_why(error)) : STATUS_OK;
}

status job_script_write(const context *context, const plan_options *options, const plan *plan) {
    char *config_path = realpath(options->config, NULL), *directory = NULL;
    const output_settings *output = config_common(plan->config, "output");
    const char *wanted = options->directory ? options->directory : output->directory;
    char here[PATH_MAX];
    if (!config_path || !getcwd(here, sizeof here)) context_abort("plan: the current directory cannot be told");
    if (asprintf(&directory, "%s%s%s", wanted[0] == '/' ? "" : here, wanted[0] == '/' ? "" : "/", wanted) < 0) context_abort("memory: no room for a path");
    char *site;
    status result = site_find(&site);
    FILE *out = result == STATUS_OK ? plan_file_open(options->sbatch, 0777, &result) : NULL;
    if (out) {
        write_head(context, out, plan, site);
        write_body(out, config_path, directory, options, plan, site);
        result = plan_file_close(out, options->sbatch);
    }
    if (result == STATUS_OK && site)
        log_line(context, "\n%s: submit it with sbatch; account, partition, modules and launcher are those of %s", options->sbatch, site);
    if (result == STATUS_OK && !site)
        log_line(context, "\n%s: submit it with sbatch; there is no site.sh (ENGRAM_SITE names one): srun starts the ranks, "
                          "account and partition are options of sbatch", options->sbatch);
    free(site);
    free(config_path);
    free(directory);
    return result;
}
