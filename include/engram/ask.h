/** @file ask.h
 *  What another program prints. */
#ifndef ENGRAM_ASK_H
#define ENGRAM_ASK_H

#include <stdbool.h>
#include <stddef.h>

/** Run a program of the PATH, without input and with its standard error dropped, for 20 s at most, and read what it prints. Not collective.
 *  @param arguments NULL-terminated, the program first
 *  @param[out] text what it printed, at most size - 1 bytes and a zero
 *  @param[out] length bytes of it (it may hold zeros); NULL if not wanted
 *  @return whether it ended with 0 in that time */
bool ask_program(char *const *arguments, char *text, size_t size, size_t *length);

#endif
