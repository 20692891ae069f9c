#include "h5_server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET = STDIN_FILENO };
#define MEMORY_FOR_HDF5 ((rlim_t)4 << 30) /**< chunks of 1 GiB, unpacked, and what HDF5 keeps; damaged sizes ask for more */

/** The server's state. */
typedef struct {
    char path[sizeof((server_request *)0)->name];
    hid_t file;
    rlim_t program; /**< bytes of address space when nothing is read */
    int64_t chunk;  /**< bytes that may have to be unpacked for a box, however small that is */
    void *payload;  /**< of the answer being made, owned */
} server;

bool server_is_wanted(int argc, char **argv) {
    return argc > 0 && strcmp(argv[0], SERVER_NAME) == 0;
}

bool server_send(int socket, const void *data, size_t size) {
    const char *next = data;
    for (ssize_t sent; size > 0; next += sent, size -= (size_t)sent) {
        sent = send(socket, next, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) return false;
        if (sent < 0) sent = 0;
    }
    return true;
}

bool server_receive(int socket, void *data, size_t size) {
    char *next = data;
    for (ssize_t got; size > 0; next += got, size -= (size_t)got) {
        got = recv(socket, next, size, 0);
        if (got == 0 || (got < 0 && errno != EINTR)) return false;
        if (got < 0) got = 0;
    }
    return true;
}

/* ---- limits: what a damaged file makes HDF5 do must come to an end ---- */

static rlim_t address_space(void) {
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%llu", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void lower_limit(int resource, rlim_t value) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || value < limit.rlim_max ? value : limit.rlim_max;
    setrlimit(resource, &limit);
}

/** Allow for the processor time and the memory that a request for @p bytes may take. */
static void limit_request(const server *self, int64_t bytes) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    rlim_t seconds = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1);
    lower_limit(RLIMIT_CPU, seconds + SERVER_SECONDS + (rlim_t)((bytes + self->chunk) / SERVER_BYTES_A_SECOND));
#ifndef ENGRAM_SANITIZED /* which needs terabytes of it */
    lower_limit(RLIMIT_AS, self->program + MEMORY_FOR_HDF5 + 2 * (rlim_t)bytes);
#else
    (void)self;
#endif
}

/** Bytes of @p count elements of @p size. @return NULL after status_fail() when there is no room */
static void *make_payload(server *self, server_answer *answer, int64_t count, int64_t size) {
    int64_t bytes;
    if (count < 0 || __builtin_mul_overflow(count, size, &bytes)) bytes = INT64_MAX / 2;
    limit_request(self, bytes);
    self->payload = calloc(1, (size_t)bytes + 1);
    if (!self->payload) answer->code = status_fail(STATUS_FAILURE, "%s: no memory for %lld bytes", self->path, (long long)bytes);
    answer->bytes = self->payload ? bytes : 0;
    return self->payload;
}

/* ---- requests ---- */

static void open_file(server *self, const server_request *request, server_answer *answer) {
    memcpy(self->path, request->name, sizeof self->path);
    self->file = h5_input_open(self->path);
    if (self->file < 0) answer->code = STATUS_INPUT;
}

typedef struct {
    foreign_text *names;
    int count;
} link_list;

/** H5Literate callback; ends the iteration when the list is full. */
static herr_t note_link(hid_t group, const char *name, const H5L_info_t *info, void *data) {
    link_list *list = ((void)group, (void)info, data);
    if (strlen(name) < FOREIGN_TEXT_BYTES) strcpy(list->names[list->count++].text, name);
    return list->count == FOREIGN_LINKS;
}

static void list_links(server *self, const server_request *request, server_answer *answer) {
    link_list list = {.names = make_payload(self, answer, FOREIGN_LINKS, sizeof(foreign_text))};
    if (!list.names) return;
    if (H5Literate_by_name(self->file, request->name, H5_INDEX_NAME, H5_ITER_INC, NULL, note_link, &list, H5P_DEFAULT) < 0) answer->code = STATUS_INPUT;
    answer->bytes = (int64_t)sizeof(foreign_text) * list.count;
}

static void open_dataset(server *self, const server_request *request, server_answer *answer) {
    h5_input input;
    answer->code = h5_input_dataset(self->file, self->path, request->name, request->dimensions, request->kinds, &input);
    answer->found = input.lacks_filter;
    if (answer->code != STATUS_OK) return;
    answer->dataset = (foreign_dataset){.id = input.id, .kind = input.kind, .is_signed = input.is_signed, .dimensions = input.dimensions, .count = input.count};
    memcpy(answer->dataset.shape, input.shape, sizeof input.shape);
}

