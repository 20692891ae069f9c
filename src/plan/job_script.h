/* Files that a plan writes: how they are opened, and a script for sbatch with the planned resources. */
#ifndef ENGRAM_JOB_SCRIPT_H
#define ENGRAM_JOB_SCRIPT_H

#include <stdio.h>
#include <sys/types.h>

#include "engram/plan_run.h"
#include "plan.h"

/** Can the file that @p option names be written? What it makes to find out it removes.
 *  @return STATUS_INPUT, also if it is there and overwrite is not asked for; not agreed */
status plan_file_check(const char *option, const char *path, bool overwrite);
/** A file that a plan writes, which appears when it is closed. @param mode permissions @return NULL on failure, with *@p result set; not agreed */
FILE *plan_file_open(const char *path, mode_t mode, status *result);
/** @return not agreed */
status plan_file_close(FILE *file, const char *path);

/** @return not agreed */
status job_script_write(const context *context, const plan_options *options, const plan *plan);

#endif
