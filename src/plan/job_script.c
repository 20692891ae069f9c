#include "job_script.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void write_script(FILE *out, const char *config_path, const char *directory, const plan_options *options, const plan *plan, double peak) {
    plan_seconds seconds = plan_time(&plan->network, &plan->machine, plan->ranks, plan->ranks_per_node, plan->rate);
    int64_t here = plan->ranks < plan->ranks_per_node ? plan->ranks : plan->ranks_per_node;
    double limit = 1.5 * seconds.run + 600; /* estimates are good to 25 %, and machines are busy */
    fprintf(out, "#!/bin/bash\n# Planned for %lld neurons at %g Hz with the machine file of %s: %.0f MiB a rank at the peak, %.3g s a loop, %.0f s in all.\n", (long long)plan->network.neurons, plan->rate,
            plan->machine.about.name, peak / (1 << 20), seconds.loop, seconds.run);
    fprintf(out, "#SBATCH --job-name=engram\n#SBATCH --nodes=%lld\n#SBATCH --ntasks=%lld\n#SBATCH --ntasks-per-node=%lld\n#SBATCH --cpus-per-task=1\n", (long long)plan->nodes, (long long)plan->ranks,
            (long long)here);
    fprintf(out, "#SBATCH --mem=%.0fM\n#SBATCH --time=", ceil(1.1 * peak * (double)here / (1 << 20)));
    write_time(out, limit);
    fputs("\n#SBATCH --signal=USR1@120\n#SBATCH --requeue\n#SBATCH --open-mode=append\n#SBATCH --output=%x-%j.log\n", out);
    fputs("# Account and partition are options of sbatch (or SBATCH_ACCOUNT, SBATCH_PARTITION). A run that has no time left saves itself (exit code 75) and is put into the queue again.\n\n", out);
    fputs("export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 SRUN_CPUS_PER_TASK=1 SLURM_MPI_TYPE=\"${SLURM_MPI_TYPE:-pmix}\"\nsrun --cpu-bind=cores engram train ", out);
    write_quoted(out, config_path);
    fputs(" --resume ", out);
    write_quoted(out, directory);
    for (int k = 0; k < options->override_count; k++) fputs(" -P ", out), write_quoted(out, options->overrides[k]);
    fputs("\ncode=$?\nif [[ $code -eq 75 ]]; then scontrol requeue \"$SLURM_JOB_ID\"; fi\nexit $code\n", out);
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
    status result;
    FILE *out = plan_file_open(options->sbatch, options->overwrite, 0777, &result);
    if (out) {
        write_script(out, config_path, directory, options, plan, peak);
        result = plan_file_close(out, options->sbatch);
    }
    if (result == STATUS_OK) log_line(context, "\n%s: submit it with sbatch", options->sbatch);
    free(config_path);
    free(directory);
    return result;
}