/** The dataset of a request as h5_input.h sees it; its id may be nonsense, which HDF5 notices. */
static h5_input input_of(const server *self, const server_request *request) {
    h5_input input = {.id = (hid_t)request->dataset, .path = self->path, .name = request->name};
    h5_input_type(&input);
    h5_input_shape(&input);
    return input;
}

static void find_chunk(server *self, const server_request *request, server_answer *answer) {
    h5_input input = input_of(self, request);
    self->chunk = h5_input_chunk(self->file, &input, answer->chunk);
    answer->dataset.id = input.id;
}

static void read_box(server *self, const server_request *request, server_answer *answer) {
    const hid_t types[] = {[FOREIGN_DOUBLE] = H5T_NATIVE_DOUBLE, [FOREIGN_INT64] = H5T_NATIVE_INT64, [FOREIGN_UINT64] = H5T_NATIVE_UINT64};
    h5_input input = input_of(self, request);
    void *data = make_payload(self, answer, request->elements, sizeof(double));
    if (data) answer->code = h5_input_box(&input, request->first, request->extent, types[request->type], data);
}

/** Copy a text without the blanks at its end. @return false if it is too long */
static bool copy_text(foreign_text *to, const char *from, size_t length) {
    while (length > 0 && from[length - 1] == ' ') length--;
    if (length >= FOREIGN_TEXT_BYTES) return false;
    memcpy(to->text, from, length);
    return true;
}

/** Texts of fixed length, padded by zeros or blanks, or of variable length. */
static status copy_texts(const h5_input *input, hid_t type, const char *raw, foreign_text *texts) {
    bool variable = H5Tis_variable_str(type) > 0;
    size_t size = H5Tget_size(type);
    for (int64_t i = 0; i < input->count; i++) {
        const char *text = variable ? ((char *const *)(const void *)raw)[i] : raw + (size_t)i * size;
        size_t length = !text ? 0 : variable ? strlen(text) : strnlen(text, size);
        if (text && !copy_text(&texts[i], text, length))
            return h5_input_fail(input->path, input->name, "at [%lld]: %zu bytes, at most %d are allowed", (long long)i, length, FOREIGN_TEXT_BYTES - 1);
    }
    return STATUS_OK;
}

/** A cell of MATLAB, a dataset of UTF-16, as UTF-8. @return false if it is anything else, or too long */
static bool copy_cell(hid_t file, hid_t cell, foreign_text *text) {
    h5_input input = {.id = cell};
    uint16_t code[FOREIGN_TEXT_BYTES] = {0};
    h5_input_type(&input);
    bool good = h5_input_shape(&input) && input.kind == H5_INPUT_INTEGER && input.element == 2 && input.count < FOREIGN_TEXT_BYTES &&
                h5_input_stored(&input, file);
    good = good && H5Dread(cell, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, code) >= 0;
    char encoded[4 * FOREIGN_TEXT_BYTES];
    size_t used = 0;
    for (int64_t i = 0; good && i < input.count; i++) used += h5_encode_utf8(encoded + used, code[i]);
    return good && copy_text(text, encoded, used);
}

static status copy_cells(const server *self, const h5_input *input, const char *raw, foreign_text *texts) {
    for (int64_t i = 0; i < input->count; i++) {
        hid_t cell = H5Rdereference2(input->id, H5P_DEFAULT, H5R_OBJECT, raw + (size_t)i * sizeof(hobj_ref_t));
        bool good = cell >= 0 && H5Iget_type(cell) == H5I_DATASET && copy_cell(self->file, cell, &texts[i]);
        if (cell >= 0) H5Oclose(cell);
        if (!good)
            return h5_input_fail(input->path, input->name, "at [%lld]: a reference to something else than a text of at most %d bytes", (long long)i,
                                 FOREIGN_TEXT_BYTES - 1);
    }
    return STATUS_OK;
}

