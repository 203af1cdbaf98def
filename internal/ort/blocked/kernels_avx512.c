//go:build amd64 && (linux || darwin)

#define BLOCK 16
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define KERNELS kernels_avx512
#include "kernels_body.h"
