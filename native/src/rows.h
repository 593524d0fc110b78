// Kernels that process one row at a time: quantization, normalization, GELU, SwiGLU.
//
// They mostly read and write cached memory, so the number of passes over a row matters. A row that is returned in 8 bits is
// first computed in scratch, since its scale is known only at the end, and quantized from there.
#ifndef P4J_ROWS_H
#define P4J_ROWS_H

#include <float.h>
#include <math.h>

#include "mix.h"

namespace p4j {
namespace {

// Rows per part of parallel work.
inline int64_t rows_at_once(int64_t columns) { return larger(1, 16384 / larger(1, columns)); }

// Quantizes a mixed row x of `columns` values to q (columns up to ld are zeroed), with its scale and sum. A row with an
// infinity or NaN gets the scale NaN, so that everything computed from it is NaN.
inline void quantize_mixed(const float* x, int64_t columns, int8_t* q, int64_t ld, float* scale_out, int32_t* sum_out) {
  I top = {};  // |x| is ordered like its bits, NaNs last
  const I magnitude = all(int32_t{0x7FFFFFFF});
  each(columns, [&](int64_t i, auto lanes) { top = max(top, bits(load(x + i, lanes)) & magnitude); });
  const int32_t top_bits = most(top);
  float largest;
  memcpy(&largest, &top_bits, sizeof largest);
  const float scale = largest / 127.0f;
  if (!(scale >= FLT_MIN && scale <= FLT_MAX)) {  // all zeros (or nearly), or not finite
    memset(q, 0, static_cast<size_t>(ld));
    *scale_out = largest <= FLT_MAX ? 0.0f : NAN;
    *sum_out = 0;
    return;
  }
  I total = {};
  const F divisor = all(scale);
  each(columns, [&](int64_t i, auto lanes) {
    const I rounded = round_to_int(load(x + i, lanes) / divisor);
    total += rounded;
    store(q + i, __builtin_convertvector(rounded, B), lanes);
  });
  memset(q + columns, 0, static_cast<size_t>(ld - columns));
  *scale_out = scale;
  *sum_out = sum(total);
}

inline void quantize_mixed(const float* x, int64_t columns, const p4j_q8_rows& out, int64_t row) {
  quantize_mixed(x, columns, out.q + row * out.ld, out.ld, out.scale + row, out.sum + row);
}

void quantize(const float* x, int64_t ldx, int64_t n, int64_t columns, p4j_q8_rows out, float* rest) {
  parallel(n, rows_at_once(columns), [&](int64_t from, int64_t to) {
    float* mixed = Arrays(work_slot, Arrays::floats(columns)).take(columns);
    for (int64_t row = from; row < to; ++row) {
      memcpy(mixed, x + row * ldx, static_cast<size_t>(columns) * sizeof(float));
      mix(mixed, columns);
      quantize_mixed(mixed, columns, out, row);
      if (rest == nullptr) continue;
      const F scale = all(out.scale[row]);
      each(columns, [&](int64_t i, auto lanes) {
        const F held = __builtin_convertvector(load(out.q + row * out.ld + i, lanes), F) * scale;
        store(mixed + i, load(mixed + i, lanes) - held, lanes);
      });
      mix(mixed, columns, true);
      memcpy(rest + row * ldx, mixed, static_cast<size_t>(columns) * sizeof(float));
    }
  });
}

// compute(row, result) for n rows: into y [n, columns] if there is one, else into scratch; then quantized if out is.
template <class Compute>
void rows_out(int64_t n, int64_t columns, float* y, const p4j_q8_rows& out, const Compute& compute) {
  parallel(n, rows_at_once(columns), [&](int64_t from, int64_t to) {
    float* scratch = Arrays(work_slot, Arrays::floats(columns)).take(columns);
    for (int64_t row = from; row < to; ++row) {
      float* result = y == nullptr ? scratch : y + row * columns;
      compute(row, result);
      if (out.q == nullptr) continue;
      if (result != scratch) memcpy(scratch, result, static_cast<size_t>(columns) * sizeof(float));
      mix(scratch, columns);
      quantize_mixed(scratch, columns, out, row);
    }
  });
}

// Sum of term(i, lanes) over the vectors of a row, in four chains so that additions do not wait for each other.
template <class Term>
P4J_INLINE float row_sum(int64_t n, const Term& term) {
  F s0 = {}, s1 = {}, s2 = {}, s3 = {};
  int64_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W) {
    s0 += term(i, Full{});
    s1 += term(i + W, Full{});
    s2 += term(i + 2 * W, Full{});
    s3 += term(i + 3 * W, Full{});
  }
  for (; i + W <= n; i += W) s0 += term(i, Full{});
  if (i < n) s1 += term(i, Part{n - i});
  return sum((s0 + s1) + (s2 + s3));
}

// x [n] becomes e^(x - max); returns the sum, and the maximum in top. Columns up to a multiple of W are zeroed.
inline float exponentials(float* x, int64_t n, float* top) {
  constexpr float lowest = -INFINITY;
  F m = all(lowest);
  each(n, [&](int64_t i, auto lanes) { m = max(m, load(x + i, lanes, lowest)); });
  *top = most(m);
  const F shift = all(*top);
  F total = {};
  each(n, [&](int64_t i, auto lanes) {
    const F e = exp(load(x + i, lanes, lowest) - shift);
    total += e;
    store(x + i, e);
  });
  return sum(total);
}

// to [rows, width] = from [rows, ldfrom] * factor, where ldfrom is a multiple of W.
inline void write_rows(const float* from, int64_t ldfrom, int64_t rows, int64_t width, float factor, float* to, int64_t ldto) {
  const F times = all(factor);
  for (int64_t i = 0; i < rows; ++i)
    each(width, [&](int64_t j, auto lanes) { store(to + i * ldto + j, load(from + i * ldfrom + j) * times, lanes); });
}

void layer_norm(const float* x, int64_t ldx, const float* weight, const float* bias, float epsilon, int64_t n, int64_t e,
                float* y, p4j_q8_rows out, float* mean, float* rstd) {
  const float width = static_cast<float>(e);
  rows_out(n, e, y, out, [&](int64_t row, float* result) {
    const float* in = x + row * ldx;
    const float mu = row_sum(e, [&](int64_t i, auto lanes) { return load(in + i, lanes); }) / width;
    const F center = all(mu);
    const float variance = row_sum(e,
                                   [&](int64_t i, auto lanes) {
                                     const F d = load(in + i, lanes, mu) - center;
                                     return d * d;
                                   }) /
                           width;
    const float factor = 1.0f / sqrtf(variance + epsilon);
    const F scale = all(factor);
    each(e, [&](int64_t i, auto lanes) {
      const F normal = (load(in + i, lanes) - center) * scale;
      store(result + i, normal * load(weight + i, lanes) + load(bias + i, lanes), lanes);
    });
    if (mean != nullptr) mean[row] = mu;
    if (rstd != nullptr) rstd[row] = factor;
  });
}

void layer_norm_backward(const float* dy, const float* x, int64_t ldx, const float* weight, const float* mean,
                         const float* rstd, int64_t n, int64_t e, float* dx) {
  const float width = static_cast<float>(e);
  parallel(n, rows_at_once(e), [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      const float* in = x + row * ldx;
      const float* up = dy + row * e;
      float* down = dx + row * e;
      const F mu = all(mean[row]), scale = all(rstd[row]);
      // g * xhat = g * (x - mean) * rstd; lanes past the end have g = 0
      F total = {};
      const float along = row_sum(e, [&](int64_t i, auto lanes) {
        const F g = load(up + i, lanes) * load(weight + i, lanes);
        total += g;
        return g * (load(in + i, lanes) - mu);
      });
      const F mean_g = all(sum(total) / width);
      const F slope = all(along / width) * scale * scale;  // mean(g * xhat) * rstd: times x - mean
      each(e, [&](int64_t i, auto lanes) {
        const F g = load(up + i, lanes) * load(weight + i, lanes);
        const F d = g - mean_g - (load(in + i, lanes) - mu) * slope;
        store(down + i, load(down + i, lanes) + scale * d, lanes);
      });
    }
  });
}