static void read_texts(server *self, const server_request *request, server_answer *answer) {
    h5_input input = input_of(self, request);
    hid_t type = H5Dget_type(input.id), space = H5Dget_space(input.id);
    foreign_text *texts = make_payload(self, answer, request->elements, sizeof *texts);
    char *raw = texts && input.count == request->elements ? calloc((size_t)input.count + 1, H5Tget_size(type) + 1) : NULL;
    if (texts && !raw) answer->code = status_fail(STATUS_FAILURE, "%s: no memory for the texts of '%s'", self->path, request->name);
    if (raw) answer->code = h5_input_rows(&input, 0, input.shape[0], type, raw);
    bool cells = H5Tget_class(type) == H5T_REFERENCE;
    if (raw && answer->code == STATUS_OK) answer->code = cells ? copy_cells(self, &input, raw, texts) : copy_texts(&input, type, raw, texts);
    if (raw && H5Tis_variable_str(type) > 0) H5Dvlen_reclaim(type, space, H5P_DEFAULT, raw);
    free(raw);
    H5Sclose(space);
    H5Tclose(type);
}

/** @p text stays "" for anything but one text, and for one that is too long. */
static void copy_attribute(hid_t id, foreign_text *text) {
    hid_t type = H5Aget_type(id), space = H5Aget_space(id);
    char *variable = NULL;
    size_t size = H5Tget_size(type);
    bool single = H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1;
    if (single && H5Tis_variable_str(type) > 0) {
        if (H5Aread(id, type, &variable) >= 0 && variable) copy_text(text, variable, strlen(variable));
        H5free_memory(variable);
    } else if (single && size < FOREIGN_TEXT_BYTES) {
        char fixed[FOREIGN_TEXT_BYTES] = "";
        if (H5Aread(id, type, fixed) >= 0) copy_text(text, fixed, strnlen(fixed, size));
    }
    H5Sclose(space);
    H5Tclose(type);
}

static void read_attribute(server *self, const server_request *request, server_answer *answer) {
    foreign_text *text = make_payload(self, answer, 1, sizeof *text);
    answer->found = text && H5Aexists((hid_t)request->dataset, request->name) > 0;
    if (!answer->found) return;
    hid_t id = H5Aopen((hid_t)request->dataset, request->name, H5P_DEFAULT);
    if (id < 0) return;
    copy_attribute(id, text);
    H5Aclose(id);
}

static void read_integers(server *self, const server_request *request, server_answer *answer) {
    int64_t *values = make_payload(self, answer, 2, sizeof *values);
    if (!values || H5Aexists(self->file, request->name) <= 0) return;
    hid_t id = H5Aopen(self->file, request->name, H5P_DEFAULT), type = H5Aget_type(id), space = H5Aget_space(id);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    bool good = H5Tget_class(type) == H5T_INTEGER && (count == 1 || count == 2) && H5Aread(id, H5T_NATIVE_INT64, values) >= 0;
    answer->found = good ? (int)count : -1;
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(id);
}

static void answer_request(server *self, const server_request *request, server_answer *answer) {
    switch (request->verb) {
        case SERVER_OPEN: open_file(self, request, answer); break;
        case SERVER_LINKS: list_links(self, request, answer); break;
        case SERVER_EXISTS: answer->found = H5Lexists(self->file, request->name, H5P_DEFAULT) > 0; break;
        case SERVER_INTEGERS: read_integers(self, request, answer); break;
        case SERVER_DATASET: open_dataset(self, request, answer); break;
        case SERVER_CHUNK: find_chunk(self, request, answer); break;
        case SERVER_CLOSE: H5Dclose((hid_t)request->dataset); break;
        case SERVER_BOX: read_box(self, request, answer); break;
        case SERVER_TEXTS: read_texts(self, request, answer); break;
        case SERVER_ATTRIBUTE: read_attribute(self, request, answer); break;
    }
}

int server_run(void) {
    server self = {.file = H5I_INVALID_HID, .program = address_space()};
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a rank that is killed leaves nothing behind, not even in the middle of a read */
    lower_limit(RLIMIT_CORE, 0);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    bool connected = true;
    for (server_request request; connected && server_receive(SOCKET, &request, sizeof request);) {
        server_answer answer;
        memset(&answer, 0, sizeof answer); /* padding travels as well */
        limit_request(&self, 0);
        answer_request(&self, &request, &answer);
        if (answer.code != STATUS_OK) answer.bytes = 0;
        snprintf(answer.message, sizeof answer.message, "%s", status_message());
        status_forget();
        connected = server_send(SOCKET, &answer, sizeof answer) && server_send(SOCKET, self.payload, (size_t)answer.bytes);
        free(self.payload);
        self.payload = NULL;
    }
    _exit(0); /* what HDF5 would tidy up may be damaged, and goes with the process */
}
