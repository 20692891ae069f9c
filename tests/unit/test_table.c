/** @file test_table.c
 *  Tables of recorded data: what is accepted from CSV and HDF5, and that every mistake is told with its place. One rank.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

#include "engram/table.h"
#include "io/h5_server.h"
#include "io/table_private.h"

typedef struct {
    context job;
    char path[64];     /**< the file under test */
    char told[64];     /**< where standard error goes meanwhile */
    char message[16384];
    double time_unit;  /**< of the next reading; NAN: as the file says */
    double interval;   /**< of the next reading, ms; 0: as the file says */
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->job = context_of(MPI_COMM_WORLD);
    snprintf(f->path, sizeof f->path, "/tmp/test_table.%d.data", (int)getpid());
    snprintf(f->told, sizeof f->told, "/tmp/test_table.%d.told", (int)getpid());
    f->time_unit = NAN;
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    unlink(f->path);
    unlink(f->told);
    free(f);
    return 0;
}

static void write_text(const fixture *f, const char *text, size_t length) {
    FILE *file = fopen(f->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
}

/** Read the file under test and keep what is printed in f->message. */
static status read_told(fixture *f, const char *dataset, int nonnegative, table *result) {
    fflush(stderr);
    int old = dup(STDERR_FILENO);
    assert_non_null(freopen(f->told, "w", stderr));
    const table_reading how = {.dataset = dataset, .time_unit = f->time_unit, .nonnegative = nonnegative, .interval = f->interval};
    status code = table_read(&f->job, f->path, &how, result);
    fflush(stderr);
    dup2(old, STDERR_FILENO);
    close(old);
    FILE *file = fopen(f->told, "r");
    f->message[fread(f->message, 1, sizeof f->message - 1, file)] = '\0';
    fclose(file);
    return code;
}

static void accept(fixture *f, const char *text, table *result) {
    write_text(f, text, strlen(text));
    status code = read_told(f, "", 0, result);
    if (code != STATUS_OK) print_message("unexpected: %s", f->message);
    assert_int_equal(code, STATUS_OK);
    assert_string_equal(f->message, "");
}

/** The file is refused, and the message holds @p wanted. */
static void refuse_file(fixture *f, const char *dataset, int nonnegative, const char *wanted) {
    table result;
    status code = read_told(f, dataset, nonnegative, &result);
    if (code != STATUS_INPUT || !strstr(f->message, wanted)) print_message("wanted '%s', told '%s'\n", wanted, f->message);
    assert_int_equal(code, STATUS_INPUT);
    assert_non_null(strstr(f->message, wanted));
    assert_null(result.values);
}

static void refuse(fixture *f, const char *text, const char *wanted) {
    write_text(f, text, strlen(text));
    refuse_file(f, "", 1, wanted);
}

/* ---- CSV ---- */

static void test_csv_conditions(void **state) {
    table all;
    accept(*state, "condition,time_ms,a,b\nleft,0,1,2\nleft,20,3,4\nright,0,5,6\nright,20,7,8\n", &all);
    assert_int_equal(all.conditions, 2);
    assert_int_equal(all.times, 2);
    assert_int_equal(all.units, 2);
    assert_string_equal(all.condition[0], "left");
    assert_string_equal(all.condition[1], "right");
    assert_string_equal(all.unit[1], "b");
    for (int i = 0; i < 8; i++) assert_true(all.values[i] == i + 1);
    assert_true(all.time[1] == 20);
    table_clear(&all);
    assert_null(all.values);
}

static void test_csv_interleaved_conditions(void **state) {
    table all;
    accept(*state, "a,t,condition\n1,0,x\n5,0,y\n2,1,x\n6,1,y\n", &all);
    const double wanted[] = {1, 2, 5, 6};
    for (int i = 0; i < 4; i++) assert_true(all.values[i] == wanted[i]);
    table_clear(&all);
}

static void test_csv_dialects(void **state) {
    table all;
    accept(*state, "\xEF\xBB\xBF\"time_s\", \"rate, \"\"left\"\"\" ,b\r\n0.5, -1e-3 ,\"2\"\r\n1.5,+4,.5\r\n\r\n\n", &all);
    assert_int_equal(all.conditions, 1);
    assert_string_equal(all.condition[0], "0");
    assert_string_equal(all.unit[0], "rate, \"left\"");
    assert_true(all.time[0] == 500 && all.time[1] == 1500);
    assert_true(all.values[0] == -1e-3 && all.values[1] == 2 && all.values[2] == 4 && all.values[3] == .5);
    table_clear(&all);
}

static void test_csv_no_final_newline(void **state) {
    table all;
    accept(*state, "time,u\n0,1\n1,2", &all);
    assert_int_equal(all.times, 2);
    table_clear(&all);
}

static void test_csv_bad_values(void **state) {
    char wanted[128];
    fixture *f = *state;
    const char *const bad[] = {"abc", "1x", "1 2", "nano", "inf", "0x10", "1e999", "1;5", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[128];
        snprintf(text, sizeof text, "time_ms,unit003\n0,1\n20,%s\n", bad[i]);
        snprintf(wanted, sizeof wanted, "engram: error: %s:3: column 'unit003': '%s' is not a number\n", f->path, bad[i]);
        refuse(f, text, wanted);
    }
    const char *const missing[] = {"", "NaN", "nan", "NA", "n/a", "NULL", "None", "-"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        char text[128];
        snprintf(text, sizeof text, "time_ms,unit003,b\n0,1,1\n20,%s,1\n", missing[i]);
        snprintf(wanted, sizeof wanted, ":3: column 'unit003': '%s' is not a number; a missing value has to be filled in", missing[i]);
        refuse(f, text, wanted);
    }
    refuse(f, "time_ms,a,side\n0,1,left\n1,1,left\n", ":2: column 'side': 'left' is not a number; a column that names conditions is called 'condition'\n");
    refuse(f, "time_ms,a,side\n0,1,left\n1,1,left\n", ":3: column 'side': 'left' is not a number\n");
    refuse(f, "condition,time_ms,a,side\nx,0,1,left\n", ":2: column 'side': 'left' is not a number\n");
    refuse(f, "t,a\n0,\"1\n", ":2: column 'a': '1' is not a number");
    refuse(f, "t,a\n0,-0.5\n", ":2: column 'a': -0.5 is negative, allowed are numbers >= 0");
    refuse(f, "t,a\nx,1\n", ":2: column 't': 'x' is not a number");
}

static void test_csv_bad_rows(void **state) {
    refuse(*state, "t,a,b\n0,1,2\n1,2\n", ":3: 2 fields, but the header has 3");
    refuse(*state, "t,a\n0,1,2\n", ":2: 3 fields, but the header has 2");
    refuse(*state, "t,a\n0,1\n\n1,1\n", ":3: blank line");
    refuse(*state, "t,a\n0,1\n0,1\n", ":3: time 0 ms does not come after 0 ms");
    refuse(*state, "t,a\n5,1\n4,1\n", ":3: time 4 ms does not come after 5 ms");
    refuse(*state, "condition,t,a\n,0,1\n", ":2: column 'condition': a name is missing");
    refuse(*state, "condition,t,a\nx,0,1\nx,1,1\ny,0,1\n", "condition 'y' has 1 rows, but 'x' has 2");
    refuse(*state, "condition,t,a\nx,0,1\nx,1,1\ny,0,1\ny,2,1\n", ":5: time 2 ms of condition 'y' differs from 1 ms of 'x'");
}

static void test_csv_bad_header(void **state) {
    refuse(*state, "", "the file is empty");
    refuse(*state, "\n\n", "the file is empty");
    refuse(*state, "a,b\n1,2\n", ":1: no column of time");
    refuse(*state, "t,time,a\n1,2,3\n", ":1: more than one column of time (1 and 2)");
    refuse(*state, "t,a,a\n1,2,3\n", ":1: there are two columns 'a'");
    refuse(*state, "t,,a\n1,2,3\n", ":1: column 2 has no name");
    refuse(*state, "t,condition\n1,2\n", ":1: no columns of units");
    refuse(*state, "t,a\n", "no rows below the header");
    refuse(*state, "t,\x01" "a\n0,1\n", ":1: column 2: '?a' is not a name");
    write_text(*state, "\xff\xfet\0,\0a\0\n\0", 10);
    refuse_file(*state, "", 0, ":1: a zero byte: not a text");
    refuse(*state, "condition,t,a\n0,1,2\n\"0\"x,2,3\n", ":3: column 'condition': '0' is not a name");
    refuse(*state, "t,\xff\n0,1\n", ":1: column 2: '?' is not a name (UTF-8, at most 255 bytes)");
}

static void test_csv_many_mistakes(void **state) {
    fixture *f = *state;
    char text[4096] = "t,a\n";
    for (int i = 0; i < 25; i++) snprintf(text + strlen(text), 32, "%d,bad%d\n", i, i);
    refuse(f, text, "'bad9' is not a number\nengram: error: ... and 15 more\n");
    assert_null(strstr(f->message, "bad10"));
}

/** Somebody writes the file anew while it is read, a part at a time: what is there of it is no table, though each of its lines might be. */
static void test_csv_becomes_shorter(void **state) {
    fixture *f = *state;
    enum { BYTES = 4 << 20, LINE = 16 };
    char *text = malloc(BYTES), *start, *end;
    for (int at = 0; at < BYTES; at += LINE) snprintf(text + at, LINE, "%014d", at), text[at + LINE - 2] = '0', text[at + LINE - 1] = '\n';
    write_text(f, text, BYTES);
    table_lines lines;
    assert_int_equal(table_lines_open(f->path, BYTES, &lines), STATUS_OK);
    int whole = 0;
    while (table_lines_next(&lines, &start, &end)) assert_true(end - start == LINE - 1 && whole++ < BYTES / LINE);
    assert_true(whole == BYTES / LINE && lines.lost == STATUS_OK);
    table_lines_close(&lines);
    assert_int_equal(table_lines_open(f->path, BYTES, &lines), STATUS_OK);
    assert_int_equal(truncate(f->path, BYTES / 2 + 3), 0);
    while (table_lines_next(&lines, &start, &end)) assert_int_equal(end - start, LINE - 1);
    assert_int_equal(lines.lost, STATUS_INPUT);
    assert_non_null(strstr(status_message(), "became shorter while it was read"));
    status_forget();
    table_lines_close(&lines);
    free(text);
}

/** Numbers without times. */
static void test_plain(void **state) {
    fixture *f = *state;
    table all;
    f->interval = 2;
    accept(f, "\xEF\xBB\xBF# rates\r\n\na b\n1 2\n3,4\r\n\n5;6", &all);
    assert_true(all.times == 3 && all.units == 2 && all.time[2] == 4 && all.values[1] == 2 && all.values[4] == 5);
    table_clear(&all);
    accept(f, "time,a\n7,1\n8,2\n9,4\n", &all); /* its times are not used */
    assert_true(all.times == 3 && all.units == 1 && all.time[1] == 2 && all.values[2] == 4);
    table_clear(&all);
    refuse(f, "1,2\n3\n4,x\n-1,0\n", ":2: 1 numbers, but the first line has 2\n");
    assert_non_null(strstr(f->message, ":3: column 2: 'x' is no number"));
    assert_non_null(strstr(f->message, ":4: column 1: -1 is negative"));
    refuse(f, "1,2\n3,4,5\n", ":2: 3 numbers, but the first line has 2\n");
    refuse(f, "\ntime,a\n0,1\n", ":2: a line of names with a time or conditions must be the first");
    refuse(f, "# rates\ntime,a\n0,1\n", ":2: a line of names with a time or conditions must be the first");
    refuse(f, "a,b\n", "has no numbers");
    refuse(f, "", "has no numbers");
    write_text(f, "1,2\n3,\0\n", 8);
    refuse_file(f, "", 1, "a zero byte");
    f->interval = 0;
}

/** More values than are on their way at a time, and a line that is longer than what is read at a time. */
static void test_plain_pieces(void **state) {
    enum { ROWS = 3, COLUMNS = 300000, DIGITS = 8 };
    fixture *f = *state;
    table all;
    char *text = malloc(ROWS * COLUMNS * DIGITS + 1);
    for (int i = 0; i < ROWS * COLUMNS; i++) snprintf(text + i * DIGITS, DIGITS + 1, "%7d%c", i, (i + 1) % COLUMNS ? ' ' : '\n');
    f->interval = 1;
    accept(f, text, &all);
    assert_true(all.times == ROWS && all.units == COLUMNS);
    for (int i = 0; i < ROWS * COLUMNS; i++) assert_true(all.values[i] == i);
    table_clear(&all);
    f->interval = 0;
    free(text);
}

static void test_missing_file(void **state) {
    fixture *f = *state;
    unlink(f->path);
    refuse_file(f, "", 0, "cannot be read: No such file or directory");
    char keep[64];
    memcpy(keep, f->path, sizeof keep);
    snprintf(f->path, sizeof f->path, "/tmp");
    refuse_file(f, "", 0, "/tmp: cannot be read: Is a directory");
    memcpy(f->path, keep, sizeof keep);
}

/* ---- HDF5 ---- */

static void put(hid_t file, const char *name, hid_t stored, int dimensions, const hsize_t *shape, hid_t memory, const void *data) {
    hid_t space = H5Screate_simple(dimensions, shape, NULL), set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (data) H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    H5Dclose(set);
    H5Sclose(space);
}

static hid_t text_type(size_t size) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

static void put_units(hid_t file, const char *object, const char *text, size_t size) {
    hid_t type = text_type(size), space = H5Screate(H5S_SCALAR), set = H5Oopen(file, object, H5P_DEFAULT);
    hid_t id = H5Acreate2(set, "units", type, space, H5P_DEFAULT, H5P_DEFAULT);
    char padded[16] = "";
    memcpy(padded, text, strlen(text));
    H5Awrite(id, type, size == H5T_VARIABLE ? (const void *)&text : padded);
    H5Aclose(id);
    H5Oclose(set);
    H5Sclose(space);
    H5Tclose(type);
}

static const hsize_t SHAPE[3] = {2, 3, 2};

/** A good file: values 0..11, times 0, 10, 20. */
static hid_t begin_file(const fixture *f, hid_t type) {
    double values[12], times[3] = {0, 10, 20};
    for (int i = 0; i < 12; i++) values[i] = i;
    hid_t file = H5Fcreate(f->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put(file, "rate", type, 3, SHAPE, H5T_NATIVE_DOUBLE, values);
    put(file, "time", H5T_NATIVE_DOUBLE, 1, &SHAPE[1], H5T_NATIVE_DOUBLE, times);
    return file;
}

static void test_hdf5_types(void **state) {
    fixture *f = *state;
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_IEEE_F64BE, H5T_STD_I16LE, H5T_STD_U64LE};
    for (int i = 0; i < 4; i++) {
        table all;
        H5Fclose(begin_file(f, types[i]));
        assert_int_equal(read_told(f, i % 2 ? "rate" : "", 1, &all), STATUS_OK);
        assert_int_equal(all.conditions, 2);
        assert_int_equal(all.times, 3);
        assert_int_equal(all.units, 2);
        for (int k = 0; k < 12; k++) assert_true(all.values[k] == k);
        assert_true(all.time[2] == 20);
        assert_string_equal(all.condition[1], "1");
        assert_string_equal(all.unit[1], "1");
        table_clear(&all);
    }
}

static void test_hdf5_names(void **state) {
    fixture *f = *state;
    const char *const words[2] = {"lick left", "rechts \xc3\xbc" "ber"};
    const char fixed[2][16] = {"lick left", "rechts \xc3\xbc" "ber"};
    for (int i = 0; i < 2; i++) {
        table all;
        hid_t file = begin_file(f, H5T_IEEE_F32LE), type = text_type(i ? 16 : H5T_VARIABLE);
        put(file, "condition", type, 1, SHAPE, type, i ? (const void *)fixed : words);
        H5Tclose(type);
        put_units(file, "time", i ? "s" : "ms", i ? 4 : H5T_VARIABLE);
        H5Fclose(file);
        assert_int_equal(read_told(f, "", 0, &all), STATUS_OK);
        assert_string_equal(all.condition[0], words[0]);
        assert_string_equal(all.condition[1], words[1]);
        assert_true(all.time[1] == (i ? 10000 : 10));
        table_clear(&all);
    }
}

static void test_hdf5_bad_values(void **state) {
    fixture *f = *state;
    const double bad[3] = {NAN, INFINITY, -2};
    const char *const wanted[3] = {"dataset 'rate' at [1][2][0]: nan", "dataset 'rate' at [1][2][0]: inf", "dataset 'rate' at [1][2][0]: -2"};
    for (int i = 0; i < 3; i++) {
        double values[12] = {[10] = bad[i]};
        hid_t file = begin_file(f, H5T_IEEE_F32LE);
        H5Ldelete(file, "rate", H5P_DEFAULT);
        put(file, "rate", H5T_IEEE_F32LE, 3, SHAPE, H5T_NATIVE_DOUBLE, values);
        H5Fclose(file);
        refuse_file(f, "", 1, wanted[i]);
    }
    hid_t file = begin_file(f, H5T_IEEE_F32LE);
    H5Ldelete(file, "time", H5P_DEFAULT);
    put(file, "time", H5T_NATIVE_DOUBLE, 1, &SHAPE[1], H5T_NATIVE_DOUBLE, (double[]){0, 20, 10});
    H5Fclose(file);
    refuse_file(f, "", 0, "dataset 'time' at [2]: 10 ms does not come after 20 ms");
}

static void test_hdf5_bad_files(void **state) {
    fixture *f = *state;
    hid_t file = begin_file(f, H5T_IEEE_F32LE);
    H5Ldelete(file, "time", H5P_DEFAULT);
    H5Fclose(file);
    refuse_file(f, "", 0, "dataset 'time' is missing");
    refuse_file(f, "rats", 0, "dataset 'rats' is missing");

    file = begin_file(f, H5T_IEEE_F32LE);
    put(file, "other", H5T_IEEE_F32LE, 3, SHAPE, H5T_NATIVE_DOUBLE, (double[12]){0});
    H5Fclose(file);
    refuse_file(f, "", 0, "2 datasets of the root have three dimensions");
    refuse_file(f, "time", 0, "dataset 'time' has 1 dimensions instead of 3");

    file = begin_file(f, H5T_IEEE_F32LE);
    put_units(file, "time", "minutes", 7);
    put(file, "condition", H5T_STD_I32LE, 1, &SHAPE[1], H5T_NATIVE_INT, (int[]){1, 2, 3});
    H5Fclose(file);
    refuse_file(f, "", 0, "attribute units is 'minutes', allowed are 'us', 'ms' and 's'");
    refuse_file(f, "", 0, "dataset 'condition' has 3 values, but there are 2 conditions");

    file = begin_file(f, H5T_IEEE_F32LE); /* a shape that nothing stands behind must not be allocated */
    put(file, "huge", H5T_IEEE_F32LE, 3, (hsize_t[]){1 << 20, 1 << 20, 1 << 20}, H5T_NATIVE_DOUBLE, NULL);
    put(file, "empty", H5T_IEEE_F32LE, 3, (hsize_t[]){2, 0, 2}, H5T_NATIVE_DOUBLE, NULL);
    H5Fclose(file);
    refuse_file(f, "huge", 0, "are not all stored");
    refuse_file(f, "empty", 0, "is empty");
}

static void test_hdf5_damaged(void **state) {
    fixture *f = *state;
    H5Fclose(begin_file(f, H5T_IEEE_F64LE));
    assert_int_equal(truncate(f->path, 1000), 0);
    refuse_file(f, "", 0, "damaged or incomplete HDF5 file");
    write_text(f, "\211HDF\r\n\032\nrubbish", 15);
    refuse_file(f, "", 0, "damaged or incomplete HDF5 file");
}

/* ---- interpolation ---- */

static void test_interpolation(void **state) {
    table all;
    accept(*state, "condition,t,a,b\nx,0,1,10\nx,10,2,20\nx,40,8,80\ny,0,0,5\ny,10,0,6\ny,40,0,7\n", &all);
    assert_true(table_at(&all, 0, 0, -5) == 1);
    assert_true(table_at(&all, 0, 1, 0) == 10);
    assert_true(table_at(&all, 0, 1, 5) == 15);
    assert_true(table_at(&all, 0, 0, 10) == 2);
    assert_true(table_at(&all, 0, 0, 25) == 5);
    assert_true(table_at(&all, 0, 1, 1e9) == 80);
    assert_true(table_at(&all, 1, 1, 25) == 6.5);
    table_clear(&all);
    accept(*state, "t,a\n3,7\n", &all);
    assert_true(table_at(&all, 0, 0, 3) == 7 && table_at(&all, 0, 0, 9) == 7);
    table_clear(&all);
}

int main(int argc, char **argv) {
    if (server_is_wanted(argc, argv)) return server_run();
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_conditions), cmocka_unit_test(test_csv_interleaved_conditions), cmocka_unit_test(test_csv_dialects),
        cmocka_unit_test(test_csv_no_final_newline), cmocka_unit_test(test_csv_bad_values), cmocka_unit_test(test_csv_bad_rows),
        cmocka_unit_test(test_csv_bad_header), cmocka_unit_test(test_csv_many_mistakes), cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_csv_becomes_shorter),  cmocka_unit_test(test_plain), cmocka_unit_test(test_plain_pieces),
        cmocka_unit_test(test_hdf5_types), cmocka_unit_test(test_hdf5_names), cmocka_unit_test(test_hdf5_bad_values),
        cmocka_unit_test(test_hdf5_bad_files), cmocka_unit_test(test_hdf5_damaged), cmocka_unit_test(test_interpolation),
    };
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    MPI_Finalize();
    return failed;
}
