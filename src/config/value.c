#include "value.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "number.h"
#include "text.h"

/** Everything that parsing one value needs to know, and to say when it fails. */
typedef struct {
    const param *param;
    const char *section;
    const config_place *where;
    mistake_list *mistakes;
} value_reader;

size_t value_size(param_type type) {
    static const size_t sizes[] = {
        [PARAM_NUMBER] = sizeof(double), [PARAM_INTEGER] = sizeof(int64_t),       [PARAM_FLAG] = sizeof(bool),       [PARAM_CHOICE] = sizeof(int),
        [PARAM_TEXT] = sizeof(char *), [PARAM_PATH] = sizeof(char *),   [PARAM_NUMBERS] = sizeof(param_numbers), [PARAM_TEXTS] = sizeof(param_texts),
    };
    return sizes[type];
}

bool value_takes_auto(const param *entry) {
    return (entry->type == PARAM_NUMBER || entry->type == PARAM_INTEGER) && entry->fallback && strcmp(entry->fallback, "auto") == 0;
}

static bool is_auto(const value_reader *reader, const tree_node *node) {
    return value_takes_auto(reader->param) && strcmp(node->text, "auto") == 0;
}

/** Report "section.key = 'text' PROBLEM; expected ...ADVICE". Returns false for the caller to pass on. */
static bool reject_with(const value_reader *reader, const tree_node *node, const char *problem, const char *advice) {
    char expected[300];
    config_place place = tree_place(node, reader->where);
    mistakes_add(reader->mistakes, &place, "%s.%s = '%s' %s; expected %s%s", reader->section, reader->param->key, config_text_shown(node->text).text, problem,
                 value_expected(reader->param, expected, sizeof expected), advice);
    return false;
}

static bool reject(const value_reader *reader, const tree_node *node, const char *problem) {
    return reject_with(reader, node, problem, "");
}

/** Only scalars get through; a wrong kind of node is reported. */
static bool check_scalar(const value_reader *reader, const tree_node *node) {
    if (node->kind == TREE_BAD) return false;
    if (node->kind == TREE_SCALAR && !tree_is_null(node)) return true;
    bool text = reader->param->type == PARAM_TEXT || reader->param->type == PARAM_TEXTS;
    if (text && reader->where->override && node->kind == TREE_SCALAR && !*node->text) return true; /* -P output.file= */
    const char *advice = text && node->kind == TREE_SCALAR ? "; quote a text that is empty, ~ or null" : "";
    char expected[300];
    config_place place = tree_place(node, reader->where);
    mistakes_add(reader->mistakes, &place, "%s.%s: %s is given; expected %s%s", reader->section, reader->param->key, tree_describe(node),
                 value_expected(reader->param, expected, sizeof expected), advice);
    return false;
}

static bool in_range(const param *entry, double value) {
    return value >= entry->low && value <= entry->high;
}

static bool read_number(const value_reader *reader, const tree_node *node, double *value) {
    text_line why;
    if (!check_scalar(reader, node)) return false;
    if (!number_parse(node->text, reader->param->unit, value, &why)) return reject(reader, node, why.text);
    return in_range(reader->param, *value) || reject(reader, node, "is out of range");
}

static bool read_integer(const value_reader *reader, const tree_node *node, int64_t *value) {
    text_line why;
    if (!number_parse_integer(node->text, reader->param->unit, value, &why)) return reject(reader, node, why.text);
    return in_range(reader->param, (double)*value) || reject(reader, node, "is out of range");
}

/** Index of the node's text in the choices, -1 after reporting that it is none of them. */
static int read_choice(const value_reader *reader, const tree_node *node) {
    words choices = words_split(reader->param->choices);
    int index = words_find(&choices, node->text);
    if (index < 0) {
        char problem[sizeof(text_line) + 40];
        snprintf(problem, sizeof problem, "is none of them%s", words_hint(&choices, node->text).text);
        reject(reader, node, problem);
    }
    words_clear(&choices);
    return index;
}

/** Members of a list, or the node itself as the only one. */
static int member_count(const tree_node *node) {
    return node->kind == TREE_LIST ? node->count : 1;
}

static const tree_node *member(const tree_node *node, int i) {
    return node->kind == TREE_LIST ? node->items[i] : node;
}

static bool store_numbers(const value_reader *reader, const tree_node *node, param_numbers *target) {
    int count = member_count(node);
    double *values = config_text_alloc((size_t)count, sizeof *values);
    bool good = true;
    for (int i = 0; i < count && !mistakes_full(reader->mistakes); i++) good &= read_number(reader, member(node, i), &values[i]);
    if (!good) {
        free(values);
        return false;
    }
    free(target->values);
    *target = (param_numbers){.count = count, .values = values};
    return true;
}

static void clear_texts(param_texts *texts) {
    for (int i = 0; i < texts->count; i++) free(texts->values[i]);
    free(texts->values);
    *texts = (param_texts){0};
}

static bool store_texts(const value_reader *reader, const tree_node *node, param_texts *target) {
    param_texts texts = {.count = member_count(node)};
    texts.values = config_text_alloc((size_t)texts.count, sizeof *texts.values);
    bool good = true;
    for (int i = 0; i < texts.count && !mistakes_full(reader->mistakes); i++) {
        const tree_node *item = member(node, i);
        bool fits = check_scalar(reader, item) && (!reader->param->choices || read_choice(reader, item) >= 0);
        if (fits) texts.values[i] = config_text_copy(item->text);
        good &= fits;
    }
    if (!good) {
        clear_texts(&texts);
        return false;
    }
    clear_texts(target);
    *target = texts;
    return true;
}

