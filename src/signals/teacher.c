/* Teachers: what their kinds share. */
#include <stdio.h>

#include "signals.h"

extern const teacher_kind teacher_oscillator, teacher_leak, teacher_arm, teacher_demo, teacher_linear, teacher_random_stable, teacher_bistable,
    teacher_van_der_pol, teacher_pendulum, teacher_lorenz, teacher_lorenz96, teacher_trajectory;

/* To add a kind: write src/signals/teacher_NAME.c after the pattern of teacher_bistable.c (teacher_oscillator.c if it is linear), and a line here. */
const teacher_kind *const teacher_kinds[] = {&teacher_oscillator, &teacher_leak,        &teacher_arm,      &teacher_demo,   &teacher_linear,
                                             &teacher_random_stable, &teacher_bistable, &teacher_van_der_pol, &teacher_pendulum, &teacher_lorenz,
                                             &teacher_lorenz96, &teacher_trajectory, NULL};

typedef struct { param_numbers initial, limits, box; } teacher_settings;

static const param common_params[] = {
    {"initial", PARAM_NUMBERS, UNIT_NONE, "[]", -1e9, 1e9, NULL, "state that a trial begins in, of each dimension or one for all; []: that of the kind, else 0",
     offsetof(teacher_settings, initial)},
    {"limits", PARAM_NUMBERS, UNIT_NONE, "[]", 0, 1e9, NULL,
     "a trial in which a state goes beyond +- these is drawn anew; of each dimension or one for all, 0: none; []: those of the kind",
     offsetof(teacher_settings, limits)},
    {"box", PARAM_NUMBERS, UNIT_NONE, "[]", 0, 1e9, NULL,
     "half widths of the box that features of a nonlinear basis cover, of each dimension or one for all; []: that of the kind",
     offsetof(teacher_settings, box)},
};
const param_table teacher_common = {"targets", "the teacher: the dynamical system that the network is to learn", common_params,
                                    sizeof common_params / sizeof *common_params, sizeof(teacher_settings)};

enum { CHUNK = 256 };

struct teacher {
    const teacher_kind *kind;
    void *self;
    int dimensions;
    double dt;
    double *initial; /**< [J] or NULL */
    double *limits;  /**< [J] or NULL; 0: none */
    double *box;     /**< [J] or NULL */
    double *c, *x;   /**< [CHUNK][J], [CHUNK+1][J]: paths that are looked at only */
    char about[512];
};

static const teacher_kind *kind_of(const config *config) {
    return teacher_kinds[config_variant_index(config, SIGNALS_TEACHER)];
}

status teacher_check(const signal_setting *setting) {
    const teacher_settings *settings = config_common(setting->config, SIGNALS_TEACHER);
    const teacher_kind *kind = kind_of(setting->config);
    status mine = signals_check_list(setting, SIGNALS_TEACHER, "initial", &settings->initial);
    mine = status_worse(mine, signals_check_list(setting, SIGNALS_TEACHER, "limits", &settings->limits));
    mine = status_worse(mine, signals_check_list(setting, SIGNALS_TEACHER, "box", &settings->box));
    if (kind->at && settings->initial.count)
        mine = config_complain(setting->config, SIGNALS_TEACHER, "initial", "%s begins where its path does", kind->parameters->name);
    for (int i = 0; i < settings->box.count; i++)
        if (settings->box.values[i] <= 0) mine = config_complain(setting->config, SIGNALS_TEACHER, "box", "half widths are above 0");
    if (kind->dimensions && setting->dimensions != kind->dimensions)
        mine = config_complain(setting->config, SIGNALS_TEACHER, "kind", "%s has %d dimension%s, not %d", kind->parameters->name, kind->dimensions,
                               kind->dimensions == 1 ? "" : "s", setting->dimensions);
    if (kind->check) mine = status_worse(mine, kind->check(setting, config_variant(setting->config, SIGNALS_TEACHER)));
    return mine;
}

status teacher_resolve(const context *context, config *config, int *dimensions, int *tasks) {
    const teacher_kind *kind = kind_of(config);
    int has = kind->dimensions;
    *tasks = 1;
    status agreed = kind->resolve ? kind->resolve(context, config, config_variant(config, SIGNALS_TEACHER), &has, tasks) : STATUS_OK;
    if (agreed != STATUS_OK) return agreed;
    status mine = STATUS_OK;
    if (has == 0 && *dimensions == 0)
        mine = config_complain(config, SIGNALS_TEACHER, "kind", "%s has any number of dimensions: the network has to say how many", kind->parameters->name);
    else if (has && *dimensions && has != *dimensions)
        mine = config_complain(config, SIGNALS_TEACHER, "kind", "%s has %d dimension%s, but the network has %d", kind->parameters->name, has,
                               has == 1 ? "" : "s", *dimensions);
    else if (has) *dimensions = has;
    return status_agree(context, mine);
}

/* ---- life ---- */

/** The list of the file, else that of the kind. @return owned; NULL if there is neither */
static double *fill_list(const param_numbers *given, const double *fallback, int dimensions) {
    if (!given->count && !fallback) return NULL;
    double *list = memory_new(MEMORY_TARGETS, (size_t)dimensions, sizeof *list);
    for (int j = 0; j < dimensions; j++) list[j] = given->count ? signals_entry(given, j, 0) : fallback[j];
    return list;
}

