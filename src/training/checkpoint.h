/* Checkpoints of a training run: DIR/checkpoint/loop-LLLLLLLLLL.h5, two generations, and best-LLLLLLLLLL.h5 of the best test between loops, each complete
 * under its name or not there, each sealed with checksums of all its bytes (io/seal.h). Read on any number of ranks. */
#ifndef ENGRAM_CHECKPOINT_H
#define ENGRAM_CHECKPOINT_H

#include <dirent.h>

#include "best.h"
#include "subject.h"

/** Section `checkpoint`. */
typedef struct {
    int64_t every_loops; /* 0: not by loops */
    double every;        /* ms of wall time, 0: not by time */
    double max_hours;    /* 0: no limit */
    bool keep_best;      /* beside the newest ones that of the best test between loops */
} checkpoint_settings;
extern const param_table checkpoint_common;

/** What a checkpoint holds beside its subject: what the system lists (learning_system.state), and what it saves for itself. */
typedef struct {
    int64_t loop;        /* loops done */
    int64_t loops;       /* loops planned when the checkpoint was made */
    double seconds;      /* wall time of these loops, over all parts of the run */
    uint64_t metrics_digest; /* results.digest, on rank 0 */
    int64_t spikes;          /* recorded in these loops, of all ranks, where output.spikes is all */
    uint64_t spikes_digest;  /* spool_digest() of them, of all ranks */
    best_tests best;
} checkpoint_progress;

/** Which run a checkpoint is of. Texts are owned: checkpoint_forget(). */
typedef struct {
    int32_t format;          /* 1: of an earlier version, without what is behind inputs */
    int64_t loop;
    char *configuration;     /* as given (parameters.yaml) */
    char *inputs;            /* config_inputs() */
    char *revision;
    char *identity;          /* config_identity() when the run began */
    char *build;             /* version_build() */
    uint64_t metrics_digest; /* results.digest; 0: not known */
    int64_t spikes;          /* as in checkpoint_progress; -1: not known */
    uint64_t spikes_digest;
} checkpoint_origin;

/** DIR/checkpoint/NAME. @return owned by the caller, free() */
char *checkpoint_path(const char *directory, const char *name);

/** What a name in DIR/checkpoint says. A part is one of the others that is being written, or that a killed run did not end. */
typedef enum { CHECKPOINT_FOREIGN, CHECKPOINT_GENERATION, CHECKPOINT_BEST, CHECKPOINT_SPIKES, CHECKPOINT_INPUT, CHECKPOINT_PART } checkpoint_kind;
checkpoint_kind checkpoint_kind_of(const char *name);

/** DIR/checkpoint, for readdir(). Not a link to a folder. On one rank. @return closedir(); NULL with errno */
DIR *checkpoint_open_folder(const char *directory);

/** Is DIR/checkpoint a folder, or not there? On one rank. @return STATUS_INPUT with a message; not agreed */
status checkpoint_check_folder(const char *directory);

/** STATUS_INPUT with a message if a folder there has the name of a file of the run. On one rank. */
status checkpoint_check_files(const char *directory);

/** Remove what a run wrote into DIR/checkpoint, then the folder, unless there is something else in it: that stays, and is told. On one rank.
 *  @return errno, 0 for none */
int checkpoint_remove_all(const char *directory);

/** Make DIR/checkpoint if it is not there. On one rank. */
void checkpoint_make_folder(const char *directory);

/** What a checkpoint says of the run. Borrowed. */
typedef struct {
    const char *configuration; /* as given (parameters.yaml) */
    const char *inputs, *identity;
} checkpoint_run;

/** Save after loop progress->loop; when it is safe, remove generations older than the last but one, and those of best tests that none of the others can go back
 *  to. Collective.
 *  @param kind CHECKPOINT_GENERATION, or CHECKPOINT_BEST: of the best test so far. @return not yet printed; STATUS_FAILURE leaves older ones as they are */
status checkpoint_save(const run_subject *subject, const char *directory, checkpoint_kind kind, const checkpoint_progress *progress,
                       const checkpoint_run *run);

/** Remove all generations but the newest, and that of the best test: a run that is done needs no more. Not collective; rank 0. */
void checkpoint_keep_newest(const char *directory);

/** Loop of the newest whole checkpoint of @p directory, 0 if there is none; damaged ones, and those that are not of the loop in their name, are named in
 *  warnings. Collective.
 *  @param[out] newest  loop of the newest one, damaged or not; -1: none
 *  @param[out] path  of the one found, owned by the caller (free()), NULL if there is none
 *  @return STATUS_INPUT, agreed and printed, when there are checkpoints but all are damaged */
status checkpoint_find(const context *context, const char *directory, int64_t *loop, int64_t *newest, char **path);

/** As checkpoint_find(), of the best test (checkpoint.keep_best). */
status checkpoint_find_best(const context *context, const char *directory, int64_t *loop, char **path);

/** Loop of the best test of which there is a checkpoint, whole or not; -1: none. On one rank. */
int64_t checkpoint_best(const char *directory);

/** A run goes back to after @p loop: remove checkpoints of best tests that are later. On one rank. */
void checkpoint_forget_best(const char *directory, int64_t loop);

/** Path of the newest checkpoint, whole or not, of the run in @p folder, or in a folder of checkpoints. On one rank.
 *  @return owned, free(); NULL: there is none */
char *checkpoint_newest_in(const char *folder);

/** Loop of the newest checkpoint, whole or not; -1: none. On one rank. */
int64_t checkpoint_newest(const char *directory);

/** Remove what a killed save left behind, which may be as large as a checkpoint. On one rank, which has locked the run. */
void checkpoint_remove_parts(const char *directory);

/** What a checkpoint says of its run; an older format is told. Collective. @return agreed and printed */
status checkpoint_read_origin(const context *context, const char *path, checkpoint_origin *origin);
void checkpoint_forget(checkpoint_origin *origin);

/** Read everything into a subject just built from the same configuration. Collective. @return agreed and printed */
status checkpoint_load(const run_subject *subject, const char *path, checkpoint_progress *progress);

/** Only the weights, settled. Collective. @return not agreed: STATUS_INPUT with a message where an array is missing, or of another type or shape */
status checkpoint_read_weights(const run_subject *subject, const char *path);

/** checkpoint_read_weights(). @return agreed and printed */
status checkpoint_load_weights(const run_subject *subject, const char *path);

#endif