static bool store_number(const value_reader *reader, const tree_node *node, double *target) {
    double value = PARAM_AUTO_NUMBER;
    if (!check_scalar(reader, node) || (!is_auto(reader, node) && !read_number(reader, node, &value))) return false;
    *target = value;
    return true;
}

static bool store_integer(const value_reader *reader, const tree_node *node, int64_t *target) {
    int64_t value = PARAM_AUTO_INTEGER;
    if (!check_scalar(reader, node) || (!is_auto(reader, node) && !read_integer(reader, node, &value))) return false;
    *target = value;
    return true;
}

/** Spellings of other versions of YAML and of other languages. */
static const char *flag_advice(const char *text) {
    static const char *const spelled[2][6] = {{"false", "no", "off", "n", "f", "0"}, {"true", "yes", "on", "y", "t", "1"}};
    for (int yes = 0; yes < 2; yes++)
        for (int k = 0; k < 6; k++)
            if (strcasecmp(text, spelled[yes][k]) == 0) return yes ? " (did you mean 'true'?)" : " (did you mean 'false'?)";
    return "";
}

static bool store_flag(const value_reader *reader, const tree_node *node, bool *target) {
    if (!check_scalar(reader, node)) return false;
    bool yes = strcmp(node->text, "true") == 0;
    if (!yes && strcmp(node->text, "false") != 0) return reject_with(reader, node, "is neither true nor false", flag_advice(node->text));
    *target = yes;
    return true;
}

static bool store_choice(const value_reader *reader, const tree_node *node, int *target) {
    if (!check_scalar(reader, node)) return false;
    int index = read_choice(reader, node);
    if (index >= 0) *target = index;
    return index >= 0;
}

static bool store_text(const value_reader *reader, const tree_node *node, char **target) {
    if (!check_scalar(reader, node)) return false;
    if (reader->param->type == PARAM_PATH && node->text[0] == '~')
        return reject(reader, node, "begins with '~', which only a shell expands: write it in full (or ./~ for such a name)");
    if (reader->param->type == PARAM_PATH && !reader->param->fallback && !*node->text) return reject(reader, node, "is empty");
    free(*target);
    *target = config_text_copy(node->text);
    return true;
}

/** An empty list where one number is the default means that: no list of this key is empty. Where the default is a list, an empty one says what it says. */
static bool is_taken_back(const param *entry, const tree_node *node) {
    return node->kind == TREE_LIST && node->count == 0 && entry->fallback && entry->fallback[0] != '[';
}

bool value_store(const param *entry, const char *section, const tree_node *node, const config_place *where, mistake_list *mistakes, void *base) {
    value_reader reader = {.param = entry, .section = section, .where = where, .mistakes = mistakes};
    void *target = (char *)base + entry->offset;
    switch (entry->type) {
        case PARAM_NUMBER: return store_number(&reader, node, target);
        case PARAM_INTEGER: return store_integer(&reader, node, target);
        case PARAM_FLAG: return store_flag(&reader, node, target);
        case PARAM_CHOICE: return store_choice(&reader, node, target);
        case PARAM_TEXT:
        case PARAM_PATH: return store_text(&reader, node, target);
        case PARAM_NUMBERS:
            if (is_taken_back(entry, node)) value_store_default(entry, section, base);
            return is_taken_back(entry, node) || store_numbers(&reader, node, target);
        case PARAM_TEXTS: return store_texts(&reader, node, target);
    }
    context_abort("config: %s.%s has the unknown type %d", section, entry->key, (int)entry->type);
}

/** The default of a text is the text itself ("" is empty), unless it is quoted as in a file. */
static bool is_raw_text(const param *entry) {
    return value_is_text(entry) && entry->fallback[0] != '"' && entry->fallback[0] != '\'';
}

void value_store_default(const param *entry, const char *section, void *base) {
    if (!entry->fallback) {
        if (value_is_text(entry)) *(char **)((char *)base + entry->offset) = config_text_copy(""); /* a text is never NULL */
        return;
    }
    char shown[300];
    snprintf(shown, sizeof shown, "%s.%s=%s", section, entry->key, entry->fallback);
    config_place where = {.file = shown};
    mistake_list mistakes = {.in_schema = true};
    tree_node raw = {.kind = TREE_SCALAR, .text = (char *)entry->fallback}, none = {.kind = TREE_LIST}, *root = NULL;
    bool list = entry->type == PARAM_NUMBERS || entry->type == PARAM_TEXTS;
    if (!is_raw_text(entry)) tree_parse(entry->fallback, strlen(entry->fallback), &where, &mistakes, &root);
    const tree_node *node = root ? root : list ? &none : &raw;
    value_store(entry, section, node, &where, &mistakes, base);
    tree_free(root);
}

void value_clear(const param *entry, void *base) {
    void *target = (char *)base + entry->offset;
    if (value_is_text(entry)) free(*(char **)target);
    if (entry->type == PARAM_NUMBERS) free(((param_numbers *)target)->values);
    if (entry->type == PARAM_TEXTS) clear_texts(target);
    memset(target, 0, value_size(entry->type));
}
