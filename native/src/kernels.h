// The table of kernels: each instruction set fills one (variant.cpp), and dispatch.cpp chooses one.
#ifndef P4J_KERNELS_H
#define P4J_KERNELS_H

#include "prefix4j.h"

namespace p4j {

struct Kernels {
#define P4J_KERNEL(result, name, parameters, arguments) result(*name) parameters;
#include "kernels.def"
#undef P4J_KERNEL
};

extern const Kernels kernels_portable;
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
extern const Kernels kernels_avx512vnni;

}  // namespace p4j
#endif
