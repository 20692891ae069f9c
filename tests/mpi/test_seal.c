/* Sealed HDF5 files: streams written by any number of ranks read back, and every damage noticed. Argument: a folder for the file. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/io/seal.h"
#include "../expect.h"
#include "engram/h5.h"
#include "engram/random.h"

enum { TOTAL = 1300000, PLACES = 200 }; /* more than one block of checksums */

static double value_at(int64_t k) {
    return random_uniform(1, RANDOM_TAU, (uint64_t)k, 0);
}

static void write_file(const context *job, const char *path) {
    int64_t first = (int64_t)TOTAL * job->rank / job->ranks, end = (int64_t)TOTAL * (job->rank + 1) / job->ranks;
    h5_file *file = h5_create(job, path, "a: 1\n");
    h5_seal(file);
    h5_attribute(file, "/", "loop", H5_INT64, 0, &(int64_t){42});
    h5_stream_begin(file, "some/values", H5_FLOAT64, TOTAL, first, end - first);
    for (int64_t k = first; k < end;) { /* pieces of many sizes */
        double piece[257];
        int64_t count = 1 + (k * 7 + job->rank) % 257;
        if (count > end - k) count = end - k;
        for (int64_t i = 0; i < count; i++) piece[i] = value_at(k + i);
        h5_stream_put(file, piece, count);
        k += count;
    }
    h5_stream_end(file);
    EXPECT(status_agree(job, h5_commit(file)) == STATUS_OK, "commit");
}

/** Every rank reads another part than it wrote. */
static void read_file(const context *job, const char *path) {
    int64_t first = (int64_t)TOTAL * job->rank / (job->ranks + 1), end = (int64_t)TOTAL * (job->rank + 2) / (job->ranks + 1), loop = 0;
    double *values = malloc((size_t)(end - first) * sizeof *values);
    if (!values) context_abort("no memory");
    h5_reader *reader = h5_reader_open(path);
    EXPECT(h5_reader_has(reader, "some/values") && !h5_reader_has(reader, "some/other") && !h5_reader_has(reader, "no/such"), "has");
    EXPECT(h5_reader_length(reader, "some/values") == TOTAL, "length");
    h5_reader_attribute(reader, "/", "loop", H5_INT64, 0, &loop);
    h5_reader_stream(reader, "some/values", H5_FLOAT64, TOTAL, first, end - first);
    h5_reader_take(reader, values, 1000);
    h5_reader_take(reader, values + 1000, end - first - 1000);
    EXPECT(h5_reader_close(reader) == STATUS_OK, "%s", status_message());
    EXPECT(loop == 42, "loop %lld", (long long)loop);
    int64_t wrong = 0;
    for (int64_t k = first; k < end; k++) wrong += values[k - first] != value_at(k);
    EXPECT(wrong == 0, "%lld values differ", (long long)wrong);
    free(values);
}

/** What a reader says about things that are not there or not so. */
static void read_wrongly(const char *path) {
    double nothing;
    h5_reader *reader = h5_reader_open(path);
    h5_read(reader, "some/values", h5_whole(H5_FLOAT64, TOTAL + 1), &nothing);
    EXPECT(h5_reader_close(reader) == STATUS_INPUT && strstr(status_message(), "1300000 elements"), "%s", status_message());
    status_forget();
    reader = h5_reader_open(path);
    h5_reader_stream(reader, "some/values", H5_FLOAT32, TOTAL, 0, 1);
    EXPECT(h5_reader_close(reader) == STATUS_INPUT && strstr(status_message(), "wrong type"), "%s", status_message());
    status_forget();
    reader = h5_reader_open("/dev/null");
    free(h5_reader_text(reader, "/", "configuration"));
    EXPECT(h5_reader_close(reader) == STATUS_INPUT && strstr(status_message(), "/dev/null"), "%s", status_message());
    status_forget();
}

static void damage_byte(const char *path, int64_t place, int bit) {
    int descriptor = open(path, O_RDWR);
    unsigned char byte;
    if (pread(descriptor, &byte, 1, place) != 1) context_abort("cannot read byte %lld", (long long)place);
    byte ^= (unsigned char)(1u << bit);
    if (pwrite(descriptor, &byte, 1, place) != 1) context_abort("cannot write byte %lld", (long long)place);
    close(descriptor);
}

/** A bit flipped at 200 places, and put back each time; then the file cut off at 200 places, ever shorter. */
static void check_damage(const context *job, const char *path) {
    struct stat whole;
    char why[SEAL_WHY_BYTES], digest[17] = "", other[17] = "";
    stat(path, &whole);
    EXPECT(seal_digest(path, digest) && strlen(digest) == 16, "digest %s", digest);
    CHECK_MPI(MPI_Barrier(job->comm));
    for (int n = 0; n < PLACES; n++) {
        int64_t place = n < 60 ? whole.st_size - 1 - n
                               : (int64_t)random_below(2, RANDOM_TAU, (uint64_t)n, 0, (uint64_t)whole.st_size); /* the seal itself, then anywhere */
        if (job->rank == 0) damage_byte(path, place, n % 8);
        CHECK_MPI(MPI_Barrier(job->comm));
        seal_check(job, path, why);
        EXPECT(why[0], "a flipped bit at byte %lld of %lld went unnoticed", (long long)place, (long long)whole.st_size);
        CHECK_MPI(MPI_Barrier(job->comm));
        if (job->rank == 0) damage_byte(path, place, n % 8);
        CHECK_MPI(MPI_Barrier(job->comm));
    }
    seal_check(job, path, why);
    EXPECT(!why[0], "the restored file is refused: %s", why);
    EXPECT(seal_digest(path, other) && strcmp(digest, other) == 0, "digest %s, was %s", other, digest);
    CHECK_MPI(MPI_Barrier(job->comm));
    for (int n = 0; n < PLACES; n++) {
        int64_t size = n < 60 ? whole.st_size - 1 - n : (int64_t)((double)(whole.st_size - 60) * (PLACES - 1 - n) / (PLACES - 60));
        if (job->rank == 0 && truncate(path, size) != 0) context_abort("cannot truncate");
        CHECK_MPI(MPI_Barrier(job->comm));
        seal_check(job, path, why);
        EXPECT(why[0], "a cut to %lld of %lld bytes went unnoticed", (long long)size, (long long)whole.st_size);
        EXPECT(!seal_digest(path, other), "a seal was found in %lld of %lld bytes", (long long)size, (long long)whole.st_size);
        CHECK_MPI(MPI_Barrier(job->comm));
    }
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    context job = context_of(MPI_COMM_WORLD);
    char path[4096], why[SEAL_WHY_BYTES];
    snprintf(path, sizeof path, "%s/sealed.h5", argc > 1 ? argv[1] : ".");
    write_file(&job, path);
    seal_check(&job, path, why);
    EXPECT(!why[0], "a whole file is refused: %s", why);
    read_file(&job, path);
    if (job.rank == 0) read_wrongly(path);
    check_damage(&job, path);
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, job.comm));
    MPI_Finalize();
    return failed;
}
