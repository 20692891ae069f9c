/* Commands: what their kinds share, and the factor in front of them. */
#include <stdio.h>

#include "signals.h"

extern const command_kind command_smooth_noise, command_sines, command_steps, command_pulses, command_file, command_filtered_noise, command_none;

/* To add a kind: write src/signals/command_NAME.c after the pattern of command_steps.c, and a line here. */
const command_kind *const command_kinds[] = {&command_smooth_noise,   &command_sines, &command_steps, &command_pulses, &command_file,
                                             &command_filtered_noise, &command_none,  NULL};

typedef struct { double scale; } command_settings;

static const param common_params[] = {
    {"scale", PARAM_NUMBER, UNIT_NONE, "auto", -1e9, 1e9, NULL,
     "factor in front of the command; auto: 1, but where noise drives a linear teacher such that the teacher has standard deviation 1 per dimension",
     offsetof(command_settings, scale), MAY_TEST},
};
const param_table command_common = {"stimulus", "the command that drives teacher and network", common_params, sizeof common_params / sizeof *common_params,
                                    sizeof(command_settings)};

struct command {
    const command_kind *kind;
    void *self;
    int dimensions;
    double scale;
    bool found; /**< the scale, for "auto" */
    char about[512];
};

static const command_kind *kind_of(const signal_setting *setting) {
    return command_kinds[config_variant_index(setting->config, SIGNALS_COMMAND)];
}

status command_check(const signal_setting *setting) {
    const command_kind *kind = kind_of(setting);
    return kind->check ? kind->check(setting, config_variant(setting->config, SIGNALS_COMMAND)) : STATUS_OK;
}

void command_fill(command *command, uint64_t stream, int64_t first, int count, double *values) {
    command->kind->fill(command->self, stream, first, count, values);
    double scale = command->scale;
    size_t all = (size_t)count * (size_t)command->dimensions;
    for (size_t i = 0; scale != 1 && i < all; i++) values[i] *= scale;
}

/* ---- scale ---- */

enum { CHUNK = 1024 };

/** Steps of the trial: long enough for a root mean square to within a few percent, and for many dimensions, which are averaged over, shorter. */
static int64_t trial_steps(const signal_setting *setting) {
    const double longest = 1000, shortest = 50, most = 2e7; /* s, s, steps */
    double seconds = fmax(shortest, fmin(longest, 2 * longest / setting->dimensions));
    return (int64_t)fmin(most, ceil(seconds / setting->dt));
}

/** Root mean square of the teacher, which the command drives as it is. NAN: it does not stay finite */
static double teacher_size(command *command, teacher *teacher, const signal_setting *setting) {
    int dimensions = setting->dimensions;
    int64_t steps = trial_steps(setting), skip = steps / 10;
    double *c = memory_new(MEMORY_BUFFERS, (size_t)CHUNK * (size_t)dimensions, sizeof *c);
    double *x = memory_new(MEMORY_BUFFERS, (size_t)(CHUNK + 1) * (size_t)dimensions, sizeof *x), sum = 0;
    for (int64_t n = 0; n < steps && isfinite(sum); n += CHUNK) {
        command_fill(command, SIGNALS_STREAM_OF_SCALE, n, CHUNK, c);
        teacher_advance(teacher, 0, n, CHUNK, c, x); /* from 0 */
        for (int i = 0; n >= skip && i < CHUNK * dimensions; i++) sum += x[i] * x[i];
        memcpy(x, x + (size_t)CHUNK * (size_t)dimensions, (size_t)dimensions * sizeof *x);
    }
    int64_t chunks = (steps + CHUNK - 1) / CHUNK - (skip + CHUNK - 1) / CHUNK;
    memory_free(c), memory_free(x);
    return isfinite(sum) ? sqrt(sum / ((double)chunks * CHUNK * dimensions)) : NAN;
}

static status find_scale(command *command, teacher *teacher, const signal_setting *setting) {
    if (!teacher || !teacher_matrix(teacher) || !command->kind->lasting) return STATUS_OK;
    double size = teacher_size(command, teacher, setting);
    if (!(size > 0))
        return config_complain(setting->config, SIGNALS_COMMAND, "scale", "auto finds no standard deviation of the teacher (%g): give a number", size);
    command->scale = 1 / size;
    command->found = true;
    return STATUS_OK;
}

/* ---- life ---- */

status command_open(const signal_setting *setting, teacher *teacher, command **result) {
    *result = NULL;
    status agreed = status_agree(setting->context, command_check(setting));
    if (agreed != STATUS_OK) return agreed;
    const command_settings *settings = config_common(setting->config, SIGNALS_COMMAND);
    void *parameters = config_variant(setting->config, SIGNALS_COMMAND);
    command *command = memory_new(MEMORY_TARGETS, 1, sizeof *command);
    command->kind = kind_of(setting);
    command->dimensions = setting->dimensions;
    command->scale = isnan(settings->scale) ? 1 : settings->scale;
    signals_describe(command->kind->parameters, parameters, command->about, sizeof command->about);
    if (command->kind->open) agreed = command->kind->open(setting, parameters, &command->self);
    if (agreed == STATUS_OK && isnan(settings->scale)) agreed = status_agree(setting->context, find_scale(command, teacher, setting));
    if (agreed == STATUS_OK) *result = command;
    else command_close(command);
    return agreed;
}

void command_close(command *command) {
    if (!command) return;
    if (command->kind->close) command->kind->close(command->self);
    memory_free(command);
}

double command_scale(const command *command) {
    return command->scale;
}

void command_describe(const command *command, char *text, size_t size) {
    if (command->kind == &command_none) snprintf(text, size, "%s", command->about);
    else snprintf(text, size, "%s, scale %.6g%s", command->about, command->scale, command->found ? " (auto)" : "");
}
