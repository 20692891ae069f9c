#include "engram/slurm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engram/ask.h"

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

static double ask_squeue(const char *job) {
    char text[256], number[64];
    snprintf(number, sizeof number, "%s", job);
    return ask_program((char *[]){"squeue", "-h", "-j", number, "-o", "%L", NULL}, text, sizeof text, NULL) ? slurm_read_left(text) : NAN;
}

double slurm_seconds_left(const char *job) {
    const char *end = getenv("SLURM_JOB_END_TIME");
    char *rest = NULL;
    double seconds = end && *end ? strtod(end, &rest) : NAN;
    return rest && !*rest && seconds > 0 ? seconds - (double)time(NULL) : ask_squeue(job);
}
