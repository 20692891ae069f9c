/* The site's file, jobs/site.sh, which knows modules, account, partition and launcher: where it is, and what it says. */
#ifndef ENGRAM_SITE_H
#define ENGRAM_SITE_H

#include <stdio.h>

#include "engram/context.h"
#include "engram/status.h"

/** This program; "engram", to be found on the PATH, if its file cannot be told. @return owned */
char *site_program(void);

/** A file that came with the program: in share/engram of its installation, or in its checkout. @param name "tools/plot" @return owned; NULL: there is none */
char *site_came_with(const char *name);

/** The file that ENGRAM_SITE names, else the one that came with the program: share/engram/jobs of its installation, jobs of its checkout.
 *  @param[out] path owned; NULL: there is none @return not agreed; STATUS_INPUT if ENGRAM_SITE names no file */
status site_find(char **path);

/** Write what the site's file tells sbatch (it exports SBATCH_ACCOUNT, SBATCH_PARTITION, ...) as #SBATCH lines. What cannot be written so is a warning.
 *  Runs the file under bash. */
void site_write_options(const context *context, FILE *out, const char *path);

#endif
