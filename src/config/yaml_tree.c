#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "engram/context.h"
#include "text.h"
#include "tree.h"

enum { MAX_DEPTH = 16, MAX_NODES = 1000000 };

/** A tree under construction. Works on events, not on libyaml's documents, because those have forgotten the anchors. */
typedef struct {
    yaml_parser_t parser;
    const char *bytes;
    size_t length;
    const config_place *where;
    mistake_list *mistakes;
    int nodes;
} tree_builder;

static tree_node *build_node(tree_builder *builder, yaml_event_t *event, int depth);

static config_place place_at(const tree_builder *builder, yaml_mark_t mark) {
    config_place place = *builder->where;
    place.line = (int)mark.line + 1;
    place.column = (int)mark.column + 1;
    return place;
}

/** libyaml counts bytes, not lines, when a byte or a character is not allowed at all. */
static yaml_mark_t mark_of_offset(const tree_builder *builder, size_t offset) {
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < builder->length; i++) {
        bool newline = builder->bytes[i] == '\n';
        mark.line += newline;
        mark.column = newline ? 0 : mark.column + 1;
    }
    return mark;
}

/** True if the character at @p mark is a tab: libyaml's message does not help those who indent with tabs. */
static bool is_tab(const tree_builder *builder, yaml_mark_t mark) {
    const char *text = builder->bytes, *end = text + builder->length;
    for (size_t line = 0; text < end && line < mark.line; text++) line += *text == '\n';
    return (size_t)(end - text) > mark.column && text[mark.column] == '\t';
}

/** What helps with a text on the command line that YAML takes for something else. */
static const char *quoting_advice(const tree_builder *builder) {
    const char *text = builder->bytes;
    if (!builder->where->override) return "";
    text += strspn(text, " \t");
    if (*text == '"' || *text == '\'') return "; a text in quotes ends with its closing quote, and the shell takes one pair away: -P 'section.key=\"a b\"'";
    return *text && strchr("@`|>*&!", *text) ? "; a text that begins so is written in quotes: -P 'section.key=\"@text\"'" : "";
}

static void report_syntax(tree_builder *builder) {
    yaml_parser_t *parser = &builder->parser;
    bool reader = parser->error == YAML_READER_ERROR;
    yaml_mark_t mark = reader ? mark_of_offset(builder, parser->problem_offset) : parser->problem_mark;
    config_place place = place_at(builder, mark);
    char since[120] = "";
    if (!reader && parser->context)
        snprintf(since, sizeof since, " (%s at line %d)", parser->context, (int)parser->context_mark.line + 1);
    mistakes_add(builder->mistakes, &place, "YAML syntax: %s%s%s", parser->problem ? parser->problem : "unreadable", since,
                 !reader && is_tab(builder, mark) ? "; indent with spaces, not with tabs" : quoting_advice(builder));
}

static bool next_event(tree_builder *builder, yaml_event_t *event) {
    if (yaml_parser_parse(&builder->parser, event)) return true;
    report_syntax(builder);
    return false;
}

static void reject_anchor_and_tag(tree_builder *builder, tree_node *node, const yaml_char_t *anchor, const yaml_char_t *tag) {
    config_place place = tree_place(node, builder->where);
    if (anchor)
        mistakes_add(builder->mistakes, &place, "anchor '&%s' is not supported: write the value where it is used",
                     config_text_shown((const char *)anchor).text);
    if (tag) mistakes_add(builder->mistakes, &place, "tag '%s' is not supported: leave it out", config_text_shown((const char *)tag).text);
}

static tree_node *new_node(tree_builder *builder, const yaml_event_t *event, tree_kind kind) {
    tree_node *node = config_text_alloc(1, sizeof *node);
    config_place place = place_at(builder, event->start_mark);
    *node = (tree_node){.kind = kind, .line = place.line, .column = place.column};
    return node;
}

static tree_node *build_alias(tree_builder *builder, const yaml_event_t *event) {
    config_place place = place_at(builder, event->start_mark);
    mistakes_add(builder->mistakes, &place, "alias '*%s' is not supported: write the value where it is used (quote a text that starts with '*')",
                 config_text_shown((const char *)event->data.alias.anchor).text);
    return new_node(builder, event, TREE_BAD);
}

static tree_node *build_scalar(tree_builder *builder, const yaml_event_t *event) {
    tree_node *node = new_node(builder, event, TREE_SCALAR);
    reject_anchor_and_tag(builder, node, event->data.scalar.anchor, event->data.scalar.tag);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = config_text_copy((const char *)event->data.scalar.value);
    if (strlen(node->text) == event->data.scalar.length) return node;
    config_place place = tree_place(node, builder->where);
    mistakes_add(builder->mistakes, &place, "the text contains a NUL character");
    node->kind = TREE_BAD;
    return node;
}

static void append(tree_node *node, int *capacity, tree_node *item) {
    if (node->count == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 8;
        void *grown = realloc(node->items, (size_t)*capacity * sizeof *node->items);
        if (!grown) context_abort("config: no room for %d YAML nodes", *capacity);
        node->items = grown;
    }
    node->items[node->count++] = item;
}

/** Members up to the @p end event. @return false on failure; what was built stays in node */
static bool build_items(tree_builder *builder, tree_node *node, yaml_event_type_t end, int depth) {
    for (int capacity = 0;;) {
        yaml_event_t event;
        if (!next_event(builder, &event)) return false;
        if (event.type == end) {
            yaml_event_delete(&event);
            return true;
        }
        tree_node *item = build_node(builder, &event, depth + 1);
        if (!item) return false;
        append(node, &capacity, item);
    }
}

