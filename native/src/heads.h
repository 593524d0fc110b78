// Kernels that process each head of a row separately: rotations and normalization.
#ifndef P4J_HEADS_H
#define P4J_HEADS_H

#include "rows.h"

namespace p4j {
namespace {

// Rotates the pairs (i, i + rotary / 2) of rows in place, by the angles of `turn` times sign.
inline void rotate(float* rows, int64_t ld, int64_t n, int64_t rotary, const float* turn, float sign) {
  const int64_t half = rotary / 2;
  const F direction = all(sign);
  for (int64_t r = 0; r < n; ++r) {
    float* x = rows + r * ld;
    each(half, [&](int64_t i, auto lanes) {
      const F cosine = load(turn + i, lanes), sine = load(turn + half + i, lanes) * direction;
      const F a = load(x + i, lanes), b = load(x + half + i, lanes);
      store(x + i, a * cosine - b * sine, lanes);
      store(x + half + i, b * cosine + a * sine, lanes);
    });
  }
}

void rotate(float* x, int64_t ldx, int64_t n, int64_t heads, int64_t width, int64_t rotary, const float* turn,
            int64_t direction) {
  const float sign = static_cast<float>(direction);
  parallel(n, rows_at_once(heads * width), [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) rotate(x + row * ldx, width, heads, rotary, turn + row * rotary, sign);
  });
}

void head_norm(const float* x, int64_t ldx, const float* weight, float epsilon, int64_t n, int64_t heads, int64_t width,
               float* y, int64_t ldy, float* rstd) {
  parallel(n, rows_at_once(heads * width), [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      for (int64_t head = 0; head < heads; ++head) {
        const int64_t first = head * width;
        const float factor = rms_norm_row(x + row * ldx + first, weight, epsilon, width, y + row * ldy + first);
        if (rstd != nullptr) rstd[row * heads + head] = factor;
      }
    }
  });
}

void head_norm_backward(const float* dy, int64_t lddy, const float* x, int64_t ldx, const float* weight, const float* rstd,
                        int64_t n, int64_t heads, int64_t width, float* dx, int64_t lddx) {
  parallel(n, rows_at_once(heads * width), [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      for (int64_t head = 0; head < heads; ++head) {
        const int64_t first = head * width;
        float* down = dx + row * lddx + first;
        rms_norm_row_backward(dy + row * lddy + first, x + row * ldx + first, weight, rstd[row * heads + head], width,
                              [&](int64_t i, auto lanes, F d) { store(down + i, d, lanes); });
      }
    }
  });
}

}  // namespace
}  // namespace p4j
#endif
