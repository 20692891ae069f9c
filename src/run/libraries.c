#include <dlfcn.h>
#include <hdf5.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engram/version.h"

/** A function that the program has only with some libraries: linked in, or in a shared one. */
#define FIND(name) (name ? name : (__typeof__(&name))(uintptr_t)dlsym(RTLD_DEFAULT, #name))

/* What makers of BLAS libraries add to it: each has its own. */
__attribute__((weak)) char *openblas_get_config(void);
__attribute__((weak)) void openblas_set_num_threads(int threads);
__attribute__((weak)) void mkl_get_version_string(char *text, int length);
__attribute__((weak)) void MKL_Set_Num_Threads(int threads);
__attribute__((weak)) const char *bli_info_get_version_str(void);
__attribute__((weak)) void bli_thread_set_num_threads(int64_t threads);

const char *version_mpi(void) {
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(text, &length);
    text[strcspn(text, ",\n")] = '\0';
    char *end = text;
    for (const char *c = text; *c; c++) /* MPICH aligns its version by tabs */
        if (*c > ' ') *end++ = *c;
        else if (end > text && end[-1] != ' ') *end++ = ' ';
    *end = '\0';
    return text;
}

const char *version_hdf5(void) {
    static char text[64];
    unsigned major, minor, release;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    return text;
}

const char *version_blas(void) {
    static char text[256];
    char *(*const openblas)(void) = FIND(openblas_get_config);
    void (*const mkl)(char *, int) = FIND(mkl_get_version_string);
    const char *(*const blis)(void) = FIND(bli_info_get_version_str);
    if (openblas) return openblas();
    if (mkl) mkl(text, sizeof text);
    else if (blis) snprintf(text, sizeof text, "BLIS %s", blis());
    else snprintf(text, sizeof text, "unknown maker");
    text[strcspn(text, "\n")] = '\0';
    return text;
}

void version_blas_one_thread(void) {
    void (*const openblas)(int) = FIND(openblas_set_num_threads), (*const mkl)(int) = FIND(MKL_Set_Num_Threads);
    void (*const blis)(int64_t) = FIND(bli_thread_set_num_threads);
    if (openblas) openblas(1);
    if (mkl) mkl(1);
    if (blis) blis(1);
}

const char *version_file(const char *function) {
    static char path[4096]; /* PATH_MAX */
    void *found = dlsym(RTLD_DEFAULT, function);
    Dl_info info;
    return found && dladdr(found, &info) && realpath(info.dli_fname, path) ? path : "linked in";
}

const char *version_libc(void) {
    static char text[64];
#ifdef _CS_GNU_LIBC_VERSION
    if (confstr(_CS_GNU_LIBC_VERSION, text, sizeof text) > 0) return text;
#endif
    return "unknown";
}

#if defined __AVX512F__
enum { VECTOR_BITS = 512 };
#elif defined __AVX__
enum { VECTOR_BITS = 256 };
#elif defined __ARM_FEATURE_SVE_BITS && __ARM_FEATURE_SVE_BITS > 128
enum { VECTOR_BITS = __ARM_FEATURE_SVE_BITS };
#else
enum { VECTOR_BITS = 128 };
#endif

static const char instruction_set[] =
#if defined __x86_64__
    "x86-64"
#elif defined __aarch64__
    "aarch64"
#elif defined __powerpc64__
    "power64"
#elif defined __riscv
    "riscv"
#else
    "another processor"
#endif
    ;

/* Those that change what arithmetic there is. */
static const char extensions[] = ""
#ifdef __SSE4_1__
    " sse4.1"
#endif
#ifdef __SSE4_2__
    " sse4.2"
#endif
#ifdef __AVX__
    " avx"
#endif
#ifdef __F16C__
    " f16c"
#endif
#ifdef __FMA__
    " fma"
#endif
#ifdef __AVX2__
    " avx2"
#endif
#ifdef __AVX512F__
    " avx512f"
#endif
#ifdef __AVX512DQ__
    " avx512dq"
#endif
#ifdef __AVX512BW__
    " avx512bw"
#endif
#ifdef __AVX512VL__
    " avx512vl"
#endif
#ifdef __AVX512FP16__
    " avx512fp16"
#endif
#ifdef __ARM_NEON
    " neon"
#endif
#ifdef __ARM_FEATURE_FMA
    " fma"
#endif
#ifdef __ARM_FEATURE_FP16_VECTOR_ARITHMETIC
    " fp16"
#endif
#ifdef __ARM_FEATURE_SVE
    " sve"
#endif
#ifdef __ALTIVEC__
    " altivec"
#endif
#ifdef __VSX__
    " vsx"
#endif
    ;

const char *version_instructions(void) {
    static char text[512];
    bool named = *version_architecture != '\0';
    snprintf(text, sizeof text, "%s%s%s%s:%s; vectors of %d bits", instruction_set, named ? " (" : "", version_architecture, named ? ")" : "",
             *extensions ? extensions : " no extensions", VECTOR_BITS);
    return text;
}

int version_vector_bits(void) {
    return VECTOR_BITS;
}

const char *version_build(void) {
    static char text[4096];
    snprintf(text, sizeof text, "compiler: %s\nflags: %s\ninstructions: %s\nlibc: %s\nBLAS: %s\n", version_compiler, version_flags, version_instructions(),
             version_libc(), version_blas());
    return text;
}
