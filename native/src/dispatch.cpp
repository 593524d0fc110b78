// The public functions: they choose a table of kernels once and forward to it. Nothing here is compiled for more than
// the processor that every machine has.
#include "kernels.h"
#include "parallel.h"

#include <string.h>

namespace {

using p4j::Kernels;

struct Variant {
  const char* name;
  const Kernels* kernels;
  bool (*supported)();
};

// Best first.
const Variant variants[] = {
#ifdef P4J_X86
    {"avx512vnni", &p4j::kernels_avx512vnni,
     [] {
       return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512f") &&
              __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
     }},
    {"avx512", &p4j::kernels_avx512,
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
     }},
    {"avx2", &p4j::kernels_avx2, [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
#endif
    {"portable", &p4j::kernels_portable, [] { return true; }},
};

const Variant* chosen = nullptr;

const Kernels& kernels() {
  if (chosen == nullptr) p4j_start(nullptr, nullptr);
  return *chosen->kernels;
}

}  // namespace

int32_t p4j_version(void) { return 5; }

int32_t p4j_start(const char* isa, p4j_parallel_for parallel) {
#ifdef P4J_X86
  __builtin_cpu_init();
#endif
  const bool any = isa == nullptr || *isa == 0;
  for (const Variant& variant : variants) {
    if ((any || strcmp(isa, variant.name) == 0) && variant.supported()) {
      chosen = &variant;
      p4j::pool = parallel;
      return 0;
    }
  }
  return 1;
}

const char* p4j_isa(void) {
  kernels();
  return chosen->name;
}

// A parameter list that differs from the header's would be another function of C's one name: an error.
extern "C" {
#define P4J_KERNEL(result, name, parameters, arguments) \
  result p4j_##name parameters { return kernels().name arguments; }
#include "kernels.def"
#undef P4J_KERNEL
}
