#include "engram/test_settings.h"

static const param params[] = {
    {"trials", PARAM_INTEGER, UNIT_NONE, "0", 0, 1 << 20, NULL,
     "trials per task with frozen weights after training: trial-averaged drive, PSTH and scores in test.h5",
     offsetof(test_settings, trials), MAY_RESUME | MAY_TEST},
    {"every", PARAM_INTEGER, UNIT_NONE, "0", 0, 1 << 30, NULL,
     "loops between tests during training, of as many trials, whose scores are columns test_* of metrics.csv (validation_* if samples are kept for them);"
     " 0: none",
     offsetof(test_settings, every), MAY_RESUME | MAY_TEST},
    {"stop_at", PARAM_NUMBER, UNIT_NONE, "auto", -1e300, 1e300, NULL,
     "score of such a test that is good enough: training ends one loop of each task later; auto: after learning.loops only", offsetof(test_settings, stop_at),
     MAY_RESUME | MAY_TEST},
    {"psth_bin", PARAM_NUMBER, UNIT_TIME, "20 ms", 1e-3, 1e9, NULL, "bin of the peri-stimulus time histograms",
     offsetof(test_settings, psth_bin), MAY_RESUME | MAY_TEST},
};
const param_table test_common = {"test", "trials with frozen weights", params, sizeof params / sizeof *params, sizeof(test_settings)};
