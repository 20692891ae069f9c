/** @file slurm.h
 *  What Slurm says of the job that this process belongs to.
 */
#ifndef ENGRAM_SLURM_H
#define ENGRAM_SLURM_H

#include <stdbool.h>
#include <stddef.h>

/** Is this process part of a job of Slurm? Not collective.
 *  @param[out] job its number as squeue and scontrol take it, "12" or "12_3" for a task of an array (its own number may stand for the whole array) */
bool slurm_job(char *job, size_t size);

/** Seconds until Slurm ends @p job: from SLURM_JOB_END_TIME, or where that is not set (before Slurm 23) asked of squeue, once, for at most 20 s.
 *  Not collective; for one rank. @return INFINITY: it has no limit; NAN: it cannot be learned */
double slurm_seconds_left(const char *job);

/** Seconds that squeue's time left "[[days-]hours:]minutes:seconds" stands for; INFINITY for UNLIMITED, NAN for anything else. */
double slurm_read_left(const char *text);

#endif
