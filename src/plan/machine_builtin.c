#include "machine.h"

const char machine_builtin[] =
    "machine: {name: provisional, ranks: 2, memory: 24, libraries: 23, disk: 374, memory_bandwidth: 20, gemm_single: 100, gemm_double: 50}\n"
    "update: {neurons: [32, 262144], lif: [20, 10], theta: [20, 10], qif: [20, 10], lif_mv: [20, 10], izhikevich: [20, 10], glif1: [20, 10], glif2: [20, 10], glif3: [20, 10], glif4: [20, 10], glif5: [20, 10], noise: [5,5], typed: [3,3], weighted: [3,3]}\n"
    "delivery: {bytes: [2e6, 1e8], typed: [1,1], weighted: [1,1], plastic: [2,4], spike: 20, filter: 10, member: 1}\n"
    "rls: {inputs: [32, 1024], cached_bytes: 1e6, large_bytes: 64e6, spike_driven_single: [200, 80000], spike_driven_single_spiking: [20, 100], spike_driven_single_cached: [200, 80000], spike_driven_single_spiking_cached: [20, 100], spike_driven_double: [200, 80000], spike_driven_double_spiking: [20, 100], spike_driven_double_cached: [200, 80000], spike_driven_double_spiking_cached: [20, 100], textbook_single: [200, 80000], textbook_single_spiking: [20, 100], textbook_single_cached: [200, 80000], textbook_single_spiking_cached: [20, 100], textbook_double: [200, 80000], textbook_double_spiking: [20, 100], textbook_double_cached: [200, 80000], textbook_double_spiking_cached: [20, 100], packed_single: [200, 80000], packed_single_spiking: [20, 100], packed_single_cached: [200, 80000], packed_single_spiking_cached: [20, 100], packed_double: [200, 80000], packed_double_spiking: [20, 100], packed_double_cached: [200, 80000], packed_double_spiking_cached: [20, 100], source: 2, source_own: 30, member: 1, pending: 0.1}\n"
    "exchange: {ranks: [2], latency: [4], per_kib: [0.1], spike: 1, block: 2}\n"
    "others: {check: 0.5, track: 1, score: 5, build_typed: 50, build_weighted: 50, build_plastic: 50, build_p: 5}\n";
