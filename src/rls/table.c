#include "engram/rls.h"

#include <stddef.h>

extern const rls_store_kind rls_spike_driven, rls_distributed, rls_textbook, rls_packed;

/* To add a store: write src/rls/NAME.c after the pattern of textbook.c, and a line here; tests/conformance runs it against the textbook. */
const rls_store_kind *const rls_store_kinds[] = {&rls_spike_driven, &rls_distributed, &rls_textbook, &rls_packed, NULL};
