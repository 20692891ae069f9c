#include "number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_MANTISSA = 400 };
static const long LARGEST_EXPONENT = 1000000; /* beyond what any mantissa of that length can balance */

/** A spelling of a unit: value in the first unit of its kind = number * 10^power * times. */
typedef struct {
    const char *spelling;
    param_unit kind;
    int power;
    double times;
} unit_spelling;

static const unit_spelling spellings[] = {
    {"ms", UNIT_TIME, 0, 1},    {"s", UNIT_TIME, 3, 1},    {"us", UNIT_TIME, -3, 1},   {"min", UNIT_TIME, 4, 6},   {"h", UNIT_TIME, 5, 36},
    {"Hz", UNIT_RATE, 0, 1},    {"kHz", UNIT_RATE, 3, 1},  {"1/s", UNIT_RATE, 0, 1},   {"1/ms", UNIT_RATE, 3, 1},  {"/s", UNIT_RATE, 0, 1},
    {"/ms", UNIT_RATE, 3, 1}, /* "/ms": so that "1/ms" and "5/ms" are numbers with a unit */
    {"mV", UNIT_VOLTAGE, 0, 1}, {"V", UNIT_VOLTAGE, 3, 1}, {"pA", UNIT_CURRENT, 0, 1}, {"nA", UNIT_CURRENT, 3, 1},
    {"pF", UNIT_CAPACITANCE, 0, 1}, {"nF", UNIT_CAPACITANCE, 3, 1},
};

enum { SPELLINGS = sizeof spellings / sizeof *spellings };

/** What is known about a kind of unit. */
static const struct { const char *first, *all, *kind; } kinds[] = {
    [UNIT_NONE] = {"", "", "no unit"},
    [UNIT_TIME] = {"ms", "ms (also s, us, min, h)", "a time"},
    [UNIT_RATE] = {"Hz", "Hz (also kHz, 1/s, 1/ms)", "a rate"},
    [UNIT_VOLTAGE] = {"mV", "mV (also V)", "a voltage"},
    [UNIT_CURRENT] = {"pA", "pA (also nA)", "a current"},
    [UNIT_CAPACITANCE] = {"pF", "pF (also nF)", "a capacitance"},
};

const char *number_unit(param_unit unit) {
    return kinds[unit].first;
}

const char *number_units(param_unit unit) {
    return kinds[unit].all;
}

/** A decimal number cut into parts; they point into the text. */
typedef struct {
    bool negative;
    const char *mantissa; /**< digits with at most one '.', no sign */
    int length;           /**< of the mantissa */
    long exponent;
    const char *rest; /**< what follows the number and spaces */
} decimal;

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *text) {
    while (is_digit(*text)) text++;
    return text;
}

/** Our own grammar instead of strtod's, which also takes hexadecimal, nan, inf, and the comma of some locales. */
static bool decimal_scan(const char *text, decimal *number, text_line *why) {
    *number = (decimal){.negative = *text == '-'};
    text += *text == '-' || *text == '+';
    const char *point = skip_digits(text), *end = point;
    if (*point == '.') end = skip_digits(point + 1);
    if (end - text - (*point == '.') == 0 || end - text > LONGEST_MANTISSA) {
        snprintf(why->text, sizeof why->text, "is not a number");
        return false;
    }
    if (*text == '0' && is_digit(text[1])) {
        snprintf(why->text, sizeof why->text, "has leading zeros, which is ambiguous (octal?): write it without them");
        return false;
    }
    number->mantissa = text;
    number->length = (int)(end - text);
    if ((*end == 'e' || *end == 'E') && is_digit(end[1 + (end[1] == '-' || end[1] == '+')])) {
        char *after;
        long exponent = strtol(end + 1, &after, 10); /* saturates */
        number->exponent = exponent > LARGEST_EXPONENT ? LARGEST_EXPONENT : exponent < -LARGEST_EXPONENT ? -LARGEST_EXPONENT : exponent;
        end = after;
    }
    number->rest = end + strspn(end, " \t");
    return true;
}

static const unit_spelling *find_spelling(const char *text) {
    for (int i = 0; i < SPELLINGS; i++)
        if (strcmp(spellings[i].spelling, text) == 0) return &spellings[i];
    return NULL;
}

