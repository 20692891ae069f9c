# Writes version.c with the revision of the checkout; run at every build, so that a commit shows without configuring again.
execute_process(COMMAND git describe --always --dirty --abbrev=12 WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE ENGRAM_REVISION
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed OR ENGRAM_REVISION STREQUAL "")
  set(ENGRAM_REVISION "unknown")
endif()
configure_file(${SOURCE_DIR}/src/run/version.c.in ${OUTPUT} @ONLY)
