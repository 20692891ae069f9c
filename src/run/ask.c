#include "engram/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { PATIENCE_MS = 20000 }; /* a busy controller of Slurm takes seconds to answer */

/** posix_spawn() leaves the memory of an MPI process alone; fork() does not where networks register it.
 *  @param[out] output read end of its standard output */
static bool start(char *const *arguments, pid_t *program, int *output) {
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int error = posix_spawnp(program, arguments[0], &actions, NULL, arguments, environ);
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

bool ask_program(char *const *arguments, char *text, size_t size, size_t *length) {
    pid_t program;
    int output, how = -1;
    text[0] = '\0';
    if (length) *length = 0;
    if (!start(arguments, &program, &output)) return false;
    long until = now_ms() + PATIENCE_MS;
    size_t got = read_until(output, text, size, until);
    if (length) *length = got;
    if (now_ms() >= until) kill(program, SIGKILL);
    close(output);
    while (waitpid(program, &how, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(how) && WEXITSTATUS(how) == 0;
}