/** Explain why @p rest cannot follow the number. Returns false for the caller to pass on. */
static bool reject_rest(const char *rest, param_unit unit, text_line *why) {
    const unit_spelling *found = find_spelling(rest);
    char shown[40];
    snprintf(shown, sizeof shown, "%.39s", config_text_shown(rest).text);
    if (found && unit == UNIT_NONE) {
        snprintf(why->text, sizeof why->text, "has the unit %s, but takes no unit", shown);
    } else if (found) {
        snprintf(why->text, sizeof why->text, "has the unit %s of %s", shown, kinds[found->kind].kind);
    } else if (unit == UNIT_NONE || *rest == ',' || *rest == '.' || *rest == '_') {
        snprintf(why->text, sizeof why->text, "is not a number: '%s' is left over", shown);
    } else {
        words allowed = words_new(SPELLINGS);
        for (int i = 0; i < SPELLINGS; i++)
            if (spellings[i].kind == unit && spellings[i].spelling[0] != '/') words_add(&allowed, spellings[i].spelling);
        snprintf(why->text, sizeof why->text, "has the unknown unit '%s'%.60s", shown, words_hint(&allowed, rest).text);
        words_clear(&allowed);
    }
    return false;
}

/** Split into number and unit. @p spelling is NULL for a bare number. */
static bool scan_with_unit(const char *text, param_unit unit, decimal *number, const unit_spelling **spelling, text_line *why) {
    *spelling = NULL;
    if (!decimal_scan(text, number, why)) return false;
    if (!*number->rest) return true;
    *spelling = find_spelling(number->rest);
    if (!*spelling || (*spelling)->kind != unit) return reject_rest(number->rest, unit, why);
    return true;
}

static bool is_zero(const decimal *number) {
    for (int i = 0; i < number->length; i++)
        if (number->mantissa[i] != '0' && number->mantissa[i] != '.') return false;
    return true;
}

bool number_parse(const char *text, param_unit unit, double *value, text_line *why) {
    decimal number;
    const unit_spelling *spelling;
    if (!scan_with_unit(text, unit, &number, &spelling, why)) return false;
    char scaled[LONGEST_MANTISSA + 40];
    snprintf(scaled, sizeof scaled, "%s%.*se%ld", number.negative ? "-" : "", number.length, number.mantissa,
             number.exponent + (spelling ? spelling->power : 0));
    char *end;
    *value = strtod(scaled, &end) * (spelling ? spelling->times : 1.0);
    if (*end) context_abort("config: strtod stopped at '%s' in '%s': is LC_NUMERIC not C?", end, scaled);
    if (isfinite(*value) && (*value != 0 || is_zero(&number))) return true;
    snprintf(why->text, sizeof why->text, "is too %s for a double", isfinite(*value) ? "small" : "large");
    return false;
}

/** Digits and power of ten to an integer, without rounding. */
static bool integer_of_digits(const char *digits, int count, long power, int64_t *value, text_line *why) {
    while (count > 0 && digits[count - 1] == '0') count--, power++;
    *value = 0;
    if (count == 0) return true;
    if (power < 0) {
        snprintf(why->text, sizeof why->text, "is not a whole number");
        return false;
    }
    bool overflow = power > 18;
    for (long i = 0; i < count + power && !overflow; i++)
        overflow = __builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, i < count ? digits[i] - '0' : 0, value);
    if (overflow) snprintf(why->text, sizeof why->text, "is too large for an integer of 64 bits");
    return !overflow;
}

/** A whole number given with a unit ("2 s" for an integer of ms): goes through double, so only up to 2^53. */
static bool integer_with_unit(const char *text, param_unit unit, int64_t *value, text_line *why) {
    double number;
    if (!number_parse(text, unit, &number, why)) return false;
    *value = 0;
    if (number == floor(number) && fabs(number) <= 0x1p53) {
        *value = (int64_t)number;
        return true;
    }
    snprintf(why->text, sizeof why->text, "is not a whole number of %s, or too large", number_unit(unit));
    return false;
}

bool number_parse_integer(const char *text, param_unit unit, int64_t *value, text_line *why) {
    decimal number;
    const unit_spelling *spelling;
    if (!scan_with_unit(text, unit, &number, &spelling, why)) return false;
    if (spelling) return integer_with_unit(text, unit, value, why);
    char digits[LONGEST_MANTISSA + 1];
    int count = 0, fraction = 0;
    bool after_point = false;
    for (int i = 0; i < number.length; i++) {
        if (number.mantissa[i] == '.') {
            after_point = true;
            continue;
        }
        digits[count++] = number.mantissa[i];
        fraction += after_point;
    }
    if (!integer_of_digits(digits, count, number.exponent - fraction, value, why)) return false;
    if (number.negative) *value = -*value;
    return true;
}
