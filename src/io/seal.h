/** @file seal.h
 *  A seal at the end of a file, by which any change to any of its bytes is noticed.
 *
 *  Behind the content stand, little-endian, the 64-bit XXH3 hashes of its blocks (SEAL_BLOCK bytes each, the last one shorter), then the footer
 *      magic "ENGRMSL1" | u64 block bytes | u64 content bytes | u64 number of blocks | u64 XXH3 of hashes and footer up to here.
 *  HDF5 takes no notice of bytes behind its end of file.
 */
#ifndef ENGRAM_IO_SEAL_H
#define ENGRAM_IO_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engram/context.h"

enum { SEAL_BLOCK = 4 << 20, SEAL_WHY_BYTES = 256 };

/** Hash @p path, block by block shared out among the ranks, and append the seal. Collective. @return errno of this rank, 0 for none; not agreed */
int seal_write(const context *context, const char *path);

/** Read the whole file, shared out among the ranks, and compare. Collective.
 *  @param[out] why  [SEAL_WHY_BYTES] what is wrong, the same on all ranks; "" if nothing is */
void seal_check(const context *context, const char *path, char *why);

/** What a sealed file's content is known by: the last word of its seal, which is read alone. On one rank.
 *  @param[out] digest [17] 16 digits, unchanged if there is no whole seal @return whether there is */
bool seal_digest(const char *path, char *digest);

#endif
