#include "engram/rule.h"

extern const learning_rule rule_rls, rule_none;

/* To add a rule: write src/rules/NAME.c after the pattern of rls.c, and a line here. */
const learning_rule *const learning_rules[] = {&rule_rls, &rule_none, NULL};

static const param common_params[] = {
    {"every", PARAM_NUMBER, UNIT_TIME, "10 ms", 1e-3, 1e9, NULL, "time between learning instants, and between target samples",
     offsetof(learning_settings, every)},
    {"loops", PARAM_INTEGER, UNIT_NONE, "100", 0, 1 << 30, NULL, "training loops; loop l (from 1) presents task (l - 1) mod tasks",
     offsetof(learning_settings, loops), MAY_RESUME},
};
const param_table learning_common = {"learning", "how synapses learn", common_params, 2, sizeof(learning_settings)};

static const param_table none_table = {"none", "weights stay as they are", NULL, 0, 1};

static status create_none(const rule_setting *setting, const void *parameters, rule_state **state) {
    (void)setting, (void)parameters;
    *state = NULL;
    return STATUS_OK;
}

const learning_rule rule_none = {.parameters = &none_table, .create = create_none};
