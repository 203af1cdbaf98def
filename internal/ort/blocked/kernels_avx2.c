//go:build amd64 && (linux || darwin)

#define BLOCK 8
#define TARGET __attribute__((target("avx2,fma")))
#define KERNELS kernels_avx2
#include "kernels_body.h"
