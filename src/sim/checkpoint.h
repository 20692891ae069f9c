/* Checkpoints of a training run: DIR/checkpoint/loop-LLLLLLLLLL.h5, two generations, each complete under its name or not there, each sealed
 * with checksums of all its bytes (io/seal.h). Read on any number of ranks. */
#ifndef ENGRAM_CHECKPOINT_H
#define ENGRAM_CHECKPOINT_H

#include <dirent.h>

#include "engram/simulation.h"

/** Section `checkpoint`. */
typedef struct {
    int64_t every_loops; /* 0: not by loops */
    double every;        /* ms of wall time, 0: not by time */
    double max_hours;    /* 0: no limit */
} checkpoint_settings;
extern const param_table checkpoint_common;

/** What a checkpoint holds beside the simulation. */
typedef struct {
    int64_t loop;        /* loops done */
    int64_t loops;       /* loops planned when the checkpoint was made */
    double seconds;      /* wall time of these loops, over all parts of the run */
    double **drive;      /* [tasks] [instants][mine] averages of the last loop of each task, NULL where there is none yet */
} checkpoint_progress;

/** DIR/checkpoint/NAME. @return owned by the caller, free() */
char *checkpoint_path(const char *directory, const char *name);

/** What a name in DIR/checkpoint says. A part is a generation or spikes that are being written, or that a killed run did not end. */
typedef enum { CHECKPOINT_FOREIGN, CHECKPOINT_GENERATION, CHECKPOINT_SPIKES, CHECKPOINT_PART } checkpoint_kind;
checkpoint_kind checkpoint_kind_of(const char *name);

/** DIR/checkpoint, for readdir(). Not a link to a folder. On one rank. @return closedir(); NULL with errno */
DIR *checkpoint_open_folder(const char *directory);

/** Is DIR/checkpoint a folder, or not there? On one rank. @return STATUS_INPUT with a message; not agreed */
status checkpoint_check_folder(const char *directory);

/** Remove what a run wrote into DIR/checkpoint, then the folder, unless there is something else in it: that stays, and is told. On one rank. @return errno, 0 for none */
int checkpoint_remove_all(const char *directory);

/** Make DIR/checkpoint if it is not there. On one rank. */
void checkpoint_make_folder(const char *directory);

/** Save after loop progress->loop; when it is safe, remove generations older than the last but one. Collective.
 *  @param configuration as given (parameters.yaml). @return not yet printed; STATUS_FAILURE leaves older generations as they are */
status checkpoint_save(simulation *sim, const char *directory, const checkpoint_progress *progress, const char *configuration, const char *inputs);

/** Remove all generations but the newest: a run that is done needs one. Not collective; rank 0. */
void checkpoint_keep_newest(const char *directory);

/** Loop of the newest whole checkpoint of @p directory, 0 if there is none; damaged ones are named in warnings. Collective.
 *  @param[out] newest  loop of the newest one, damaged or not; -1: none
 *  @param[out] path  of the one found, owned by the caller (free()), NULL if there is none
 *  @return STATUS_INPUT, agreed and printed, when there are checkpoints but all are damaged */
status checkpoint_find(const context *context, const char *directory, int64_t *loop, int64_t *newest, char **path);

/** Loop of the newest checkpoint, whole or not; -1: none. On one rank. */
int64_t checkpoint_newest(const char *directory);

/** Remove what a killed save left behind, which may be as large as P. On one rank, which has locked the run. */
void checkpoint_remove_parts(const char *directory);

/** List of input files (config_inputs()) of the run when the checkpoint was made. Collective. @return owned; "" where it cannot be read */
char *checkpoint_inputs(const context *context, const char *path);

/** Read everything into a simulation just built from the same configuration. Collective. @return agreed and printed */
status checkpoint_load(simulation *sim, const char *path, checkpoint_progress *progress);

/** Only the plastic weights, of the newest whole checkpoint of @p directory. Collective. @param[out] loop after which they were saved @return agreed and printed */
status checkpoint_load_weights(const char *directory, simulation *sim, int64_t *loop);

#endif
