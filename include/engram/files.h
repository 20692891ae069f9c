/** @file files.h
 *  Files that a run reads and writes, as they should be opened: regular ones only, through no link, without waiting for a pipe.
 *  Others may be able to write in a run's folder. But for the last function nothing here is collective: one rank calls. What fails leaves an errno, which
 *  file_why() says in words.
 */
#ifndef ENGRAM_FILES_H
#define ENGRAM_FILES_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "engram/context.h"
#include "engram/status.h"

#define FILE_IRREGULAR ENOTBLK /* stands for "is no regular file", which has no errno of its own */
#define FILE_PART ".part" /* behind the name of a file that is being written */

/** Open a file of a run, for open()'s @p flags: a regular file, not a link to one. @return descriptor, or -1 with errno */
int file_open(const char *path, int flags);

/** Open a file that the user names for reading, maybe through links: a regular file. @return descriptor, or -1 with errno */
int file_open_input(const char *path);

/** file_open() for reading. @return owned, fclose(); or NULL with errno */
FILE *file_open_text(const char *path);

/** Make an empty PART whatever stood under that name, but a folder, before. @return descriptor for reading and writing, or -1 with errno */
int file_make(const char *part, mode_t mode);

/** Begin to write @p path, as its PART. @return to be given to file_end(); or NULL with errno */
FILE *file_begin(const char *path, mode_t mode);

/** Close the file: complete, on the disk and under its name, or, after an error, no more there. An older one of that name stays until then, and after an error.
 *  @return errno, 0 for none */
int file_end(FILE *file, const char *path);

/** Close the file, and remove its PART. */
void file_give_up(FILE *file, const char *path);

/** Is it this open file that stands under that name, and no link to it? */
bool file_is_at(int descriptor, const char *path);

/** What keeps a file of that st_mode from being opened by file_open(). @return errno, 0 for none */
int file_irregular(mode_t mode);

/** Is there anything under that name, be it a link that leads nowhere? */
bool file_exists(const char *path);
/** Do both paths lead to one file that is there? Not collective. */
bool file_same(const char *a, const char *b);
/** Do both name one file, there or not: of one name in one folder that is there? A link is not followed. Not collective. */
bool file_same_name(const char *a, const char *b);
/** The folder that a file of that name is in. @return owned by the caller (free) */
char *file_folder(const char *path);

/** What strerror() says, but for links and for what is no regular file. */
const char *file_why(int error);

/** What it is that a name cannot be written to: the machine's fault if it is out of something, or errs; else another name would do. */
status file_refused(int error);

/** May results be written under that name (which is not that of a folder, a pipe or a device, and leaves room for FILE_PART)?
 *  @return STATUS_INPUT with a message; not agreed */
status file_check_output(const char *path);

/** Refuse names with what only a shell expands, "~" or "$HOME". @param what it is the name of @return STATUS_INPUT with a message; not agreed */
status file_check_name(const char *what, const char *path);

/** Why a shell would have to expand the name: text for a message, borrowed; NULL: it need not */
const char *file_unexpanded(const char *path);

/** Do all ranks see what is there for rank 0, or is the folder another one on every host? Collective. @param path the same on all ranks
 *  @param what the message is about @return agreed and printed: STATUS_INPUT if not */
status file_seen_by_all(const context *context, const char *what, const char *path);

#endif
