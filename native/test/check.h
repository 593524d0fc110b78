// Helpers for all tests: comparisons and their bookkeeping, random numbers, rows in 8 bits.
#ifndef P4J_TEST_CHECK_H
#define P4J_TEST_CHECK_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "prefix4j.h"

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

struct State {
  double worst = 0;    // largest error relative to the tolerance
  double largest = 0;  // largest absolute error
  int64_t failures = 0;
  uint64_t hash = 0;  // of all outputs
} state;

bool against_reference = true;  // false: only the hash of the outputs is compared

void fail(const char* what, double got, double want) {
  if (++state.failures <= 5) printf("    %s: %.9g, should be %.9g\n", what, got, want);
}

void near(const char* what, double got, double want, double absolute, double relative) {
  const double error = fabs(got - want), share = error / (absolute + relative * fabs(want));
  if (!(share <= 1) && !(isnan(got) && isnan(want)) && got != want) fail(what, got, want);
  if (error < 1e300) {
    state.worst = std::max(state.worst, share);
    state.largest = std::max(state.largest, error);
  }
}

void same(const char* what, double got, double want) {
  if (got != want && !(isnan(got) && isnan(want))) fail(what, got, want);
}

void same_floats(const char* what, const float* got, const float* want, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (memcmp(got + i, want + i, sizeof(float)) != 0) {
      fail(what, got[i], want[i]);
      return;
    }
  }
}

template <class T>
void hash(const std::vector<T>& x) {
  const unsigned char* p = reinterpret_cast<const unsigned char*>(x.data());
  for (size_t i = 0; i < x.size() * sizeof(T); ++i) state.hash = (state.hash ^ p[i]) * 1099511628211u;
}

struct Random {
  uint64_t s = 88172645463325252u;
  uint64_t bits() {
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return s;
  }
  double uniform() { return static_cast<double>(bits() >> 11) / 9007199254740992.0; }
  float normal() { return static_cast<float>(sqrt(-2 * log(uniform() + 1e-300)) * cos(6.283185307179586 * uniform())); }
  int64_t below(int64_t n) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(n)); }
};
Random random_numbers;

Floats normals(int64_t n, float scale = 1) {
  Floats x(static_cast<size_t>(n));
  for (float& v : x) v = scale * random_numbers.normal();
  return x;
}

size_t at(int64_t i) { return static_cast<size_t>(i); }

constexpr float untouched = 12345.0f;  // what outputs contain before, and gaps between rows must still contain after

struct Q8 {
  std::vector<int8_t> q;
  Floats scale;
  std::vector<int32_t> sum;
  int64_t ld;

  Q8(int64_t n, int64_t columns, int64_t extra = 0)
      : q(at(n * ((columns + 3) / 4 * 4 + extra)), 99),
        scale(at(n), untouched),
        sum(at(n), 99),
        ld((columns + 3) / 4 * 4 + extra) {}
  p4j_q8_rows rows() { return {q.data(), ld, scale.data(), sum.data()}; }
  void add_hash() const {
    hash(q);
    hash(scale);
    hash(sum);
  }
};
const p4j_q8_rows no_q8 = {nullptr, 0, nullptr, nullptr};

// x as p4j_q8_rows describes a mixed row; the additions in the kernel's order, so that the result is the same bits.
Floats mixed(const float* x, int64_t columns) {
  int64_t t = 16;
  while (16 * t > columns && t > 1) t /= 2;
  Floats y(x, x + columns);
  if (t == 1) return y;
  const int64_t block = 16 * t;
  const float factor = 1 / sqrtf(static_cast<float>(t));
  const auto transform = [&](int64_t from) {
    for (int64_t d = 16; d < block; d *= 2)
      for (int64_t i = 0; i < block; ++i) {
        if (i / d % 2 != 0) continue;
        const float a = y[at(from + i)], b = y[at(from + i + d)];
        y[at(from + i)] = a + b;
        y[at(from + i + d)] = a - b;
      }
    for (int64_t i = from; i < from + block; ++i) y[at(i)] *= factor;
  };
  for (int64_t from = 0; from + block <= columns; from += block) transform(from);
  if (columns % block != 0) transform(columns - block);
  return y;
}

// Whether q8 is x quantized, exactly.
void check_q8(const char* what, const float* x, int64_t ldx, int64_t n, int64_t columns, const Q8& q8) {
  for (int64_t r = 0; r < n; ++r) {
    const Floats row = mixed(x + r * ldx, columns);
    float most = 0;
    bool finite = true;
    for (const float value : row) {
      finite = finite && isfinite(value);
      most = std::max(most, fabsf(value));
    }
    float scale = most / 127.0f;
    if (scale < std::numeric_limits<float>::min()) scale = 0;
    if (!finite) scale = NAN;
    same(what, q8.scale[at(r)], scale);
    int32_t sum = 0;
    for (int64_t i = 0; i < q8.ld; ++i) {
      const int q = i < columns && scale > 0 ? static_cast<int>(nearbyintf(row[at(i)] / scale)) : 0;
      same(what, q8.q[at(r * q8.ld + i)], q);
      sum += q;
    }
    same(what, q8.sum[at(r)], sum);
  }
  q8.add_hash();
}

// d(sum of weights * f) / dx[i] by central differences
Doubles differences(const Floats& x, const Floats& weights, const std::function<Doubles(const Doubles&)>& f) {
  Doubles in(x.begin(), x.end()), gradient(x.size());
  for (size_t i = 0; i < in.size(); ++i) {
    const double h = 1e-5, before = in[i];
    double value[2];
    for (int side = 0; side < 2; ++side) {
      in[i] = before + (side == 0 ? h : -h);
      const Doubles y = f(in);
      value[side] = 0;
      for (size_t j = 0; j < y.size(); ++j) value[side] += weights[j] * y[j];
    }
    in[i] = before;
    gradient[i] = (value[0] - value[1]) / (2 * h);
  }
  return gradient;
}

// The rows without the gaps between them.
Floats dense(const Floats& x, int64_t ld, int64_t n, int64_t columns) {
  Floats y;
  for (int64_t r = 0; r < n; ++r) y.insert(y.end(), x.begin() + r * ld, x.begin() + r * ld + columns);
  return y;
}

}  // namespace
#endif