static void cover(teacher *teacher) {
    if (teacher->box || !teacher->kind->cover) return;
    teacher->box = memory_new(MEMORY_TARGETS, (size_t)teacher->dimensions, sizeof(double));
    teacher->kind->cover(teacher->self, teacher->box);
}

status teacher_open(const signal_setting *setting, teacher **result) {
    *result = NULL;
    status agreed = status_agree(setting->context, teacher_check(setting));
    if (agreed != STATUS_OK) return agreed;
    const teacher_settings *settings = config_common(setting->config, SIGNALS_TEACHER);
    void *parameters = config_variant(setting->config, SIGNALS_TEACHER);
    teacher *teacher = memory_new(MEMORY_TARGETS, 1, sizeof *teacher);
    size_t dimensions = (size_t)setting->dimensions;
    teacher->kind = kind_of(setting->config);
    teacher->dimensions = setting->dimensions;
    teacher->dt = setting->dt;
    teacher->initial = fill_list(&settings->initial, NULL, setting->dimensions);
    teacher->limits = fill_list(&settings->limits, teacher->kind->limits, setting->dimensions);
    teacher->box = fill_list(&settings->box, teacher->kind->box, setting->dimensions);
    teacher->c = memory_new(MEMORY_TARGETS, CHUNK * dimensions, sizeof(double));
    teacher->x = memory_new(MEMORY_TARGETS, (CHUNK + 1) * dimensions, sizeof(double));
    signals_describe(teacher->kind->parameters, parameters, teacher->about, sizeof teacher->about);
    agreed = teacher->kind->open(setting, parameters, &teacher->self);
    if (agreed == STATUS_OK) {
        cover(teacher);
        *result = teacher;
    } else teacher_close(teacher);
    return agreed;
}

void teacher_close(teacher *teacher) {
    if (!teacher) return;
    teacher->kind->close(teacher->self);
    memory_free(teacher->initial), memory_free(teacher->limits), memory_free(teacher->box), memory_free(teacher->c), memory_free(teacher->x);
    memory_free(teacher);
}

/* ---- path ---- */

void teacher_begin(teacher *teacher, int task, uint64_t stream, double *x) {
    if (teacher->initial) memcpy(x, teacher->initial, (size_t)teacher->dimensions * sizeof *x);
    else if (teacher->kind->begin) teacher->kind->begin(teacher->self, task, stream, x);
    else memset(x, 0, (size_t)teacher->dimensions * sizeof *x);
}

void teacher_advance(const teacher *teacher, int task, int64_t first, int count, const double *c, double *x) {
    const teacher_kind *kind = teacher->kind;
    int dimensions = teacher->dimensions;
    if (kind->at) {
        for (int n = 1; n <= count; n++) kind->at(teacher->self, task, first + n, x + (size_t)n * (size_t)dimensions);
        return;
    }
    if (kind->advance) {
        kind->advance(teacher->self, teacher->dt, count, c, x);
        return;
    }
    for (int n = 0; n < count; n++, c += dimensions, x += dimensions) {
        double *next = x + dimensions;
        kind->field(teacher->self, x, next);
        for (int j = 0; j < dimensions; j++) next[j] = x[j] + teacher->dt * (next[j] + c[j]);
    }
}

bool teacher_field(const teacher *teacher, const double *x, double *f) {
    if (!teacher->kind->field) return false;
    teacher->kind->field(teacher->self, x, f);
    return true;
}

const double *teacher_matrix(const teacher *teacher) {
    return teacher->kind->matrix ? teacher->kind->matrix(teacher->self) : NULL;
}

int64_t teacher_steps(const teacher *teacher, int task) {
    return teacher->kind->steps ? teacher->kind->steps(teacher->self, task) : INT64_MAX;
}

/** Are all states of a path [count][J] within the limits? */
static bool within(const teacher *teacher, int count, const double *x) {
    for (int n = 0; n < count; n++)
        for (int j = 0; j < teacher->dimensions; j++, x++)
            if (teacher->limits[j] > 0 && !(fabs(*x) <= teacher->limits[j])) return false;
    return true;
}

bool teacher_accepts(teacher *teacher, command *command, int task, uint64_t stream, int64_t steps) {
    if (!teacher->limits) return true;
    int dimensions = teacher->dimensions;
    teacher_begin(teacher, task, stream, teacher->x);
    for (int64_t n = 0; n < steps; n += CHUNK) {
        int count = steps - n < CHUNK ? (int)(steps - n) : CHUNK;
        command_fill(command, stream, n, count, teacher->c);
        teacher_advance(teacher, task, n, count, teacher->c, teacher->x);
        if (!within(teacher, count + 1, teacher->x)) return false;
        memcpy(teacher->x, teacher->x + (size_t)count * (size_t)dimensions, (size_t)dimensions * sizeof(double));
    }
    return true;
}

/* ---- what it says of itself ---- */

const double *teacher_box(const teacher *teacher) {
    return teacher->box;
}

const char *teacher_task_name(const teacher *teacher, int task) {
    return teacher->kind->task_name ? teacher->kind->task_name(teacher->self, task) : NULL;
}

void teacher_describe(const teacher *teacher, char *text, size_t size) {
    snprintf(text, size, "%s", teacher->about);
}