// y [e] = x * rstd * weight; returns rstd.
inline float rms_norm_row(const float* x, const float* weight, float epsilon, int64_t e, float* y) {
  const float squares = row_sum(e, [&](int64_t i, auto lanes) {
    const F v = load(x + i, lanes);
    return v * v;
  });
  const float factor = 1.0f / sqrtf(squares / static_cast<float>(e) + epsilon);
  const F scale = all(factor);
  each(e, [&](int64_t i, auto lanes) { store(y + i, load(x + i, lanes) * scale * load(weight + i, lanes), lanes); });
  return factor;
}

// put(i, lanes, d) for the vectors of the gradient of a row [e].
template <class Put>
P4J_INLINE void rms_norm_row_backward(const float* dy, const float* x, const float* weight, float rstd, int64_t e,
                                      const Put& put) {
  const F scale = all(rstd);
  const float along =
      row_sum(e, [&](int64_t i, auto lanes) { return load(dy + i, lanes) * load(weight + i, lanes) * load(x + i, lanes); });
  const F slope = all(along / static_cast<float>(e)) * scale * scale;  // mean(g * xhat) * rstd: times x
  each(e, [&](int64_t i, auto lanes) {
    const F g = load(dy + i, lanes) * load(weight + i, lanes);
    put(i, lanes, scale * (g - load(x + i, lanes) * slope));
  });
}

void rms_norm(const float* x, int64_t ldx, const float* weight, float epsilon, int64_t n, int64_t e, float* y, p4j_q8_rows out,
              float* rstd) {
  rows_out(n, e, y, out, [&](int64_t row, float* result) {
    const float factor = rms_norm_row(x + row * ldx, weight, epsilon, e, result);
    if (rstd != nullptr) rstd[row] = factor;
  });
}

