// The public functions: they choose a table of kernels once and forward calls to it. This file is compiled for the baseline
// processor.
#include "kernels.h"
#include "parallel.h"

#include <stddef.h>
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
       return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
     }},
    {"avx512", &p4j::kernels_avx512,
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
     }},
    {"avx2", &p4j::kernels_avx2, [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
#endif
    {"portable", &p4j::kernels_portable, [] { return true; }},
};

// The variant of that name, or the best one for "", if the processor supports it; else null.
const Variant* find(const char* isa) {
#ifdef P4J_X86
  __builtin_cpu_init();
#endif
  for (const Variant& variant : variants)
    if ((*isa == 0 || strcmp(isa, variant.name) == 0) && variant.supported()) return &variant;
  return nullptr;
}

const Variant* chosen = nullptr;

const Kernels& kernels() {
  if (chosen == nullptr) p4j_start(nullptr, nullptr);
  return *chosen->kernels;
}

}  // namespace

int32_t p4j_version(void) { return 6; }

int32_t p4j_start(const char* isa, p4j_parallel_for parallel) {
  const Variant* const variant = find(isa == nullptr ? "" : isa);
  if (variant == nullptr) return 1;
  chosen = variant;
  p4j::pool = parallel;
  return 0;
}

int32_t p4j_supports(const char* isa) { return *isa != 0 && find(isa) != nullptr; }

const char* p4j_isa(void) {
  kernels();
  return chosen->name;
}

int64_t p4j_layout(const char* structure, const char* field) {
#define P4J_STRUCT(type) \
  if (strcmp(structure, #type) == 0 && *field == 0) return sizeof(p4j_##type);
#define P4J_FIELD(type, name) \
  if (strcmp(structure, #type) == 0 && strcmp(field, #name) == 0) return offsetof(p4j_##type, name);
#include "structs.def"
#undef P4J_STRUCT
#undef P4J_FIELD
  return -1;
}

// A parameter list that differs from the header's would declare a second C function of the same name, which is an error.
extern "C" {
#define P4J_KERNEL(result, name, parameters, arguments) \
  result p4j_##name parameters { return kernels().name arguments; }
#include "kernels.def"
#undef P4J_KERNEL
}
