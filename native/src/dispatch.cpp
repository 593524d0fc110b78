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

int32_t p4j_version(void) { return 2; }

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

void p4j_quantize(const float* x, int64_t ldx, int64_t n, int64_t columns, p4j_q8_rows out, float* rest) {
  kernels().quantize(x, ldx, n, columns, out, rest);
}

void p4j_layer_norm(const float* x, int64_t ldx, const float* weight, const float* bias, float epsilon, int64_t n,
                    int64_t e, float* y, p4j_q8_rows out, float* mean, float* rstd) {
  kernels().layer_norm(x, ldx, weight, bias, epsilon, n, e, y, out, mean, rstd);
}

void p4j_layer_norm_backward(const float* dy, const float* x, int64_t ldx, const float* weight, const float* mean,
                             const float* rstd, int64_t n, int64_t e, float* dx) {
  kernels().layer_norm_backward(dy, x, ldx, weight, mean, rstd, n, e, dx);
}

void p4j_gelu(const float* x, int64_t n, int64_t columns, float* y, p4j_q8_rows out, uint8_t* slope) {
  kernels().gelu(x, n, columns, y, out, slope);
}

void p4j_gelu_backward(const float* dy, const float* x, int64_t n, int64_t columns, float* dx, p4j_q8_rows out) {
  kernels().gelu_backward(dy, x, n, columns, dx, out);
}

void p4j_slope_backward(const float* dy, const uint8_t* slope, int64_t n, int64_t columns, p4j_q8_rows out) {
  kernels().slope_backward(dy, slope, n, columns, out);
}

int64_t p4j_packed_bytes(int64_t k, int64_t m) { return kernels().packed_bytes(k, m); }

void p4j_pack(const float* w, int64_t stride_k, int64_t stride_m, int64_t k, int64_t m, void* packed) {
  kernels().pack(w, stride_k, stride_m, k, m, packed);
}

void p4j_matmul_q8(p4j_q8_rows a, int64_t n, const void* packed, int64_t k, int64_t m, int64_t first, int64_t count,
                   const float* bias, const float* residual, int64_t ldr, float* y, int64_t ldy) {
  kernels().matmul_q8(a, n, packed, k, m, first, count, bias, residual, ldr, y, ldy);
}

void p4j_matmul_f32(const float* x, int64_t ldx, int64_t n, const float* w, int64_t stride_k, int64_t stride_m, int64_t k,
                    int64_t m, const float* bias, const float* residual, int64_t ldr, float* y, int64_t ldy) {
  kernels().matmul_f32(x, ldx, n, w, stride_k, stride_m, k, m, bias, residual, ldr, y, ldy);
}

void p4j_attention_forward(const p4j_attention* how, const float* q, int64_t ldq, const float* k, const float* v,
                           int64_t ldkv, const float* prefix_k, const float* prefix_v, int64_t ldp, float* y, int64_t ldy,
                           float* lse) {
  kernels().attention_forward(how, q, ldq, k, v, ldkv, prefix_k, prefix_v, ldp, y, ldy, lse);
}

void p4j_attention_backward(const p4j_attention* how, const float* dy, const float* y, int64_t ldy, const float* lse,
                            const float* q, int64_t ldq, const float* k, const float* v, int64_t ldkv,
                            const float* prefix_k, const float* prefix_v, int64_t ldp, float* dq, int64_t lddq, float* dk,
                            float* dv, int64_t lddkv, float* dprefix_k, float* dprefix_v) {
  kernels().attention_backward(how, dy, y, ldy, lse, q, ldq, k, v, ldkv, prefix_k, prefix_v, ldp, dq, lddq, dk, dv, lddkv,
                               dprefix_k, dprefix_v);
}

void p4j_attention_decode(const p4j_decode* how, const float* q, int64_t ldq, const float* prefix_k, const float* prefix_v,
                          int64_t ldp, const float* prompt_k, const float* prompt_v, int64_t ldprompt, const float* k,
                          const float* v, int64_t ldkv, float* y, int64_t ldy) {
  kernels().attention_decode(how, q, ldq, prefix_k, prefix_v, ldp, prompt_k, prompt_v, ldprompt, k, v, ldkv, y, ldy);
}

void p4j_softmax_block(float* z, int64_t ldz, int64_t n, int64_t m, int64_t first, const int64_t* targets, float* top,
                       double* sum, float* of_target, float* mean, int64_t e) {
  kernels().softmax_block(z, ldz, n, m, first, targets, top, sum, of_target, mean, e);
}

void p4j_top_k(const float* logits, int64_t ld, int64_t n, int64_t v, int64_t k, float* values, int64_t* indices) {
  kernels().top_k(logits, ld, n, v, k, values, indices);
}

void p4j_adamw_product(const p4j_adamw* how, float* param, float* mean, float* square, int64_t m, int64_t k, const float* left,
                       int64_t ldl, const float* right, int64_t ldr, int64_t p) {
  kernels().adamw_product(how, param, mean, square, m, k, left, ldl, right, ldr, p);
}
