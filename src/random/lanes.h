/** @file lanes.h
 *  Philox4x32-10 for many counters at once: plain loops that the compiler turns into vector code.
 */
#ifndef RANDOM_LANES_H
#define RANDOM_LANES_H

#include <stdint.h>

/** The ten rounds. @param lanes best a constant @param[in,out] word0..word3 [lanes] the counters as random_bits() builds them; its numbers */
static inline void philox_rounds(uint64_t seed, int lanes, uint32_t *restrict word0, uint32_t *restrict word1, uint32_t *restrict word2,
                                 uint32_t *restrict word3) {
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < lanes; i++) {
            uint64_t product0 = (uint64_t)0xD2511F53u * word0[i];
            uint64_t product1 = (uint64_t)0xCD9E8D57u * word2[i];
            uint32_t x1 = word1[i], x3 = word3[i];
            word0[i] = (uint32_t)(product1 >> 32) ^ x1 ^ key0;
            word1[i] = (uint32_t)product1;
            word2[i] = (uint32_t)(product0 >> 32) ^ x3 ^ key1;
            word3[i] = (uint32_t)product0;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

#endif
