/* To be preloaded (LD_PRELOAD): a process that waits gives way for tens of microseconds. Open MPI's ranks look for messages without end and call sched_yield()
   in between (mpi_yield_when_idle), which lets a process that computes beside them have a whole time slice of milliseconds, for each message: tests that start
   more ranks than there are cores, two tests at a time, took up to 16 times as long as what they compute. */
#include <sched.h>
#include <time.h>

int sched_yield(void) {
    const struct timespec moment = {.tv_nsec = 20000};
    nanosleep(&moment, NULL);
    return 0;
}