static tree_node *build_collection(tree_builder *builder, const yaml_event_t *event, int depth) {
    bool list = event->type == YAML_SEQUENCE_START_EVENT;
    tree_node *node = new_node(builder, event, list ? TREE_LIST : TREE_MAP);
    if (list)
        reject_anchor_and_tag(builder, node, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    else
        reject_anchor_and_tag(builder, node, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    if (build_items(builder, node, list ? YAML_SEQUENCE_END_EVENT : YAML_MAPPING_END_EVENT, depth)) return node;
    tree_free(node);
    return NULL;
}

/** Node that @p event begins; the event is taken. @return NULL on failure */
static tree_node *build_node(tree_builder *builder, yaml_event_t *event, int depth) {
    tree_node *node = NULL;
    config_place place = place_at(builder, event->start_mark);
    if (depth > MAX_DEPTH)
        mistakes_add(builder->mistakes, &place, "lists and maps are nested more than %d deep", MAX_DEPTH);
    else if (builder->nodes++ > MAX_NODES)
        mistakes_add(builder->mistakes, &place, "more than %d values", MAX_NODES);
    else if (event->type == YAML_ALIAS_EVENT)
        node = build_alias(builder, event);
    else if (event->type == YAML_SCALAR_EVENT)
        node = build_scalar(builder, event);
    else
        node = build_collection(builder, event, depth);
    yaml_event_delete(event);
    return node;
}

/** Events of the stream: start, document, its root, its end, and nothing after that. */
static bool build_root(tree_builder *builder, tree_node **root) {
    bool more = true;
    for (int documents = 0; more;) {
        yaml_event_t event;
        if (!next_event(builder, &event)) return false;
        yaml_event_type_t type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && ++documents > 1) {
            config_place place = place_at(builder, event.start_mark);
            mistakes_add(builder->mistakes, &place, "a second YAML document begins here; only one is allowed");
            more = false;
        }
        bool structure = type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT || type == YAML_DOCUMENT_END_EVENT;
        if (type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT) more = false;
        if (structure || !more) {
            yaml_event_delete(&event);
        } else {
            *root = build_node(builder, &event, 0);
            if (!*root) return false;
        }
    }
    return true;
}

/** Bytes of the line break that the text begins with, as libyaml sees it (LF, CR, CR LF, next line, line and paragraph separator); 0: none. */
static size_t line_break(const char *text, size_t length) {
    static const char *const breaks[] = {"\r\n", "\n", "\r", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
        size_t bytes = strlen(breaks[i]);
        if (bytes <= length && memcmp(text, breaks[i], bytes) == 0) return bytes;
    }
    return 0;
}

/** Directives ("%TAG ...") have no use here, and libyaml takes quadratic time over many of them. */
static bool reject_directives(tree_builder *builder) {
    static const char mark[] = "\xEF\xBB\xBF"; /* of UTF-8, which belongs to no line */
    const char *text = builder->bytes;
    size_t at = builder->length >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0, bytes;
    bool begins = true;
    for (int number = 1; at < builder->length; at += bytes) {
        if (begins && text[at] == '%') {
            config_place place = *builder->where;
            place.line = number;
            place.column = 1;
            mistakes_add(builder->mistakes, &place, "a line that begins with '%%' (a YAML directive) is not supported");
            return false;
        }
        bytes = line_break(text + at, builder->length - at);
        begins = bytes > 0;
        number += begins;
        bytes += !begins;
    }
    return true;
}

/** libyaml would read UTF-16 as well, but counts its places in characters that nobody can look up. */
static bool reject_utf16(tree_builder *builder) {
    const unsigned char *text = (const unsigned char *)builder->bytes;
    if (builder->length < 2 || !((text[0] == 0xFE && text[1] == 0xFF) || (text[0] == 0xFF && text[1] == 0xFE))) return true;
    mistakes_add(builder->mistakes, builder->where, "this is UTF-16; such a file is UTF-8");
    return false;
}

bool tree_parse(const char *bytes, size_t length, const config_place *where, mistake_list *mistakes, tree_node **root) {
    tree_builder builder = {.bytes = bytes, .length = length, .where = where, .mistakes = mistakes};
    *root = NULL;
    if (!reject_utf16(&builder) || !reject_directives(&builder)) return false;
    if (!yaml_parser_initialize(&builder.parser)) context_abort("config: yaml_parser_initialize failed");
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)bytes, length);
    bool good = build_root(&builder, root);
    yaml_parser_delete(&builder.parser);
    if (!good) {
        tree_free(*root);
        *root = NULL;
    }
    return good;
}

void tree_free(tree_node *node) {
    if (!node) return;
    for (int i = 0; i < node->count; i++) tree_free(node->items[i]);
    free(node->items);
    free(node->text);
    free(node);
}

bool tree_is_null(const tree_node *node) {
    return node->kind == TREE_SCALAR && node->plain && (!*node->text || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
}

const char *tree_describe(const tree_node *node) {
    if (node->kind == TREE_LIST) return "a list";
    if (node->kind == TREE_MAP) return "a map";
    return tree_is_null(node) ? "no value" : "a single value";
}

config_place tree_place(const tree_node *node, const config_place *where) {
    config_place place = *where;
    place.line = node->line;
    place.column = node->column;
    return place;
}
