#include "engram/watch.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engram/clock.h"
#include "engram/files.h"

static const struct { int number; const char *name; } watched[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGUSR1, "SIGUSR1"}};
enum { WATCHED = sizeof watched / sizeof *watched };

static const double worth_waiting = 2; /* seconds: for less, no loop is given up; nobody counts on a run ending sooner */
static const char time_limit[] = "the time limit";
const char watch_stop_file[] = "the file 'stop'";
static volatile sig_atomic_t received; /* the first signal, 0 for none */

static void receive(int number) {
    if (number == SIGINT) signal(SIGINT, SIG_DFL); /* who asks twice does not want to wait */
    if (!received) received = number;
}

void watch_begin(run_watch *watch, double limit_seconds) {
    *watch = (run_watch){.started = clock_seconds(), .saved = clock_seconds(), .limit = limit_seconds > 0 ? limit_seconds : INFINITY, .can_finish = true};
    struct sigaction action = {.sa_handler = receive, .sa_flags = SA_RESTART};
    received = 0;
    for (int k = 0; k < WATCHED; k++) sigaction(watched[k].number, &action, NULL);
}

void watch_limit(run_watch *watch, double seconds) {
    watch->limit = fmin(watch->limit, clock_seconds() - watch->started + seconds);
}

static const char *name_of(int number) {
    for (int k = 0; k < WATCHED; k++)
        if (watched[k].number == number) return watched[k].name;
    return "a signal";
}

bool watch_wants_end(run_watch *watch, int rank) {
    double now = clock_seconds();
    if (received) {
        watch->why = name_of(received);
    } else if (rank == 0 && now - watch->started + watch->reserve > watch->limit) {
        watch->why = time_limit;
    } else if (rank == 0 && watch->stop_file && now - watch->looked > 0.2) {
        watch->looked = now;
        if (file_exists(watch->stop_file)) watch->why = watch_stop_file;
    }
    return watch->why != NULL;
}

bool watch_abandons(const run_watch *watch, double seconds, double done, double steps) {
    double now = clock_seconds(), rest = seconds / done * (steps - done), redo = now - watch->saved;
    bool fits = watch->why == time_limit && now - watch->started + rest + watch->reserve / 2 < watch->limit; /* the time was kept back for this */
    return !watch->can_finish || (!fits && rest + watch->reserve > worth_waiting && redo < rest + watch->reserve);
}

bool watch_finds_stop(run_watch *watch) {
    bool there = watch->stop_file && file_exists(watch->stop_file);
    if (there) watch->why = watch_stop_file;
    return there;
}

void watch_heeded(const run_watch *watch) {
    if (unlink(watch->stop_file) != 0 && errno != ENOENT)
        fprintf(stderr, "engram: warning: %s cannot be removed (%s): it stops the next part of the run as well\n", watch->stop_file, strerror(errno));
}

void watch_end(run_watch *watch) {
    for (int k = 0; k < WATCHED; k++) signal(watched[k].number, watched[k].number == SIGINT ? SIG_DFL : SIG_IGN); /* all is saved: let the exit code get out */
    free(watch->stop_file);
    watch->stop_file = NULL;
}