void rms_norm_backward(const float* dy, const float* x, int64_t ldx, const float* weight, const float* rstd, int64_t n,
                       int64_t e, float* dx) {
  parallel(n, rows_at_once(e), [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      float* down = dx + row * e;
      rms_norm_row_backward(dy + row * e, x + row * ldx, weight, rstd[row], e,
                            [&](int64_t i, auto lanes, F d) { store(down + i, load(down + i, lanes) + d, lanes); });
    }
  });
}

// GELU: y = x / 2 * (1 + tanh(u)) with u = sqrt(2 / pi) * (x + 0.044715 x^3), which is x / (1 + e^-2u): without
// cancellation, so small results are as exact as large ones.
constexpr float gelu_linear = 1.595769122f;  // 2 sqrt(2 / pi)
constexpr float gelu_cubic = 0.0713548162726f;

P4J_INLINE F gelu_exp(F x) { return exp(-x * (all(gelu_linear) + all(gelu_cubic) * x * x)); }

// s (1 + 2u' x (1 - s)) with s = 1 / (1 + e^-2u), for e = e^-2u.
P4J_INLINE F gelu_slope(F x, F e, F s) { return s + x * (all(gelu_linear) + all(3 * gelu_cubic) * x * x) * (e * s) * s; }

// A slope in 8 bits: -0.13 .. 1.13, which covers the derivatives of all GELUs.
constexpr float slope_low = 0.13f, slope_step = 1.26f / 255;

void gelu(const float* x, int64_t n, int64_t columns, float* y, p4j_q8_rows out, uint8_t* slope) {
  rows_out(n, columns, y, out, [&](int64_t row, float* result) {
    const float* in = x + row * columns;
    if (slope == nullptr) {
      each(columns, [&](int64_t i, auto lanes) {
        const F v = load(in + i, lanes);
        store(result + i, v / (gelu_exp(v) + all(1.0f)), lanes);
      });
      return;
    }
    each(columns, [&](int64_t i, auto lanes) {
      const F v = load(in + i, lanes);
      const F e = gelu_exp(v);
      const F s = all(1.0f) / (e + all(1.0f));
      store(result + i, v * s, lanes);
      const I step = round_to_int((gelu_slope(v, e, s) + all(slope_low)) * all(1 / slope_step));
      store(slope + row * columns + i, __builtin_convertvector(step, U), lanes);
    });
  });
}

void slope_backward(const float* dy, const uint8_t* slope, int64_t n, int64_t columns, p4j_q8_rows out) {
  rows_out(n, columns, nullptr, out, [&](int64_t row, float* result) {
    const float* up = dy + row * columns;
    each(columns, [&](int64_t i, auto lanes) {
      const F factor = __builtin_convertvector(load(slope + row * columns + i, lanes), F) * all(slope_step) - all(slope_low);
      store(result + i, load(up + i, lanes) * factor, lanes);
    });
  });
}

void gelu_backward(const float* dy, const float* x, int64_t n, int64_t columns, float* dx, p4j_q8_rows out) {
  rows_out(n, columns, dx, out, [&](int64_t row, float* result) {
    const float* in = x + row * columns;
    const float* up = dy + row * columns;
    each(columns, [&](int64_t i, auto lanes) {
      const F v = load(in + i, lanes);
      const F e = gelu_exp(v);
      store(result + i, load(up + i, lanes) * gelu_slope(v, e, all(1.0f) / (e + all(1.0f))), lanes);
    });
  });
}

void swiglu(const float* x, int64_t ldx, int64_t n, int64_t columns, float* y, p4j_q8_rows out) {
  rows_out(n, columns, y, out, [&](int64_t row, float* result) {
    const float* gate = x + row * ldx;
    const float* value = gate + columns;
    each(columns, [&](int64_t i, auto lanes) {
      const F a = load(gate + i, lanes);
      store(result + i, a / (exp(-a) + all(1.0f)) * load(value + i, lanes), lanes);
    });
  });
}

// silu'(a) = s + a s (1 - s) with s = 1 / (1 + e^-a), and 1 - s = e^-a s: without cancellation.
void swiglu_backward(const float* dy, const float* x, int64_t ldx, int64_t n, int64_t columns, float* dx, p4j_q8_rows out) {
  rows_out(n, 2 * columns, dx, out, [&](int64_t row, float* result) {
    const float* up = dy + row * columns;
    const float* gate = x + row * ldx;
    const float* value = gate + columns;
    each(columns, [&](int64_t i, auto lanes) {
      const F d = load(up + i, lanes), a = load(gate + i, lanes);
      const F e = exp(-a);
      const F s = all(1.0f) / (e + all(1.0f));
      const F silu = a * s;
      store(result + i, d * load(value + i, lanes) * (s + silu * (e * s)), lanes);
      store(result + columns + i, d * silu, lanes);
    });
  });
}

}  // namespace
}  // namespace p4j
#endif
