#define BLOCK 16
#define TARGET __attribute__((target("avx512f,avx2,fma,prefer-vector-width=512")))
#define KERNELS kernels_avx512
#include "kernels_body.h"
