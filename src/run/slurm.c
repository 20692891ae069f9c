#include "engram/slurm.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { PATIENCE_MS = 20000 }; /* a busy controller takes seconds to answer */

bool slurm_job(char *job, size_t size) {
    const char *id = getenv("SLURM_JOB_ID"), *array = getenv("SLURM_ARRAY_JOB_ID"), *task = getenv("SLURM_ARRAY_TASK_ID");
    bool member = array && *array && task && *task;
    if (!id || !*id) return false;
    return snprintf(job, size, "%s%s%s", member ? array : id, member ? "_" : "", member ? task : "") < (int)size;
}

double slurm_read_left(const char *text) {
    long days = 0, hours = 0, minutes, seconds;
    int end = 0;
    text += strspn(text, " ");
    if (strncmp(text, "UNLIMITED", 9) == 0) return INFINITY;
    if (*text == '-') return 0; /* over already */
    if (sscanf(text, "%ld-%ld:%ld:%ld %n", &days, &hours, &minutes, &seconds, &end) != 4) {
        days = 0;
        if (sscanf(text, "%ld:%ld:%ld %n", &hours, &minutes, &seconds, &end) != 3) {
            hours = 0;
            if (sscanf(text, "%ld:%ld %n", &minutes, &seconds, &end) != 2) return NAN;
        }
    }
    return end && !text[end] ? (double)(((days * 24 + hours) * 60 + minutes) * 60 + seconds) : NAN;
}

/** Start "squeue -h -j JOB -o %L". posix_spawn() leaves the memory of an MPI process alone; fork() does not where networks register it.
 *  @param[out] output read end of its standard output */
static bool start_squeue(const char *job, pid_t *squeue, int *output) {
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    char number[64];
    snprintf(number, sizeof number, "%s", job);
    int error = posix_spawnp(squeue, "squeue", &actions, NULL, (char *[]){"squeue", "-h", "-j", number, "-o", "%L", NULL}, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *output = ends[0];
    if (error) close(ends[0]);
    return error == 0;
}

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/** Read until the end, or until @p until (ms). @return bytes */
static size_t read_until(int from, char *text, size_t size, long until) {
    size_t length = 0;
    while (length + 1 < size) {
        struct pollfd ready = {.fd = from, .events = POLLIN};
        long wait = until - now_ms();
        if (wait <= 0) break;
        if (poll(&ready, 1, (int)wait) <= 0) continue; /* out of time, or a signal came */
        ssize_t got = read(from, text + length, size - 1 - length);
        if (got <= 0) break;
        length += (size_t)got;
    }
    text[length] = '\0';
    return length;
}

static double ask_squeue(const char *job) {
    char text[256];
    pid_t squeue;
    int output, how = -1;
    if (!start_squeue(job, &squeue, &output)) return NAN;
    long until = now_ms() + PATIENCE_MS;
    read_until(output, text, sizeof text, until);
    if (now_ms() >= until) kill(squeue, SIGKILL);
    close(output);
    while (waitpid(squeue, &how, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(how) && WEXITSTATUS(how) == 0 ? slurm_read_left(text) : NAN;
}

double slurm_seconds_left(const char *job) {
    const char *end = getenv("SLURM_JOB_END_TIME");
    char *rest = NULL;
    double seconds = end && *end ? strtod(end, &rest) : NAN;
    return rest && !*rest && seconds > 0 ? seconds - (double)time(NULL) : ask_squeue(job);
}
