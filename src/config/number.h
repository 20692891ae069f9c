/** @file number.h
 *  Strict numbers with units. Nothing is guessed: the whole text must be understood.
 */
#ifndef CONFIG_NUMBER_H
#define CONFIG_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/config.h"
#include "text.h"

/** Parse a decimal number with an optional unit ("20 ms", "0.02s", "1e5", "1/ms") into the first unit of @p unit.
 *  The power of ten of a unit joins the exponent before the one rounding, so 0.02 s and 20 ms give the same bits.
 *  @param[out] why on failure, what is wrong, to follow the quoted text: "is not a number"
 *  @return false if the text is anything else: hexadecimal, nan, inf, decimal comma, leading zeros, empty, too large for a double */
bool number_parse(const char *text, param_unit unit, double *value, text_line *why);

/** Parse a whole number exactly; 1e5 and 100000.0 are whole. Magnitude up to INT64_MAX. As number_parse() otherwise. */
bool number_parse_integer(const char *text, param_unit unit, int64_t *value, text_line *why);

/** "ms", "Hz", "mV", or "" */
const char *number_unit(param_unit unit);

/** "ms (also s, us, min, h)", or "" */
const char *number_units(param_unit unit);

#endif
