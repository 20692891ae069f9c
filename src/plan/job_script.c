#include "job_script.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "site.h"

/** A word of the shell. */
static void write_quoted(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text; text++)
        if (*text == '\'') fputs("'\\''", out);
        else fputc(*text, out);
    fputc('\'', out);
}

/** D-HH:MM:SS as sbatch wants it. */
static void write_time(FILE *out, double seconds) {
    long minutes = lround(ceil(seconds / 60));
    fprintf(out, "%ld-%02ld:%02ld:00", minutes / 1440, minutes / 60 % 24, minutes % 60);
}

/** What the script says to sbatch. @param site NULL: no site's file */
static void write_head(const context *context, FILE *out, const plan *plan, double peak, const char *site) {
    plan_seconds seconds = plan_time(&plan->network, &plan->machine, plan->ranks, plan->ranks_per_node, plan->rate);
    int64_t here = plan->ranks < plan->ranks_per_node ? plan->ranks : plan->ranks_per_node;
    double limit = 1.5 * seconds.run + 600; /* estimates are good to 25 %, and machines are busy */
    fprintf(out, "#!/bin/bash\n# Planned for %lld neurons at %g Hz with the machine file of %s: %.0f MiB a rank at the peak, %.3g s a loop, %.0f s in all.\n", (long long)plan->network.neurons, plan->rate,
            plan->machine.about.name, peak / (1 << 20), seconds.loop, seconds.run);
    fprintf(out, "#SBATCH --job-name=engram\n#SBATCH --nodes=%lld\n#SBATCH --ntasks=%lld\n#SBATCH --ntasks-per-node=%lld\n#SBATCH --cpus-per-task=1\n", (long long)plan->nodes, (long long)plan->ranks,
            (long long)here);
    fprintf(out, "#SBATCH --mem=%.0fM\n#SBATCH --time=", ceil(1.1 * peak * (double)here / (1 << 20)));
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
static const char wait_and_requeue[] =
    " &\n"
    "run=$! code=138 again=138 # 128 + SIGUSR1: it is the wait that was interrupted, the run is saving\n"
    "trap 'kill -USR1 \"$run\" 2>/dev/null' USR1\n"
    "while ((again == 138)); do\n"
    "  wait \"$run\"; again=$?\n"
    "  if ((again != 127)); then code=$again; fi # 127: waited for already\n"
    "done\n"
    "if ((code == 75)) && ! grep -qs '\"stopped_by\": \"the file .stop.' \"$directory/run.json\"; then scontrol requeue \"$SLURM_JOB_ID\"; fi\n"
    "exit \"$code\"\n";

static void write_body(FILE *out, const char *config_path, const char *directory, const plan_options *options, const plan *plan, const char *site) {
    char *program = site_program();
    fputs("# A run that has no time left saves itself (exit code 75) and is put into the queue again, unless a file 'stop' in its folder was the reason.\n\n", out);
    if (site) fputs(". ", out), write_quoted(out, site), fputs(" # modules, launcher\n", out);
    fputs("engram=", out), write_quoted(out, program);
    fputs("\nengram=${ENGRAM:-$engram} directory=", out), write_quoted(out, directory);
    fprintf(out, " ranks=%lld\n%s\"${launcher[@]}\" \"$engram\" train ", (long long)plan->ranks, launch);
    write_quoted(out, config_path);
    fputs(" --resume \"$directory\"", out);
    for (int k = 0; k < options->override_count; k++) fputs(" -P ", out), write_quoted(out, options->overrides[k]);
    fputs(wait_and_requeue, out);
    free(program);
}

status plan_file_check(const char *path, bool overwrite) {
    struct stat found;
    bool there = lstat(path, &found) == 0;
    if (there && !overwrite) return status_fail(STATUS_INPUT, "%s is there already; give another name, or --overwrite", path);
    int descriptor = there && !S_ISREG(found.st_mode) ? (errno = EEXIST, -1) : open(path, O_WRONLY | O_NOFOLLOW | (there ? 0 : O_CREAT | O_EXCL), 0666);
    if (descriptor < 0) return status_fail(status_unreadable(errno), "%s cannot be written: %s", path, there && errno == EEXIST ? "it is no file" : strerror(errno));
    close(descriptor);
    if (!there) unlink(path);
    return STATUS_OK;
}

FILE *plan_file_open(const char *path, bool overwrite, mode_t mode, status *result) {
    int descriptor = open(path, O_WRONLY | O_CREAT | (overwrite ? O_TRUNC : O_EXCL), mode);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    *result = file              ? STATUS_OK
              : errno == EEXIST ? status_fail(STATUS_INPUT, "%s is there already; give another name, or --overwrite", path)
                                : status_fail(status_unreadable(errno), "%s cannot be written: %s", path, strerror(errno));
    return file;
}

status plan_file_close(FILE *file, const char *path) {
    bool failed = ferror(file);
    return fclose(file) != 0 || failed ? status_fail(STATUS_FAILURE, "%s could not be written: %s", path, strerror(errno)) : STATUS_OK;
}

status job_script_write(const context *context, const config *config, const plan_options *options, const plan *plan, double peak) {
    char *config_path = realpath(options->config, NULL), *directory = NULL;
    const char *wanted = options->directory ? options->directory : ((const output_settings *)config_common((struct config *)(uintptr_t)config, "output"))->directory;
    char here[PATH_MAX];
    if (!config_path || !getcwd(here, sizeof here)) context_abort("plan: the current directory cannot be told");
    if (asprintf(&directory, "%s%s%s", wanted[0] == '/' ? "" : here, wanted[0] == '/' ? "" : "/", wanted) < 0) context_abort("memory: no room for a path");
    char *site;
    status result = site_find(&site);
    FILE *out = result == STATUS_OK ? plan_file_open(options->sbatch, options->overwrite, 0777, &result) : NULL;
    if (out) {
        write_head(context, out, plan, peak, site);
        write_body(out, config_path, directory, options, plan, site);
        result = plan_file_close(out, options->sbatch);
    }
    if (result == STATUS_OK && site) log_line(context, "\n%s: submit it with sbatch; account, partition, modules and launcher are those of %s", options->sbatch, site);
    if (result == STATUS_OK && !site) log_line(context, "\n%s: submit it with sbatch; there is no site.sh (ENGRAM_SITE names one): srun starts the ranks, account and partition are options of sbatch", options->sbatch);
    free(site);
    free(config_path);
    free(directory);
    return result;
}
