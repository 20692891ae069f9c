#include "h5_foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engram/context.h"
#include "engram/utf8.h"
#include "h5_server.h"

extern char **environ;

#define MARK SERVER_NAME "=1" /**< in the environment of a server */

/* ---- the server's life ---- */

/** The environment of the server: mine, one thread for a BLAS that it does not use, and the mark. free() */
static char **make_environment(void) {
    size_t count = 0, kept = 0;
    while (environ[count]) count++;
    char **copy = calloc(count + 3, sizeof *copy);
    if (!copy) context_abort("%s: no memory for its environment", SERVER_NAME);
    copy[kept++] = MARK;
    copy[kept++] = "OPENBLAS_NUM_THREADS=1";
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "OPENBLAS_NUM_THREADS=", 21) != 0) copy[kept++] = environ[i];
    return copy;
}

/** Start this program once more, with the socket as standard input. What HDF5 or the C library print when they crash helps nobody.
 *  Signals that end a job or announce its end go to the ranks; the server ends with its rank. @return 0 or an error number */
static int spawn_server(int socket, pid_t *server) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t blocked;
    sigemptyset(&blocked);
    static const int ending[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) sigaddset(&blocked, ending[i]);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
#ifndef ENGRAM_SANITIZED /* whose reports are wanted */
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
#endif
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &blocked);
    char **environment = make_environment();
    int error = posix_spawn(server, "/proc/self/exe", &actions, &attributes, (char *[]){SERVER_NAME, NULL}, environment);
    free(environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static status start_server(foreign_file *file) {
    int pair[2];
    if (getenv(SERVER_NAME)) context_abort("%s was started by a program whose main() does not call server_run()", SERVER_NAME);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return status_fail(STATUS_FAILURE, "%s: no socket to its reader: %s", file->path, strerror(errno));
    file->socket = pair[0];
    int error = spawn_server(pair[1], &file->server);
    close(pair[1]);
    if (error == 0) return STATUS_OK;
    close(file->socket);
    file->server = 0;
    return status_fail(STATUS_FAILURE, "%s: its reader cannot be started: %s", file->path, strerror(error));
}

/** The server is gone in the middle of a request: say why. */
static status report_loss(foreign_file *file) {
    int how = 0;
    shutdown(file->socket, SHUT_RDWR); /* should it still be there, it ends now */
    while (waitpid(file->server, &how, 0) < 0 && errno == EINTR) continue;
    close(file->socket);
    file->server = 0;
    int signal = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
    if (signal == SIGKILL)
        file->lost = status_fail(STATUS_FAILURE, "%s: the process that reads it was killed: too little memory?", file->path);
    else if (signal == SIGXCPU)
        file->lost = status_fail(STATUS_INPUT, "%s: damaged HDF5 file: HDF5 does not come to an end with it", file->path);
    else
        file->lost = status_fail(STATUS_INPUT, "%s: damaged HDF5 file: HDF5 crashes on it%s%s", file->path, signal ? ": " : "",
                                 signal ? strsignal(signal) : "");
    return file->lost;
}

/** Text that came out of a damaged file, made fit to print. */
static void clean(char *text, size_t size) {
    text[size - 1] = '\0';
    for (char *c = text; *c; c++)
        if (utf8_is_control(*c)) *c = '?';
}

/** Ask, and receive the answer without what follows it. Its message is passed on to status_fail(). */
static status ask(foreign_file *file, const server_request *request, bool tell, server_answer *answer) {
    if (file->lost != STATUS_OK) return file->lost;
    if (!server_send(file->socket, request, sizeof *request) || !server_receive(file->socket, answer, sizeof *answer)) return report_loss(file);
    if (answer->code == STATUS_OK) return STATUS_OK;
    clean(answer->message, sizeof answer->message);
    if ((tell || answer->found) && answer->message[0]) status_fail(answer->code, "%s", answer->message);
    return answer->code == STATUS_FAILURE ? STATUS_FAILURE : STATUS_INPUT;
}

/** Receive what follows an answer: @p bytes, or it is not to be trusted. */
static status take(foreign_file *file, const server_answer *answer, void *data, int64_t bytes) {
    if (answer->bytes == bytes && server_receive(file->socket, data, (size_t)bytes)) return STATUS_OK;
    return report_loss(file);
}

static server_request request_of(server_verb verb, const char *name) {
    server_request request;
    memset(&request, 0, sizeof request); /* padding travels as well */
    request.verb = verb;
    snprintf(request.name, sizeof request.name, "%s", name);
    return request;
}

/* ---- files ---- */

/** Can a regular file be read there? From a pipe the server would wait for ever. */
static status check_file(const char *path) {
    char head[8];
    struct stat about = {0};
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool good = descriptor >= 0 && fstat(descriptor, &about) == 0;
    if (good && !S_ISDIR(about.st_mode) && !S_ISREG(about.st_mode)) {
        close(descriptor);
        return status_fail(STATUS_INPUT, "%s: not a regular file", path);
    }
    good = good && read(descriptor, head, sizeof head) >= 0;
    int error = errno;
    if (descriptor >= 0) close(descriptor);
    return good ? STATUS_OK : status_fail(status_unreadable(error), "%s: cannot be read: %s", path, strerror(error));
}

status foreign_open(const char *path, foreign_file *file) {
    *file = (foreign_file){.path = path};
    status readable = check_file(path);
    if (readable != STATUS_OK) return readable;
    server_request request = request_of(SERVER_OPEN, path);
    server_answer answer;
    if (strlen(path) >= sizeof request.name) return status_fail(STATUS_INPUT, "%.100s...: the path is too long", path);
    status started = start_server(file);
    return started == STATUS_OK ? ask(file, &request, true, &answer) : started;
}

void foreign_close(foreign_file *file) {
    if (file->server == 0) return;
    close(file->socket);
    while (waitpid(file->server, NULL, 0) < 0 && errno == EINTR) continue;
    file->server = 0;
}

status foreign_links(foreign_file *file, const char *group, foreign_text **names, int *count) {
    server_request request = request_of(SERVER_LINKS, group);
    server_answer answer;
    *names = NULL;
    *count = 0;
    status result = ask(file, &request, true, &answer);
    if (result != STATUS_OK) return result;
    int64_t links = answer.bytes / (int64_t)sizeof **names;
    if (links < 0 || links > FOREIGN_LINKS) return report_loss(file);
    *names = calloc((size_t)links + 1, sizeof **names);
    if (!*names) context_abort("%s: no memory for %d names", file->path, (int)links);
    result = take(file, &answer, *names, links * (int64_t)sizeof **names);
    for (*count = 0; *count < links; ++*count) clean((*names)[*count].text, FOREIGN_TEXT_BYTES);
    if (result == STATUS_OK) return STATUS_OK;
    free(*names);
    *names = NULL;
    *count = 0;
    return result;
}

bool foreign_exists(foreign_file *file, const char *name) {
    server_request request = request_of(SERVER_EXISTS, name);
    server_answer answer;
    return ask(file, &request, true, &answer) == STATUS_OK && answer.found != 0;
}

status foreign_integers(foreign_file *file, const char *name, int64_t values[2], int *count) {
    server_request request = request_of(SERVER_INTEGERS, name);
    server_answer answer;
    *count = 0;
    status result = ask(file, &request, true, &answer);
    if (result == STATUS_OK) result = take(file, &answer, values, 2 * (int64_t)sizeof *values);
    if (result == STATUS_OK) *count = answer.found;
    return result;
}

/* ---- datasets ---- */

/** The server may be damaged and not know it: is the shape one that can be counted? */
static bool is_sound(foreign_dataset *dataset, int dimensions, int kinds) {
    int64_t bytes = sizeof(double);
    dataset->count = 1;
    if (dimensions >= 0 ? dataset->dimensions != dimensions : dataset->dimensions < 1 || dataset->dimensions > -dimensions) return false;
    for (int i = 0; i < H5_INPUT_AXES; i++) {
        if (dataset->shape[i] < 0 || (i >= dataset->dimensions && dataset->shape[i] != 1)) return false;
        if (__builtin_mul_overflow(dataset->count, dataset->shape[i], &dataset->count)) return false;
    }
    return dataset->kind & kinds && !__builtin_mul_overflow(dataset->count, bytes, &bytes);
}

status foreign_dataset_open(foreign_file *file, bool tell, const char *name, int dimensions, int kinds, foreign_dataset *dataset) {
    server_request request = request_of(SERVER_DATASET, name);
    server_answer answer;
    request.dimensions = dimensions;
    request.kinds = kinds;
    *dataset = (foreign_dataset){0};
    status result = ask(file, &request, tell, &answer);
    if (result != STATUS_OK) return result;
    *dataset = answer.dataset;
    dataset->name = name;
    if (!is_sound(dataset, dimensions, kinds)) return report_loss(file);
    dataset->file = file;
    return STATUS_OK;
}

void foreign_dataset_close(foreign_dataset *dataset) {
    if (!dataset->file) return;
    server_request request = request_of(SERVER_CLOSE, dataset->name);
    server_answer answer;
    request.dataset = dataset->id;
    ask(dataset->file, &request, true, &answer);
    dataset->file = NULL;
}

status foreign_chunk(foreign_dataset *dataset, int64_t *chunk) {
    server_request request = request_of(SERVER_CHUNK, dataset->name);
    server_answer answer;
    request.dataset = dataset->id;
    status result = ask(dataset->file, &request, true, &answer);
    if (result != STATUS_OK) return result;
    for (int i = 0; i < H5_INPUT_AXES; i++) {
        chunk[i] = answer.chunk[i] < dataset->shape[i] ? answer.chunk[i] : dataset->shape[i];
        if (dataset->count > 0 && chunk[i] < 1) return report_loss(dataset->file);
    }
    dataset->id = answer.dataset.id;
    return STATUS_OK;
}

status foreign_box(const foreign_dataset *dataset, const int64_t *first, const int64_t *extent, foreign_type type, void *data) {
    server_request request = request_of(SERVER_BOX, dataset->name);
    server_answer answer;
    request.dataset = dataset->id;
    request.elements = 1;
    for (int i = 0; i < H5_INPUT_AXES; i++) {
        request.first[i] = first[i];
        request.extent[i] = extent[i];
        request.elements *= extent[i];
    }
    request.type = type;
    if (request.elements == 0) return STATUS_OK;
    status result = ask(dataset->file, &request, true, &answer);
    return result == STATUS_OK ? take(dataset->file, &answer, data, request.elements * (int64_t)sizeof(double)) : result;
}

status foreign_rows(const foreign_dataset *dataset, int64_t first, int64_t rows, foreign_type type, void *data) {
    const int64_t start[H5_INPUT_AXES] = {first}, extent[H5_INPUT_AXES] = {rows, dataset->shape[1], dataset->shape[2]};
    return foreign_box(dataset, start, extent, type, data);
}

status foreign_texts(const foreign_dataset *dataset, foreign_text *texts) {
    server_request request = request_of(SERVER_TEXTS, dataset->name);
    server_answer answer;
    request.dataset = dataset->id;
    request.elements = dataset->count;
    status result = ask(dataset->file, &request, true, &answer);
    if (result == STATUS_OK) result = take(dataset->file, &answer, texts, dataset->count * (int64_t)sizeof *texts);
    for (int64_t i = 0; i < dataset->count && result == STATUS_OK; i++) texts[i].text[FOREIGN_TEXT_BYTES - 1] = '\0';
    return result;
}

status foreign_attribute(const foreign_dataset *dataset, const char *name, bool *found, foreign_text *text) {
    server_request request = request_of(SERVER_ATTRIBUTE, name);
    server_answer answer;
    *found = false;
    request.dataset = dataset->id;
    status result = ask(dataset->file, &request, true, &answer);
    if (result == STATUS_OK) result = take(dataset->file, &answer, text, sizeof *text);
    if (result != STATUS_OK) return result;
    *found = answer.found != 0;
    text->text[FOREIGN_TEXT_BYTES - 1] = '\0';
    return STATUS_OK;
}
