// AdamW for a matrix whose gradient is the product of two thin ones.
//
// The last layer of a prefix's MLP has a gradient of rank P: [2 L E, hidden] from [P, 2 L E] and [P, hidden]. A few rows at a
// time are formed in scratch and consumed, so that only the parameters and their moments are read and written in memory.
#ifndef P4J_OPTIMIZER_H
#define P4J_OPTIMIZER_H

#include "gemm_f32.h"
#include "rows.h"

namespace p4j {
namespace {

P4J_INLINE F square_root(F x) {
#if defined(__AVX512F__)
  return (F)_mm512_maskz_sqrt_ps(0xFFFF, (__m512)x);  // without a mask, GCC 12 warns about its own header
#elif defined(__AVX2__)
  return (F)_mm256_sqrt_ps((__m256)x);
#else
  for (int l = 0; l < W; ++l) x[l] = sqrtf(x[l]);
  return x;
#endif
}

void adamw_product(const p4j_adamw* how, float* param, float* mean, float* square, int64_t m, int64_t k, const float* left,
                   int64_t ldl, const float* right, int64_t ldr, int64_t p) {
  constexpr int64_t block = 4 * TILE_ROWS;
  const double correction1 = 1 - pow(how->beta1, static_cast<double>(how->step));
  const double correction2 = 1 - pow(how->beta2, static_cast<double>(how->step));
  const F keep = all(static_cast<float>(1 - how->rate * how->decay));
  const F fresh1 = all(static_cast<float>(1 - how->beta1)), old2 = all(static_cast<float>(how->beta2));
  const F fresh2 = all(static_cast<float>(1 - how->beta2)), epsilon = all(static_cast<float>(how->epsilon));
  const F rate = all(static_cast<float>(how->rate / correction1)), scale = all(static_cast<float>(1 / sqrt(correction2)));
  const int64_t wide = round_up(k, W);
  // right, with rows padded to whole vectors, made once
  float* factors = Arrays(call_slot, Arrays::floats(p * wide)).take(p * wide);  // [P, wide]
  for (int64_t i = 0; i < p; ++i) {
    memset(factors + i * wide, 0, static_cast<size_t>(wide) * sizeof(float));
    memcpy(factors + i * wide, right + i * ldr, static_cast<size_t>(k) * sizeof(float));
  }
  parallel(divide_up(m, block), 4, [&](int64_t from, int64_t to) {
    float* g = Arrays(work_slot, Arrays::floats(block * wide)).take(block * wide);  // [block, wide]
    for (int64_t part = from; part < to; ++part) {
      const int64_t first = part * block, rows = smaller(block, m - first);
      float_product<true>(rows, wide, p, left + first, ldl, factors, wide, g, wide, false);
      for (int64_t row = 0; row < rows; ++row) {
        const int64_t start = (first + row) * k;
        each(k, [&](int64_t i, auto lanes) {
          const F gradient = load(g + row * wide + i);
          const F before = load(mean + start + i, lanes);
          const F m1 = before + (gradient - before) * fresh1;
          const F m2 = load(square + start + i, lanes) * old2 + gradient * gradient * fresh2;
          store(mean + start + i, m1, lanes);
          store(square + start + i, m2, lanes);
          const F step = rate * m1 / (square_root(m2) * scale + epsilon);
          store(param + start + i, load(param + start + i, lanes) * keep - step, lanes);
        });
      }
    }
  });
}

}  // namespace
}  // namespace p4j
#endif
