// Tests every kernel in every instruction set that the machine has: against plain double-precision code, gradients of tiny
// shapes also against finite differences, and with three threads bit for bit against one. Prints a line for each
// kernel and instruction set; exits with 1 if anything is wrong.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "prefix4j.h"

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

// ---- bookkeeping ------------------------------------------------------------------------------------------------------

struct State {
  double worst = 0;       // largest error, as a share of what is tolerated
  double largest = 0;     // largest absolute error
  int64_t failures = 0;
  uint64_t hash = 0;      // of all outputs
} state;

bool against_reference = true;  // else only the hash of the outputs is wanted, to be compared

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
  float normal() {
    return static_cast<float>(sqrt(-2 * log(uniform() + 1e-300)) * cos(6.283185307179586 * uniform()));
  }
  int64_t below(int64_t n) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(n)); }
};
Random random_numbers;

Floats normals(int64_t n, float scale = 1) {
  Floats x(static_cast<size_t>(n));
  for (float& v : x) v = scale * random_numbers.normal();
  return x;
}

size_t at(int64_t i) { return static_cast<size_t>(i); }

constexpr float untouched = 12345.0f;  // what outputs hold before, and gaps between rows must hold after

struct Q8 {
  std::vector<int8_t> q;
  Floats scale;
  std::vector<int32_t> sum;
  int64_t ld;

  Q8(int64_t n, int64_t columns, int64_t extra = 0)
      : q(at(n * ((columns + 3) / 4 * 4 + extra)), 99), scale(at(n), untouched), sum(at(n), 99),
        ld((columns + 3) / 4 * 4 + extra) {}
  p4j_q8_rows rows() { return {q.data(), ld, scale.data(), sum.data()}; }
  void add_hash() const {
    hash(q);
    hash(scale);
    hash(sum);
  }
};
const p4j_q8_rows no_q8 = {nullptr, 0, nullptr, nullptr};

// Whether q8 is x quantized, exactly.
void check_q8(const char* what, const float* x, int64_t ldx, int64_t n, int64_t columns, const Q8& q8) {
  for (int64_t r = 0; r < n; ++r) {
    float most = 0;
    bool finite = true;
    for (int64_t i = 0; i < columns; ++i) {
      finite = finite && isfinite(x[r * ldx + i]);
      most = std::max(most, fabsf(x[r * ldx + i]));
    }
    float scale = most / 127.0f;
    if (scale < std::numeric_limits<float>::min()) scale = 0;
    if (!finite) scale = NAN;
    same(what, q8.scale[at(r)], scale);
    int32_t sum = 0;
    for (int64_t i = 0; i < q8.ld; ++i) {
      const int q = i < columns && scale > 0 ? static_cast<int>(nearbyintf(x[r * ldx + i] / scale)) : 0;
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

// ---- rows -------------------------------------------------------------------------------------------------------------

void test_quantize() {
  const int64_t shapes[][2] = {{1, 1}, {1, 5}, {3, 16}, {7, 33}, {64, 768}, {2, 50257}, {40, 100}};
  for (const auto& shape : shapes) {
    const int64_t n = shape[0], columns = shape[1], ldx = columns + 3;
    Floats x = normals(n * ldx, 3);
    if (n >= 7) {
      std::fill(x.begin(), x.begin() + columns, 0.0f);
      for (int64_t i = 0; i < columns; ++i) {
        x[at(ldx + i)] = 127.0f - 0.5f * static_cast<float>(i % 509);  // scale 1: ties
        x[at(2 * ldx + i)] *= 1e-42f;
        x[at(3 * ldx + i)] *= 1e37f;
      }
      x[at(4 * ldx + columns - 1)] = INFINITY;
      x[at(5 * ldx + columns / 2)] = NAN;
    }
    Q8 q8(n, columns, 8);
    p4j_quantize(x.data(), ldx, n, columns, q8.rows(), nullptr);
    check_q8("quantize", x.data(), ldx, n, columns, q8);
    Floats rest = x;
    p4j_quantize(rest.data(), ldx, n, columns, q8.rows(), rest.data());
    check_q8("quantize with a rest", x.data(), ldx, n, columns, q8);
    for (int64_t r = 0; r < n; ++r) {
      const double scale = q8.scale[at(r)];
      for (int64_t i = 0; i < ldx; ++i) {
        const size_t e = at(r * ldx + i);
        const double want = i < columns ? x[e] - scale * q8.q[at(r * q8.ld + i)] : x[e];
        if (isfinite(scale)) near("rest", rest[e], want, 1e-7 * fabs(x[e]), 1e-7);
      }
    }
  }
}

Doubles layer_norm(const Doubles& x, const Floats& weight, const Floats& bias, double epsilon, int64_t n, int64_t e,
                   Doubles* mean = nullptr, Doubles* rstd = nullptr) {
  Doubles y(x.size());
  for (int64_t r = 0; r < n; ++r) {
    double m = 0, v = 0;
    for (int64_t i = 0; i < e; ++i) m += x[at(r * e + i)] / static_cast<double>(e);
    for (int64_t i = 0; i < e; ++i) v += (x[at(r * e + i)] - m) * (x[at(r * e + i)] - m) / static_cast<double>(e);
    const double s = 1 / sqrt(v + epsilon);
    for (int64_t i = 0; i < e; ++i) y[at(r * e + i)] = (x[at(r * e + i)] - m) * s * weight[at(i)] + bias[at(i)];
    if (mean != nullptr) mean->push_back(m);
    if (rstd != nullptr) rstd->push_back(s);
  }
  return y;
}

// The rows without what lies between them.
Floats dense(const Floats& x, int64_t ld, int64_t n, int64_t columns) {
  Floats y;
  for (int64_t r = 0; r < n; ++r) y.insert(y.end(), x.begin() + r * ld, x.begin() + r * ld + columns);
  return y;
}

void test_layer_norm() {
  const int64_t shapes[][2] = {{1, 2}, {1, 5}, {3, 16}, {7, 33}, {50, 768}, {4, 1600}};
  for (const auto& shape : shapes) {
    const int64_t n = shape[0], e = shape[1], ldx = e + 5;
    Floats x = normals(n * ldx, 2), weight = normals(e), bias = normals(e);
    for (float& v : x) v += 3;
    if (n >= 3) std::fill(x.begin() + ldx, x.begin() + ldx + e, 0.0f);
    const Floats in = dense(x, ldx, n, e);
    Doubles want_mean, want_rstd;
    const Doubles want = layer_norm(Doubles(in.begin(), in.end()), weight, bias, 1e-5f, n, e, &want_mean, &want_rstd);
    Floats y(at(n * e), untouched), mean(at(n)), rstd(at(n));
    Q8 q8(n, e), alone(n, e);
    p4j_layer_norm(x.data(), ldx, weight.data(), bias.data(), 1e-5f, n, e, y.data(), q8.rows(), mean.data(), rstd.data());
    p4j_layer_norm(x.data(), ldx, weight.data(), bias.data(), 1e-5f, n, e, nullptr, alone.rows(), nullptr, nullptr);
    for (int64_t i = 0; i < n * e; ++i) near("layer norm", y[at(i)], want[at(i)], 5e-6, 2e-6);
    for (int64_t r = 0; r < n; ++r) near("mean", mean[at(r)], want_mean[at(r)], 1e-6, 1e-6);
    for (int64_t r = 0; r < n; ++r) near("rstd", rstd[at(r)], want_rstd[at(r)], 0, 2e-6);
    check_q8("layer norm, quantized", y.data(), e, n, e, q8);
    check_q8("layer norm, quantized only", y.data(), e, n, e, alone);
    Floats again(at(n * e));
    p4j_layer_norm(x.data(), ldx, weight.data(), bias.data(), 1e-5f, n, e, again.data(), no_q8, nullptr, nullptr);
    same_floats("layer norm, floats only", again.data(), y.data(), y.size());
    hash(y);
    hash(mean);
    hash(rstd);
  }
}

void test_layer_norm_backward() {
  const int64_t shapes[][2] = {{1, 2}, {2, 5}, {3, 16}, {7, 33}, {50, 768}};
  for (const auto& shape : shapes) {
    const int64_t n = shape[0], e = shape[1], ldx = e + 5;
    const Floats x = normals(n * ldx, 2), weight = normals(e), bias(at(e)), dy = normals(n * e), before = normals(n * e);
    const Floats in = dense(x, ldx, n, e);
    Floats mean(at(n)), rstd(at(n)), y(at(n * e)), dx = before;
    p4j_layer_norm(x.data(), ldx, weight.data(), bias.data(), 1e-5f, n, e, y.data(), no_q8, mean.data(), rstd.data());
    p4j_layer_norm_backward(dy.data(), x.data(), ldx, weight.data(), mean.data(), rstd.data(), n, e, dx.data());
    Doubles exact_mean, exact_rstd;
    layer_norm(Doubles(in.begin(), in.end()), weight, bias, 1e-5f, n, e, &exact_mean, &exact_rstd);
    for (int64_t r = 0; r < n; ++r) {
      double g_mean = 0, gx_mean = 0;
      for (int64_t i = 0; i < e; ++i) {
        const double g = dy[at(r * e + i)] * weight[at(i)];
        g_mean += g / static_cast<double>(e);
        gx_mean += g * (in[at(r * e + i)] - exact_mean[at(r)]) * exact_rstd[at(r)] / static_cast<double>(e);
      }
      for (int64_t i = 0; i < e; ++i) {
        const double g = dy[at(r * e + i)] * weight[at(i)];
        const double normal = (in[at(r * e + i)] - exact_mean[at(r)]) * exact_rstd[at(r)];
        const double d = exact_rstd[at(r)] * (g - g_mean - normal * gx_mean);
        near("layer norm backward", dx[at(r * e + i)], before[at(r * e + i)] + d, 2e-5, 2e-5);
      }
    }
    if (n * e <= 20) {
      const Doubles d = differences(in, dy, [&](const Doubles& v) { return layer_norm(v, weight, bias, 1e-5f, n, e); });
      for (size_t i = 0; i < d.size(); ++i) near("layer norm, differences", dx[i] - before[i], d[i], 1e-4, 1e-4);
    }
    hash(dx);
  }
}

Doubles rms_norm(const Doubles& x, const Floats& weight, double epsilon, int64_t n, int64_t e, Doubles* rstd = nullptr) {
  Doubles y(x.size());
  for (int64_t r = 0; r < n; ++r) {
    double squares = 0;
    for (int64_t i = 0; i < e; ++i) squares += x[at(r * e + i)] * x[at(r * e + i)] / static_cast<double>(e);
    const double s = 1 / sqrt(squares + epsilon);
    for (int64_t i = 0; i < e; ++i) y[at(r * e + i)] = x[at(r * e + i)] * s * weight[at(i)];
    if (rstd != nullptr) rstd->push_back(s);
  }
  return y;
}

Doubles rms_norm_backward(const Floats& dy, const Floats& x, const Floats& weight, const Doubles& rstd, int64_t n, int64_t e) {
  Doubles dx(x.size());
  for (int64_t r = 0; r < n; ++r) {
    double along = 0;
    for (int64_t i = 0; i < e; ++i) {
      const double normal = x[at(r * e + i)] * rstd[at(r)];
      along += static_cast<double>(dy[at(r * e + i)]) * weight[at(i)] * normal / static_cast<double>(e);
    }
    for (int64_t i = 0; i < e; ++i) {
      const double g = static_cast<double>(dy[at(r * e + i)]) * weight[at(i)];
      dx[at(r * e + i)] = rstd[at(r)] * (g - x[at(r * e + i)] * rstd[at(r)] * along);
    }
  }
  return dx;
}

void test_rms_norm() {
  for (const int64_t n : {0, 1, 7, 33}) {
    for (const int64_t e : {1, 5, 16, 33, 768, 1601}) {
      const int64_t ldx = e + 5;
      Floats x = normals(n * ldx, 2);
      const Floats weight = normals(e);
      if (n >= 7) std::fill(x.begin() + ldx, x.begin() + ldx + e, 0.0f);
      const Floats in = dense(x, ldx, n, e);
      Doubles want_rstd;
      const Doubles want = rms_norm(Doubles(in.begin(), in.end()), weight, 1e-5f, n, e, &want_rstd);
      Floats y(at(n * e), untouched), rstd(at(n)), again = y;
      Q8 q8(n, e), alone(n, e);
      p4j_rms_norm(x.data(), ldx, weight.data(), 1e-5f, n, e, y.data(), q8.rows(), rstd.data());
      p4j_rms_norm(x.data(), ldx, weight.data(), 1e-5f, n, e, nullptr, alone.rows(), nullptr);
      for (int64_t i = 0; i < n * e; ++i) near("rms norm", y[at(i)], want[at(i)], 5e-6, 2e-6);
      for (int64_t r = 0; r < n; ++r) near("rstd", rstd[at(r)], want_rstd[at(r)], 0, 2e-6);
      check_q8("rms norm, quantized", y.data(), e, n, e, q8);
      check_q8("rms norm, quantized only", y.data(), e, n, e, alone);
      for (int64_t r = 0; r < n; ++r)
        p4j_rms_norm(x.data() + r * ldx, ldx, weight.data(), 1e-5f, 1, e, again.data() + r * e, no_q8, nullptr);
      same_floats("rms norm, row by row", again.data(), y.data(), y.size());
      hash(y);
      hash(rstd);
    }
  }
}

void test_rms_norm_backward() {
  for (const int64_t n : {0, 1, 7, 33}) {
    for (const int64_t e : {1, 5, 16, 33, 768}) {
      const int64_t ldx = e + 5;
      const Floats x = normals(n * ldx, 2), weight = normals(e), dy = normals(n * e), before = normals(n * e);
      const Floats in = dense(x, ldx, n, e);
      const Doubles exact(in.begin(), in.end());
      Doubles exact_rstd;
      rms_norm(exact, weight, 1e-5f, n, e, &exact_rstd);
      const Floats rstd(exact_rstd.begin(), exact_rstd.end());
      Floats dx = before, again = before;
      p4j_rms_norm_backward(dy.data(), x.data(), ldx, weight.data(), rstd.data(), n, e, dx.data());
      const Doubles want = rms_norm_backward(dy, in, weight, exact_rstd, n, e);
      for (size_t i = 0; i < want.size(); ++i) {
        const double size = e == 1 ? exact_rstd[i] : 1;  // a row of one number has almost no gradient, but its terms do
        near("rms norm backward", dx[i], before[i] + want[i], 2e-5 * std::max(1.0, size), 2e-5);
      }
      if (n == 1 && e <= 16) {
        const Doubles d = differences(in, dy, [&](const Doubles& v) { return rms_norm(v, weight, 1e-5f, n, e); });
        for (size_t i = 0; i < d.size(); ++i) near("rms norm, differences", dx[i] - before[i], d[i], 1e-4, 1e-4);
      }
      for (int64_t r = 0; r < n; ++r) {
        const float *up = dy.data() + r * e, *row = x.data() + r * ldx;
        p4j_rms_norm_backward(up, row, ldx, weight.data(), &rstd[at(r)], 1, e, again.data() + r * e);
      }
      same_floats("rms norm backward, row by row", again.data(), dx.data(), dx.size());
      hash(dx);
    }
  }
}

double gelu(double x) { return x / 2 * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); }

double gelu_slope(double x) {
  const double t = tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x);
}

void test_gelu() {
  const int64_t shapes[][2] = {{1, 1}, {1, 5}, {3, 16}, {7, 33}, {20, 3072}};
  for (const auto& shape : shapes) {
    const int64_t n = shape[0], columns = shape[1];
    Floats x = normals(n * columns, columns > 1000 ? 5 : 1);
    if (n >= 3) x[0] = 0, x[1] = 50, x[2] = -50, x[3] = 1e4f, x[4] = -1e4f, x[5] = -6;
    Floats y(x.size(), untouched);
    Q8 q8(n, columns), alone(n, columns);
    p4j_gelu(x.data(), n, columns, y.data(), q8.rows(), nullptr);
    p4j_gelu(x.data(), n, columns, nullptr, alone.rows(), nullptr);
    for (size_t i = 0; i < x.size(); ++i) near("gelu", y[i], gelu(x[i]), 1e-8, 2e-6);
    // with its slope in 8 bits, and the way back by that
    Floats other(x.size(), untouched), dx(x.size());
    const Floats dy = normals(n * columns);
    std::vector<uint8_t> slope(x.size() + 1, 77);
    p4j_gelu(x.data(), n, columns, other.data(), no_q8, slope.data());
    for (size_t i = 0; i < x.size(); ++i) {
      near("gelu with slope", other[i], gelu(x[i]), 1e-8, 2e-6);
      near("slope", slope[i] * (1.26 / 255) - 0.13, gelu_slope(x[i]), 0.501 * 1.26 / 255, 0);
      dx[i] = dy[i] * (static_cast<float>(slope[i]) * (1.26f / 255) - 0.13f);
    }
    same("slope, past the end", slope[x.size()], 77);
    Q8 back(n, columns);
    p4j_slope_backward(dy.data(), slope.data(), n, columns, back.rows());
    for (int64_t r = 0; r < n; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        const double got = static_cast<double>(back.scale[at(r)]) * back.q[at(r * back.ld + c)];
        near("slope backward", got, dx[at(r * columns + c)], 0.501 * back.scale[at(r)], 0);
      }
    }
    hash(slope);
    back.add_hash();
    check_q8("gelu, quantized", y.data(), columns, n, columns, q8);
    check_q8("gelu, quantized only", y.data(), columns, n, columns, alone);
    hash(y);
  }
}

void test_gelu_backward() {
  const int64_t shapes[][2] = {{1, 1}, {2, 5}, {3, 16}, {7, 33}, {20, 3072}};
  for (const auto& shape : shapes) {
    const int64_t n = shape[0], columns = shape[1];
    Floats x = normals(n * columns, columns > 1000 ? 5 : 1);
    const Floats dy = normals(n * columns);
    if (n >= 3) x[0] = 0, x[1] = 50, x[2] = -50, x[3] = 1e4f, x[4] = -1e4f, x[5] = -6;
    Floats dx(x.size(), untouched), in_place = dy;
    Q8 q8(n, columns), alone(n, columns);
    p4j_gelu_backward(dy.data(), x.data(), n, columns, dx.data(), q8.rows());
    p4j_gelu_backward(dy.data(), x.data(), n, columns, nullptr, alone.rows());
    p4j_gelu_backward(in_place.data(), x.data(), n, columns, in_place.data(), no_q8);
    for (size_t i = 0; i < x.size(); ++i) near("gelu backward", dx[i], dy[i] * gelu_slope(x[i]), 5e-7, 2e-6);
    if (n == 2) {
      const Doubles d = differences(x, dy, [&](const Doubles& v) {
        Doubles y;
        for (double u : v) y.push_back(gelu(u));
        return y;
      });
      for (size_t i = 0; i < d.size(); ++i) near("gelu, differences", dx[i], d[i], 1e-5, 1e-5);
    }
    same_floats("gelu backward in place", in_place.data(), dx.data(), dx.size());
    check_q8("gelu backward, quantized", dx.data(), columns, n, columns, q8);
    check_q8("gelu backward, quantized only", dx.data(), columns, n, columns, alone);
    hash(dx);
  }
}

double silu(double x) { return x / (1 + exp(-x)); }

double silu_slope(double x) {
  const double s = 1 / (1 + exp(-x));
  return s * (1 + x * (1 - s));
}

// A row's gates and values, some of the gates large.
Floats gates(int64_t n, int64_t columns, int64_t ldx) {
  Floats x = normals(n * ldx, columns > 1000 ? 5 : 1);
  const float large[] = {0, 50, -50, 1e4f, -1e4f, -6};
  if (n >= 7 && columns >= 6) std::copy(large, large + 6, x.begin());
  return x;
}

void test_swiglu() {
  for (const int64_t n : {0, 1, 7, 33}) {
    for (const int64_t columns : {1, 5, 16, 33, 3072}) {
      const int64_t ldx = 2 * columns + 3;
      const Floats x = gates(n, columns, ldx);
      Floats y(at(n * columns), untouched), again = y;
      Q8 q8(n, columns), alone(n, columns);
      p4j_swiglu(x.data(), ldx, n, columns, y.data(), q8.rows());
      p4j_swiglu(x.data(), ldx, n, columns, nullptr, alone.rows());
      for (int64_t r = 0; r < n; ++r) {
        const float* row = x.data() + r * ldx;
        for (int64_t i = 0; i < columns; ++i)
          near("swiglu", y[at(r * columns + i)], silu(row[i]) * row[columns + i], 1e-8, 2e-6);
        p4j_swiglu(row, ldx, 1, columns, again.data() + r * columns, no_q8);
      }
      same_floats("swiglu, row by row", again.data(), y.data(), y.size());
      check_q8("swiglu, quantized", y.data(), columns, n, columns, q8);
      check_q8("swiglu, quantized only", y.data(), columns, n, columns, alone);
      hash(y);
    }
  }
}

void test_swiglu_backward() {
  for (const int64_t n : {0, 1, 7, 33}) {
    for (const int64_t columns : {1, 5, 16, 33, 1601}) {
      const int64_t ldx = 2 * columns + 3, wide = 2 * columns;
      const Floats x = gates(n, columns, ldx), dy = normals(n * columns);
      Floats dx(at(n * wide), untouched), again = dx;
      Q8 q8(n, wide), alone(n, wide);
      p4j_swiglu_backward(dy.data(), x.data(), ldx, n, columns, dx.data(), q8.rows());
      p4j_swiglu_backward(dy.data(), x.data(), ldx, n, columns, nullptr, alone.rows());
      for (int64_t r = 0; r < n; ++r) {
        const float* row = x.data() + r * ldx;
        for (int64_t i = 0; i < columns; ++i) {
          const double d = dy[at(r * columns + i)], gate = row[i], value = row[columns + i];
          near("gate", dx[at(r * wide + i)], d * value * silu_slope(gate), 5e-7 * (1 + fabs(d * value)), 2e-6);
          near("value", dx[at(r * wide + columns + i)], d * silu(gate), 1e-8, 2e-6);
        }
        p4j_swiglu_backward(dy.data() + r * columns, row, ldx, 1, columns, again.data() + r * wide, no_q8);
      }
      if (n == 1 && columns <= 5) {
        const Doubles d = differences(dense(x, ldx, n, wide), dy, [&](const Doubles& v) {
          Doubles y;
          for (int64_t i = 0; i < columns; ++i) y.push_back(silu(v[at(i)]) * v[at(columns + i)]);
          return y;
        });
        for (size_t i = 0; i < d.size(); ++i) near("swiglu, differences", dx[i], d[i], 1e-5, 1e-5);
      }
      same_floats("swiglu backward, row by row", again.data(), dx.data(), dx.size());
      check_q8("swiglu backward, quantized", dx.data(), wide, n, wide, q8);
      check_q8("swiglu backward, quantized only", dx.data(), wide, n, wide, alone);
      hash(dx);
    }
  }
}

// ---- heads of a row -----------------------------------------------------------------------------------------------------

struct HeadShape {
  int64_t heads, width, rotary;
};
const HeadShape head_shapes[] = {{1, 2, 2}, {3, 5, 4}, {2, 33, 0}, {4, 64, 64}, {5, 81, 22}, {12, 128, 96}};

void test_rotate() {
  for (const int64_t n : {0, 1, 7, 33}) {
    for (const HeadShape& s : head_shapes) {
      const int64_t e = s.heads * s.width, ldx = e + 5, half = s.rotary / 2;
      const Floats before = normals(n * ldx);
      Floats turn(at(n * s.rotary));
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t i = 0; i < half; ++i) {
          const double angle = 100 * random_numbers.uniform();
          turn[at(r * s.rotary + i)] = static_cast<float>(cos(angle));
          turn[at(r * s.rotary + half + i)] = static_cast<float>(sin(angle));
        }
      }
      for (const int64_t direction : {1, -1}) {
        Floats x = before, again = before;
        p4j_rotate(x.data(), ldx, n, s.heads, s.width, s.rotary, turn.data(), direction);
        for (int64_t r = 0; r < n; ++r) {
          for (int64_t i = 0; i < ldx; ++i) {
            const size_t place = at(r * ldx + i);
            const int64_t column = i % s.width;
            if (i >= e || column >= s.rotary) {
              same("rotate, what stays", x[place], before[place]);
              continue;
            }
            const bool first = column < half;
            const size_t angle = at(r * s.rotary + column % std::max(half, int64_t{1}));
            const double cosine = turn[angle], sine = static_cast<double>(direction) * turn[angle + at(half)];
            const double other = before[first ? place + at(half) : place - at(half)];
            near("rotate", x[place], before[place] * cosine + (first ? -other : other) * sine, 1e-6, 1e-6);
          }
          const float* angles = turn.data() + r * s.rotary;
          p4j_rotate(again.data() + r * ldx, ldx, 1, s.heads, s.width, s.rotary, angles, direction);
        }
        same_floats("rotate, row by row", again.data(), x.data(), x.size());
        hash(x);
        p4j_rotate(x.data(), ldx, n, s.heads, s.width, s.rotary, turn.data(), -direction);
        for (size_t i = 0; i < x.size(); ++i) near("rotate and back", x[i], before[i], 3e-6, 0);
      }
    }
  }
}

// The heads of the rows as rows of their own.
Floats heads_of(const Floats& x, int64_t ld, int64_t n, const HeadShape& s) { return dense(x, ld, n, s.heads * s.width); }

void test_head_norm() {
  for (const int64_t n : {0, 1, 7, 33}) {
    for (const HeadShape& s : head_shapes) {
      const int64_t e = s.heads * s.width, ldx = e + 5, ldy = e + 3;
      const Floats x = normals(n * ldx, 2), weight = normals(s.width), in = heads_of(x, ldx, n, s);
      Doubles want_rstd;
      const Doubles want = rms_norm(Doubles(in.begin(), in.end()), weight, 1e-5f, n * s.heads, s.width, &want_rstd);
      Floats y(at(n * ldy), untouched), rstd(at(n * s.heads)), again = y;
      p4j_head_norm(x.data(), ldx, weight.data(), 1e-5f, n, s.heads, s.width, y.data(), ldy, rstd.data());
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t i = 0; i < e; ++i) near("head norm", y[at(r * ldy + i)], want[at(r * e + i)], 5e-6, 2e-6);
        for (int64_t i = e; i < ldy; ++i) same("head norm, past the end", y[at(r * ldy + i)], untouched);
        const float* row = x.data() + r * ldx;
        p4j_head_norm(row, ldx, weight.data(), 1e-5f, 1, s.heads, s.width, again.data() + r * ldy, ldy, nullptr);
      }
      for (size_t i = 0; i < rstd.size(); ++i) near("rstd", rstd[i], want_rstd[i], 0, 2e-6);
      same_floats("head norm, row by row", again.data(), y.data(), y.size());
      hash(y);
      hash(rstd);
    }
  }
}

void test_head_norm_backward() {
  for (const int64_t n : {0, 1, 7, 33}) {
    for (const HeadShape& s : head_shapes) {
      const int64_t e = s.heads * s.width, ldx = e + 5, lddy = e + 3, lddx = e + 2;
      const Floats x = normals(n * ldx, 2), weight = normals(s.width), dy = normals(n * lddy), in = heads_of(x, ldx, n, s);
      Doubles exact_rstd;
      rms_norm(Doubles(in.begin(), in.end()), weight, 1e-5f, n * s.heads, s.width, &exact_rstd);
      const Floats rstd(exact_rstd.begin(), exact_rstd.end());
      const Doubles want = rms_norm_backward(heads_of(dy, lddy, n, s), in, weight, exact_rstd, n * s.heads, s.width);
      Floats dx(at(n * lddx), untouched), again = dx, in_place = dy;
      const auto backward = [&](const float* up, const float* row, const float* factor, int64_t rows, float* to, int64_t ld) {
        p4j_head_norm_backward(up, lddy, row, ldx, weight.data(), factor, rows, s.heads, s.width, to, ld);
      };
      backward(dy.data(), x.data(), rstd.data(), n, dx.data(), lddx);
      backward(in_place.data(), x.data(), rstd.data(), n, in_place.data(), lddy);
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t i = 0; i < e; ++i) {
          const double size = std::max(1.0, exact_rstd[at(r * s.heads + i / s.width)]);
          near("head norm backward", dx[at(r * lddx + i)], want[at(r * e + i)], 1e-5 * size, 1e-5);
          same("head norm backward in place", in_place[at(r * lddy + i)], dx[at(r * lddx + i)]);
        }
        for (int64_t i = e; i < lddx; ++i) same("head norm backward, past the end", dx[at(r * lddx + i)], untouched);
        for (int64_t i = r * lddy + e; i < (r + 1) * lddy; ++i)
          same("head norm backward, between rows", in_place[at(i)], dy[at(i)]);
        backward(&dy[at(r * lddy)], &x[at(r * ldx)], &rstd[at(r * s.heads)], 1, &again[at(r * lddx)], lddx);
      }
      same_floats("head norm backward, row by row", again.data(), dx.data(), dx.size());
      hash(dx);
    }
  }
}

// ---- 8-bit matrix products --------------------------------------------------------------------------------------------

void test_matmul_q8() {
  struct {
    int64_t n, k, m;
  } const shapes[] = {{1, 5, 1},   {1, 1, 50257}, {2, 7, 33},    {3, 64, 64},    {4, 63, 31},  {5, 65, 97},    {7, 100, 129},
                      {8, 768, 70}, {11, 30, 65},  {12, 128, 32}, {13, 128, 100}, {25, 31, 40}, {40, 768, 129}, {600, 5, 3},
                      {700, 768, 33}, {130, 3072, 40}, {1, 768, 768}};
  for (const auto& s : shapes) {
    for (int form = 0; form < 3; ++form) {
      const int64_t n = s.n, k = s.k, m = s.m, ldy = m + form, ldr = m + 2 * form;
      const bool transposed = form == 1;
      Floats x = normals(n * k), w = normals(k * m, 0.1f), bias = normals(m), residual = normals(n * ldr, 2);
      const int64_t stride_k = transposed ? 1 : m, stride_m = transposed ? k : 1;
      if (m > 2)
        for (int64_t i = 0; i < k; ++i) w[at(i * stride_k + 2 * stride_m)] = 0;
      if (n > 2) std::fill(x.begin() + k, x.begin() + 2 * k, 0.0f);
      if (form == 2)  // the largest sums there can be
        for (int64_t i = 0; i < k; ++i) x[at(i)] = 1, w[at(i * stride_k)] = i % 2 == 0 || k < 100 ? -1.0f : 1.0f;
      Q8 a(n, k, form == 2 ? 4 : 0);
      p4j_quantize(x.data(), k, n, k, a.rows(), nullptr);
      const int64_t bytes = p4j_packed_bytes(k, m);
      std::vector<char> memory(at(bytes + 128), 77);
      char* packed = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
      p4j_pack(w.data(), P4J_FLOAT32, stride_k, stride_m, k, m, packed);
      same("pack", packed[bytes], 77);
      Floats y(at(n * ldy), untouched);
      if (form == 2) {
        for (int64_t r = 0; r < n; ++r)
          for (int64_t j = 0; j < m; ++j) y[at(r * ldy + j)] = residual[at(r * ldr + j)];
        const int64_t half = m > 64 ? 64 : m;  // in two parts
        for (int64_t first = 0; first < m; first += half) {
          p4j_matmul_q8(a.rows(), n, packed, k, m, first, first == 0 ? half : m - first, bias.data() + first,
                        y.data() + first, ldy, y.data() + first, ldy);
          if (first > 0) break;
        }
      } else {
        p4j_matmul_q8(a.rows(), n, packed, k, m, 0, m, form == 1 ? bias.data() : nullptr,
                      form == 1 ? residual.data() : nullptr, ldr, y.data(), ldy);
      }
      hash(y);
      if (!against_reference) continue;
      std::vector<int32_t> column(at(k));
      for (int64_t j = 0; j < m; ++j) {
        float most = 0;
        for (int64_t i = 0; i < k; ++i) most = std::max(most, fabsf(w[at(i * stride_k + j * stride_m)]));
        const float scale = most / 127;
        for (int64_t i = 0; i < k; ++i)
          column[at(i)] = scale > 0 ? static_cast<int32_t>(nearbyintf(w[at(i * stride_k + j * stride_m)] / scale)) : 0;
        for (int64_t r = 0; r < n; ++r) {
          int64_t sum = 0;
          for (int64_t i = 0; i < k; ++i) sum += a.q[at(r * a.ld + i)] * column[at(i)];
          const double product = static_cast<double>(a.scale[at(r)]) * scale * static_cast<double>(sum);
          const double plus = form == 0 ? 0 : bias[at(j)], rest = form == 0 ? 0 : residual[at(r * ldr + j)];
          const double size = fabs(product) + fabs(plus) + fabs(rest);
          near("matmul", y[at(r * ldy + j)], product + plus + rest, 4e-7 * size + 1e-30, 0);
        }
      }
      for (int64_t r = 0; r < n; ++r)
        for (int64_t j = m; j < ldy; ++j) same("matmul, past the end", y[at(r * ldy + j)], untouched);
    }
  }
}

// Every number of 16 bits as a weight of its own, so that its scale shows it.
void test_pack_types() {
  const int64_t m = 1 << 16;
  for (const int64_t type : {P4J_BFLOAT16, P4J_FLOAT16}) {
    const int width = type == P4J_FLOAT16 ? 5 : 8, fraction_bits = 15 - width, bias = (1 << (width - 1)) - 1;
    std::vector<uint16_t> stored(at(m));
    Floats numbers(at(m));
    for (int64_t i = 0; i < m; ++i) {
      const int exponent = static_cast<int>(i >> fraction_bits) & ((1 << width) - 1);
      const int fraction = static_cast<int>(i) & ((1 << fraction_bits) - 1);
      if (exponent == (1 << width) - 1) continue;  // no finite number: 0 stays
      const double size = exponent == 0 ? ldexp(fraction, 1 - bias - fraction_bits)
                                        : ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
      stored[at(i)] = static_cast<uint16_t>(i);
      numbers[at(i)] = static_cast<float>(i >> 15 ? -size : size);
    }
    const int64_t bytes = p4j_packed_bytes(1, m);
    for (const int64_t stride_k : {m, int64_t{1}}) {
      std::vector<char> memory(at(2 * bytes + 192), 77);
      char* packed = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
      char* wanted = packed + (bytes + 63) / 64 * 64;
      p4j_pack(stored.data(), type, stride_k, 1, 1, m, packed);
      p4j_pack(numbers.data(), P4J_FLOAT32, stride_k, 1, 1, m, wanted);
      same(type == P4J_FLOAT16 ? "pack float16" : "pack bfloat16", memcmp(packed, wanted, at(bytes)), 0);
      hash(std::vector<char>(packed, packed + bytes));
    }
  }
}

void test_matmul_f32() {
  struct {
    int64_t n, k, m;
  } const shapes[] = {{1, 5, 1},   {1, 1, 300},   {2, 7, 33},    {3, 64, 64},   {4, 63, 31},   {5, 65, 97},  {7, 100, 129},
                      {8, 768, 70}, {11, 30, 65}, {20, 128, 192}, {40, 77, 100}, {41, 30, 17}, {64, 64, 64}, {97, 800, 130},
                      {600, 5, 3}, {401, 1600, 33}, {0, 4, 4}, {3, 0, 5}, {50, 0, 5}};
  for (const auto& s : shapes) {
    for (int form = 0; form < 4; ++form) {
      const int64_t n = s.n, k = s.k, m = s.m, ldx = k + form, ldy = m + form, ldr = m + 2 * form;
      const bool transposed = form % 2 == 1;
      // Higham and Mary 2019: k roundings of 2^-24 add up to k of them at the worst, and to a few sqrt(k) as a rule.
      const double most = static_cast<double>(k + 2), roundings = std::min(most, 4 * sqrt(most)) * pow(2, -24);
      const int64_t stride_k = transposed ? 1 : m + form, stride_m = transposed ? k + form : 1;
      const Floats x = normals(n * ldx), w = normals(transposed ? m * stride_m : k * stride_k), bias = normals(m),
                   residual = normals(n * ldr, 2);
      Floats y(at(n * ldy), untouched);
      if (form == 2) {
        for (int64_t r = 0; r < n; ++r)
          for (int64_t j = 0; j < m; ++j) y[at(r * ldy + j)] = residual[at(r * ldr + j)];
        p4j_matmul_f32(x.data(), ldx, n, w.data(), stride_k, stride_m, k, m, bias.data(), y.data(), ldy, y.data(), ldy);
      } else {
        p4j_matmul_f32(x.data(), ldx, n, w.data(), stride_k, stride_m, k, m, form == 0 ? nullptr : bias.data(),
                       form < 2 ? nullptr : residual.data(), ldr, y.data(), ldy);
      }
      hash(y);
      if (!against_reference) continue;
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t j = 0; j < m; ++j) {
          double want = (form == 0 ? 0 : bias[at(j)]) + (form < 2 ? 0 : residual[at(r * ldr + j)]), size = fabs(want);
          for (int64_t i = 0; i < k; ++i) {
            const double term = static_cast<double>(x[at(r * ldx + i)]) * w[at(i * stride_k + j * stride_m)];
            want += term;
            size += fabs(term);
          }
          near("matmul_f32", y[at(r * ldy + j)], want, roundings * size + 1e-30, 0);
        }
        for (int64_t j = m; j < ldy; ++j) same("matmul_f32, past the end", y[at(r * ldy + j)], untouched);
      }
      const float* plus = form == 0 ? nullptr : bias.data();
      const float* rest = form < 2 ? nullptr : residual.data();
      for (int64_t r = 0; r < n; r += 1 + n / 20) {  // rows alone
        Floats alone(at(m));
        p4j_matmul_f32(x.data() + r * ldx, ldx, 1, w.data(), stride_k, stride_m, k, m, plus, rest == nullptr ? nullptr : rest + r * ldr,
                       ldr, alone.data(), m);
        same_floats("matmul_f32, a row alone", alone.data(), &y[at(r * ldy)], alone.size());
      }
      Floats memory(at(p4j_packed_floats(k, m) + 32), 77), strips(at(n * ldy), untouched);  // in strips, and in two parts
      float* packed = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) / 4;
      p4j_pack_f32(w.data(), stride_k, stride_m, k, m, packed);
      same("pack_f32, past the end", packed[p4j_packed_floats(k, m)], 77);
      const int64_t half = m > 64 ? 64 : m;
      for (int64_t first = 0; first < m; first += half) {
        p4j_matmul_packed_f32(x.data(), ldx, n, packed, k, first, first == 0 ? half : m - first, plus == nullptr ? nullptr : plus + first,
                              rest == nullptr ? nullptr : rest + first, ldr, strips.data() + first, ldy);
        if (first > 0) break;
      }
      same_floats("matmul_packed_f32", strips.data(), y.data(), y.size());
    }
  }
}

// ---- attention --------------------------------------------------------------------------------------------------------

// Keys and values of two layers with gaps between their rows, and gradients of the same form; only layer 1 is looked at.
struct KeysValues {
  int64_t length, columns, ld, layer_stride;
  bool wanted;  // whether a gradient is
  Floats k, v, dk, dv, turn;

  KeysValues(int64_t n, int64_t width, bool gradient, float before)
      : length(n), columns(width), ld(2 * width + 3), layer_stride(n * ld + 5), wanted(gradient),
        k(normals(2 * layer_stride)), v(normals(2 * layer_stride)), dk(k.size(), before), dv(k.size(), before) {}

  size_t place(int64_t key, int64_t column) const { return at(layer_stride + key * ld + column); }
};

// A batch: every row sees some of the shared keys and values, in an order of its own, and then its own tokens.
struct Batch {
  int64_t H, Hk, D, rotary, ldq, ldy;
  float scale;
  std::vector<KeysValues> shared, own;
  struct Sight {
    int64_t shared, from;
  };
  std::vector<std::vector<Sight>> sights;
  std::vector<int64_t> qoffsets = {0};
  std::vector<int32_t> positions;
  Floats q;

  // rotated: with rotations; some: not every token asks; inside: some segments are seen from the middle on
  Batch(std::vector<int64_t> lengths, int64_t heads, int64_t key_heads, int64_t width, std::vector<int64_t> lengths_of_shared,
        bool rotated, bool some, bool inside)
      : H(heads), Hk(key_heads), D(width), rotary(rotated ? width / 4 * 2 : 0), ldq(heads * width + 3), ldy(heads * width + 8),
        scale(static_cast<float>(1 / sqrt(static_cast<double>(width)))) {
    const int64_t rows = static_cast<int64_t>(lengths.size());
    for (size_t i = 0; i < lengths_of_shared.size(); ++i) {
      shared.emplace_back(lengths_of_shared[i], Hk * D, i % 3 != 1, 0.25f);
      if (rotated && i % 2 == 0) {
        for (int part = 0; part < 2; ++part)
          for (int64_t pair = 0; pair < rotary / 2; ++pair) {
            const double angle = static_cast<double>(i + 1) * pow(10, -static_cast<double>(pair));
            shared.back().turn.push_back(static_cast<float>(part == 0 ? cos(angle) : sin(angle)));
          }
      }
    }
    for (int64_t b = 0; b < rows; ++b) {
      own.emplace_back(lengths[at(b)], Hk * D, true, untouched);
      sights.emplace_back();
      for (size_t i = 0; i < shared.size(); ++i)  // the first rows see all, others the even ones
        if (b < (rows + 1) / 2 || i % 2 == 0)
          sights.back().push_back({static_cast<int64_t>(i), inside && i % 2 == 0 ? lengths[at(b)] / 2 : 0});
      int64_t taken = 0;
      for (int64_t t = 0; t < lengths[at(b)]; ++t)
        if (!some || (t > lengths[at(b)] / 3 && random_numbers.below(3) != 0)) positions.push_back(static_cast<int32_t>(t)), ++taken;
      qoffsets.push_back(qoffsets.back() + taken);
    }
    q = normals(qoffsets.back() * ldq);
  }

  int64_t rows() const { return static_cast<int64_t>(own.size()); }

  // ---- what it should be, in double precision

  struct Key {
    const KeysValues* of;
    int64_t key;
    bool hidden;
  };

  std::vector<Key> keys(int64_t b, int64_t position) const {
    std::vector<Key> all;
    for (const Sight& sight : sights[at(b)])
      for (int64_t j = 0; j < shared[at(sight.shared)].length; ++j) all.push_back({&shared[at(sight.shared)], j, position < sight.from});
    for (int64_t j = 0; j <= position; ++j) all.push_back({&own[at(b)], j, false});
    return all;
  }

  // A head of a query as it looks at some keys and values; back: the gradient of that on its way to the query.
  Doubles turned(Doubles x, const KeysValues& of, double sign) const {
    const int64_t half = rotary / 2;
    if (of.turn.empty()) return x;
    for (int64_t i = 0; i < half; ++i) {
      const double c = of.turn[at(i)], s = sign * of.turn[at(half + i)], a = x[at(i)], b = x[at(half + i)];
      x[at(i)] = a * c - b * s;
      x[at(half + i)] = b * c + a * s;
    }
    return x;
  }

  Doubles head(const Floats& x, int64_t start) const { return Doubles(x.begin() + start, x.begin() + start + D); }

  // y [H * D] of a query row and lse [H]; with dy also the gradients, added to dq [ldq] and the maps
  struct Gradients {
    Doubles dq;
    std::vector<std::pair<const KeysValues*, std::pair<Doubles, Doubles>>> of;
    Doubles& dk(const KeysValues* x) { return find(x).first; }
    Doubles& dv(const KeysValues* x) { return find(x).second; }
    std::pair<Doubles, Doubles>& find(const KeysValues* x) {
      for (auto& entry : of)
        if (entry.first == x) return entry.second;
      of.push_back({x, {Doubles(x->k.size()), Doubles(x->k.size())}});
      return of.back().second;
    }
  };

  void query(int64_t b, int64_t r, const float* dy, Doubles* y, Doubles* lse, Gradients* gradients) const {
    const std::vector<Key> all = keys(b, positions[at(r)]);
    for (int64_t h = 0; h < H; ++h) {
      const int64_t column = h * Hk / H * D;
      Doubles s;
      double top = -INFINITY, total = 0;
      const KeysValues* last = nullptr;
      Doubles from;
      for (const Key& key : all) {
        if (key.of != last) from = turned(head(q, r * ldq + h * D), *(last = key.of), 1);
        double score = 0;
        for (int64_t d = 0; d < D; ++d) score += from[at(d)] * key.of->k[key.of->place(key.key, column + d)];
        s.push_back(key.hidden ? -INFINITY : score * scale);
        top = std::max(top, s.back());
      }
      for (double& x : s) total += x = exp(x - top);
      for (size_t j = 0; j < all.size(); ++j)
        for (int64_t d = 0; d < D; ++d)
          (*y)[at(h * D + d)] += s[j] / total * all[j].of->v[all[j].of->place(all[j].key, column + d)];
      if (lse != nullptr) lse->push_back(top + log(total));
      if (gradients == nullptr) continue;
      double delta = 0;
      for (int64_t d = 0; d < D; ++d) delta += dy[h * D + d] * (*y)[at(h * D + d)];
      last = nullptr;
      Doubles back;
      const auto bring_back = [&] {
        if (last != nullptr) back = turned(back, *last, -1);
        for (int64_t d = 0; d < D && last != nullptr; ++d) gradients->dq[at(r * ldq + h * D + d)] += back[at(d)];
      };
      for (size_t j = 0; j < all.size(); ++j) {
        const KeysValues* of = all[j].of;
        if (of != last) {
          bring_back();
          back.assign(at(D), 0);
          from = turned(head(q, r * ldq + h * D), *(last = of), 1);
        }
        auto& gradient = gradients->find(of);
        const double p = s[j] / total;
        double dp = 0;
        for (int64_t d = 0; d < D; ++d) dp += dy[h * D + d] * of->v[of->place(all[j].key, column + d)];
        const double ds = p * (dp - delta) * scale;
        for (int64_t d = 0; d < D; ++d) {
          const size_t place = of->place(all[j].key, column + d);
          back[at(d)] += ds * of->k[place];
          gradient.first[place] += ds * from[at(d)];
          gradient.second[place] += p * dy[h * D + d];
        }
      }
      bring_back();
    }
  }

  // ---- what the kernels give

  struct Got {
    Floats y, lse, dq;
    std::vector<KeysValues> shared, own;  // their gradients
  };

  // The rows `chosen`, with shared segments in pieces of `piece` keys (0: whole). dy [queries of all rows, ldy].
  Got run(const std::vector<int64_t>& chosen, int64_t piece, const Floats& dy, bool with_dq) const {
    Got got;
    got.shared = shared;
    got.own = own;
    std::vector<p4j_segment> segments;
    std::vector<int64_t> offsets = {0}, soffsets = {0};
    std::vector<int32_t> places;
    Floats queries, above;
    const auto add = [&](KeysValues& of, int64_t first, int64_t n, int64_t from) {
      const size_t start = at(first * of.ld);
      const bool gradient = of.wanted;
      segments.push_back({&of.k[start], &of.v[start], of.ld, n, of.layer_stride, from, of.turn.empty() ? nullptr : of.turn.data(),
                          gradient ? &of.dk[start] : nullptr, gradient ? &of.dv[start] : nullptr, of.ld});
    };
    for (const int64_t b : chosen) {
      for (const Sight& sight : sights[at(b)]) {
        KeysValues& of = got.shared[at(sight.shared)];
        const int64_t step = piece == 0 ? of.length : piece;
        for (int64_t j = 0; j < of.length; j += step) add(of, j, std::min(step, of.length - j), sight.from);
        if (of.length == 0) add(of, 0, 0, sight.from);
      }
      KeysValues& mine = got.own[at(b)];
      mine.wanted = with_dq;
      add(mine, 0, mine.length, 0);
      soffsets.push_back(static_cast<int64_t>(segments.size()));
      for (int64_t r = qoffsets[at(b)]; r < qoffsets[at(b + 1)]; ++r) {
        places.push_back(positions[at(r)]);
        queries.insert(queries.end(), q.begin() + r * ldq, q.begin() + (r + 1) * ldq);
        above.insert(above.end(), dy.begin() + r * ldy, dy.begin() + (r + 1) * ldy);
      }
      offsets.push_back(static_cast<int64_t>(places.size()));
    }
    const int64_t n = static_cast<int64_t>(chosen.size()), count = offsets.back();
    const p4j_attention how = {n, H, Hk, D, rotary, 1, offsets.data(), places.data(), soffsets.data(), segments.data(), 1, scale};
    got.y.assign(at(count * ldy), untouched);
    got.lse.assign(at(count * H), untouched);
    p4j_attention_forward(&how, queries.data(), ldq, got.y.data(), ldy, got.lse.data());
    Floats again(got.y.size(), untouched);
    p4j_attention_forward(&how, queries.data(), ldq, again.data(), ldy, nullptr);
    same_floats("attention without lse", got.y.data(), again.data(), again.size());
    // two classes of rows: those that see all and the others, the first in two groups
    std::vector<int64_t> order, goffsets = {0};
    for (int64_t cut = 0; cut < 3; ++cut) {
      for (int64_t i = 0; i < n; ++i)
        if ((chosen[at(i)] >= (rows() + 1) / 2 ? 2 : chosen[at(i)] % 2) == cut) order.push_back(i);
      goffsets.push_back(static_cast<int64_t>(order.size()));
    }
    const p4j_groups groups = {3, goffsets.data(), order.data()};
    got.dq.assign(queries.size(), untouched);
    p4j_attention_backward(&how, &groups, above.data(), got.y.data(), ldy, got.lse.data(), queries.data(), ldq,
                           with_dq ? got.dq.data() : nullptr, ldq);
    return got;
  }
};

std::vector<Batch> batches() {
  std::vector<Batch> all;
  all.push_back({{3, 2}, 1, 1, 2, {2}, false, false, false});
  all.push_back({{3, 2}, 1, 1, 2, {}, false, false, false});
  all.push_back({{4}, 2, 1, 4, {3, 1}, true, false, true});
  all.push_back({{1}, 2, 2, 16, {0}, false, false, false});
  all.push_back({{5, 1, 17}, 3, 3, 5, {7, 2}, false, false, true});
  all.push_back({{5, 1, 17}, 6, 2, 12, {7, 2, 5}, true, false, true});
  all.push_back({{20, 33, 64}, 2, 2, 64, {10}, false, false, false});
  all.push_back({{20, 33, 64, 0, 3}, 4, 1, 40, {13, 0, 21}, true, true, true});
  all.push_back({{130}, 1, 1, 32, {50}, false, true, false});
  all.push_back({{200, 157}, 3, 1, 64, {100, 30}, false, false, false});
  all.push_back({{530}, 1, 1, 16, {5}, false, false, false});
  all.push_back({{30, 31, 5, 6, 7, 8}, 4, 2, 128, {20, 17, 1, 40}, true, false, false});
  return all;
}

std::vector<int64_t> all_rows(const Batch& batch) {
  std::vector<int64_t> rows;
  for (int64_t b = 0; b < batch.rows(); ++b) rows.push_back(b);
  return rows;
}

void test_attention() {
  for (const Batch& a : batches()) {
    const int64_t E = a.H * a.D, count = a.qoffsets.back();
    const Floats dy = normals(count * a.ldy);
    const Batch::Got got = a.run(all_rows(a), 0, dy, true);
    hash(got.y);
    hash(got.lse);
    hash(got.dq);
    for (const auto* list : {&got.shared, &got.own})
      for (const KeysValues& of : *list) hash(of.dk), hash(of.dv);
    if (!against_reference) continue;
    Doubles exact_y, exact_lse;
    Batch::Gradients exact;
    exact.dq.assign(at(count * a.ldq), 0);
    for (int64_t b = 0; b < a.rows(); ++b) {
      for (int64_t r = a.qoffsets[at(b)]; r < a.qoffsets[at(b + 1)]; ++r) {
        Doubles y(at(E));
        a.query(b, r, &dy[at(r * a.ldy)], &y, &exact_lse, &exact);
        for (int64_t i = 0; i < E; ++i) near("attention", got.y[at(r * a.ldy + i)], y[at(i)], 3e-6, 3e-6);
        for (int64_t i = E; i < a.ldy; ++i) same("attention, past the end", got.y[at(r * a.ldy + i)], untouched);
        for (int64_t i = 0; i < E; ++i) near("dq", got.dq[at(r * a.ldq + i)], exact.dq[at(r * a.ldq + i)], 2e-5, 2e-5);
        for (int64_t i = E; i < a.ldq; ++i) same("dq, past the end", got.dq[at(r * a.ldq + i)], untouched);
        exact_y.insert(exact_y.end(), y.begin(), y.end());
      }
    }
    for (size_t i = 0; i < exact_lse.size(); ++i) near("log-sum-exp", got.lse[i], exact_lse[i], 5e-6, 1e-6);
    const auto check = [&](const char* what, const KeysValues& of, const KeysValues& result, float before, bool written) {
      for (int64_t i = 0; i < static_cast<int64_t>(of.k.size()); ++i) {
        const int64_t in_layer = i - of.layer_stride;
        const bool inside = in_layer >= 0 && in_layer / of.ld < of.length && in_layer % of.ld < of.columns;
        const double add = written && inside ? 0 : before;
        const bool wanted = inside && result.wanted;
        if (wanted) {
          near(what, result.dk[at(i)], add + exact.dk(&of)[at(i)], 2e-5, 2e-5);
          near(what, result.dv[at(i)], add + exact.dv(&of)[at(i)], 2e-5, 2e-5);
        } else {
          same(what, result.dk[at(i)], before);
          same(what, result.dv[at(i)], before);
        }
      }
    };
    for (size_t i = 0; i < a.shared.size(); ++i) check("gradient of a segment", a.shared[i], got.shared[i], 0.25f, false);
    for (size_t i = 0; i < a.own.size(); ++i) check("gradient of own tokens", a.own[i], got.own[i], untouched, true);
    const Batch::Got without = a.run(all_rows(a), 0, dy, false);
    for (size_t i = 0; i < a.shared.size(); ++i) check("gradient of a segment alone", a.shared[i], without.shared[i], 0.25f, false);

    // however segments are cut
    for (const int64_t piece : {1, 3, 16}) {
      if (piece == 1 && count > 200) continue;
      const Batch::Got pieces = a.run(all_rows(a), piece, dy, true);
      same_floats("y in pieces", pieces.y.data(), got.y.data(), got.y.size());
      same_floats("dq in pieces", pieces.dq.data(), got.dq.data(), got.dq.size());
      for (size_t i = 0; i < a.shared.size(); ++i)
        same_floats("dk in pieces", pieces.shared[i].dk.data(), got.shared[i].dk.data(), got.shared[i].dk.size());
    }
    // every row alone, and the gradients of segments from those alone that look at them
    for (int64_t b = 0; b < a.rows(); ++b) {
      const Batch::Got alone = a.run({b}, 0, dy, true);
      const size_t first = at(a.qoffsets[at(b)]), queries = at(a.qoffsets[at(b + 1)]) - first;
      const size_t wide_y = at(a.ldy), wide_q = at(a.ldq);
      same_floats("y alone", alone.y.data(), got.y.data() + first * wide_y, queries * wide_y);
      same_floats("dq alone", alone.dq.data(), got.dq.data() + first * wide_q, queries * wide_q);
      same_floats("dk alone", alone.own[at(b)].dk.data(), got.own[at(b)].dk.data(), alone.own[at(b)].dk.size());
    }
    std::vector<int64_t> those;
    for (int64_t b = 0; b < (a.rows() + 1) / 2; ++b) those.push_back(b);
    const Batch::Got alone = a.run(those, 0, dy, true);
    for (size_t i = 1; i < a.shared.size(); i += 2)
      same_floats("dk of its rows alone", alone.shared[i].dk.data(), got.shared[i].dk.data(), got.shared[i].dk.size());
  }
}

// Tiny shapes by central differences of the double-precision forward pass.
void test_attention_differences() {
  std::vector<Batch> tiny = batches();
  tiny.erase(tiny.begin() + 3, tiny.end());
  for (Batch& a : tiny) {
    const int64_t E = a.H * a.D, count = a.qoffsets.back();
    const Floats dy = normals(count * a.ldy);
    const Batch::Got got = a.run(all_rows(a), 0, dy, true);
    const auto value = [&] {
      double total = 0;
      for (int64_t b = 0; b < a.rows(); ++b) {
        for (int64_t r = a.qoffsets[at(b)]; r < a.qoffsets[at(b + 1)]; ++r) {
          Doubles y(at(E));
          a.query(b, r, nullptr, &y, nullptr, nullptr);
          for (int64_t i = 0; i < E; ++i) total += y[at(i)] * dy[at(r * a.ldy + i)];
        }
      }
      return total;
    };
    const auto slope = [&](float& x) {
      const float before = x, up = before + 0.015625f, down = before - 0.015625f;
      x = up;
      const double high = value();
      x = down;
      const double low = value();
      x = before;
      return (high - low) / (static_cast<double>(up) - down);
    };
    for (int64_t r = 0; r < count; ++r)
      for (int64_t i = 0; i < E; ++i) near("dq, differences", got.dq[at(r * a.ldq + i)], slope(a.q[at(r * a.ldq + i)]), 3e-4, 3e-4);
    const auto check = [&](KeysValues& of, const KeysValues& result, float before) {
      for (int64_t j = 0; j < of.length; ++j) {
        for (int64_t c = 0; c < of.columns; ++c) {
          const size_t i = of.place(j, c);
          if (!result.wanted) continue;
          near("dk, differences", result.dk[i] - before, slope(of.k[i]), 3e-4, 3e-4);
          near("dv, differences", result.dv[i] - before, slope(of.v[i]), 3e-4, 3e-4);
        }
      }
    };
    for (size_t i = 0; i < a.shared.size(); ++i) check(a.shared[i], got.shared[i], 0.25f);
    for (size_t i = 0; i < a.own.size(); ++i) check(a.own[i], got.own[i], 0);
    hash(got.dq);
  }
}

// The last query of every row of a batch, and rows that begin with the same segments.
void test_attention_decode() {
  for (const Batch& a : batches()) {
    for (const int64_t copies : {1, 3, 20}) {
      const int64_t E = a.H * a.D;
      std::vector<int64_t> of;  // the row of the batch that each row here goes on from
      std::vector<p4j_segment> segments, pieces;
      std::vector<int64_t> soffsets = {0}, poffsets = {0};
      for (int64_t b = 0; b < a.rows(); ++b) {
        if (a.qoffsets[at(b)] == a.qoffsets[at(b + 1)]) continue;
        for (int64_t copy = 0; copy < copies; ++copy) {
          const auto add = [&](std::vector<p4j_segment>& list, const KeysValues& kv, int64_t first, int64_t n) {
            const size_t start = at(first * kv.ld);
            list.push_back({&kv.k[start], &kv.v[start], kv.ld, n, kv.layer_stride, 0, kv.turn.empty() ? nullptr : kv.turn.data(),
                            nullptr, nullptr, 0});
          };
          const auto both = [&](const KeysValues& kv, int64_t n) {
            add(segments, kv, 0, n);
            for (int64_t j = 0; j < n; j += 16) add(pieces, kv, j, std::min(int64_t{16}, n - j));
          };
          for (const Batch::Sight& sight : a.sights[at(b)]) both(a.shared[at(sight.shared)], a.shared[at(sight.shared)].length);
          both(a.own[at(b)], a.positions[at(a.qoffsets[at(b + 1)] - 1)] + 1);
          soffsets.push_back(static_cast<int64_t>(segments.size()));
          poffsets.push_back(static_cast<int64_t>(pieces.size()));
          of.push_back(b);
        }
      }
      const int64_t R = static_cast<int64_t>(of.size());
      Floats q(at(R * a.ldq)), y(at(R * a.ldy), untouched), cut = y;
      for (int64_t r = 0; r < R; ++r)
        for (int64_t i = 0; i < E; ++i)
          q[at(r * a.ldq + i)] = a.q[at((a.qoffsets[at(of[at(r)] + 1)] - 1) * a.ldq + i)];
      const p4j_attention how = {R, a.H, a.Hk, a.D, a.rotary, 1, nullptr, nullptr, soffsets.data(), segments.data(), 0, a.scale};
      p4j_attention in_pieces = how;
      in_pieces.soffsets = poffsets.data();
      in_pieces.segments = pieces.data();
      p4j_attention_decode(&how, q.data(), a.ldq, y.data(), a.ldy);
      p4j_attention_decode(&in_pieces, q.data(), a.ldq, cut.data(), a.ldy);
      same_floats("decode in pieces", cut.data(), y.data(), y.size());
      Batch last = a;
      for (auto& row : last.sights)
        for (auto& sight : row) sight.from = 0;
      for (int64_t r = 0; r < R; ++r) {
        Doubles want(at(E));
        last.query(of[at(r)], a.qoffsets[at(of[at(r)] + 1)] - 1, nullptr, &want, nullptr, nullptr);
        for (int64_t i = 0; i < E; ++i) near("decode", y[at(r * a.ldy + i)], want[at(i)], 3e-6, 3e-6);
        for (int64_t i = E; i < a.ldy; ++i) same("decode, past the end", y[at(r * a.ldy + i)], untouched);
        Floats alone(at(a.ldy), untouched);
        p4j_attention one = how;
        one.rows = 1;
        one.soffsets = soffsets.data() + r;
        p4j_attention_decode(&one, &q[at(r * a.ldq)], a.ldq, alone.data(), a.ldy);
        same_floats("decode alone", alone.data(), &y[at(r * a.ldy)], alone.size());
      }
      hash(y);
    }
  }
}

// ---- vocabulary -------------------------------------------------------------------------------------------------------

// Block by block, with the mean of words' vectors built up meanwhile, as a head does it.
void test_softmax_block() {
  const int64_t shapes[][3] = {{1, 1, 1}, {2, 5, 2}, {3, 16, 16}, {7, 33, 10}, {3, 50257, 1024}, {40, 1000, 300}};
  for (const auto& shape : shapes) {
    const int64_t n = shape[0], v = shape[1], block = shape[2], ld = block + 3, E = 5;
    const Floats logits = normals(n * v, 4), words = normals(v * E);
    std::vector<int64_t> targets;
    for (int64_t r = 0; r < n; ++r) targets.push_back(random_numbers.below(v));
    Floats top(at(n), -INFINITY), of_target(at(n), untouched), mean(at(n * E));
    Doubles sum(at(n));
    for (int64_t first = 0; first < v; first += block) {
      const int64_t m = std::min(block, v - first);
      Floats z(at(n * ld), untouched);
      for (int64_t r = 0; r < n; ++r)
        for (int64_t i = 0; i < m; ++i) z[at(r * ld + i)] = logits[at(r * v + first + i)];
      p4j_softmax_block(z.data(), ld, n, m, first, targets.data(), top.data(), sum.data(), of_target.data(), mean.data(), E);
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t i = 0; i < m; ++i) {
          const double want = exp(static_cast<double>(logits[at(r * v + first + i)]) - top[at(r)]);
          near("exponential", z[at(r * ld + i)], want, 1e-7, 4e-6);
          for (int64_t e = 0; e < E; ++e) mean[at(r * E + e)] += z[at(r * ld + i)] * words[at((first + i) * E + e)];
        }
        for (int64_t i = m; i < ld; ++i) same("softmax, past the end", z[at(r * ld + i)], untouched);
      }
    }
    for (int64_t r = 0; r < n; ++r) {
      double total = 0, size = 0;
      Doubles want(at(E));
      for (int64_t i = 0; i < v; ++i) {
        const double p = exp(static_cast<double>(logits[at(r * v + i)]));
        total += p;
        for (int64_t e = 0; e < E; ++e) want[at(e)] += p * words[at(i * E + e)], size += p * fabs(words[at(i * E + e)]);
      }
      near("loss", log(sum[at(r)]) + top[at(r)] - of_target[at(r)], log(total) - logits[at(r * v + targets[at(r)])], 4e-6, 4e-6);
      for (int64_t e = 0; e < E; ++e)
        near("mean", mean[at(r * E + e)] / sum[at(r)], want[at(e)] / total, 1e-5 * size / total, 0);
    }
    hash(top);
    hash(sum);
    hash(mean);
  }
  // What is not a number stays visible, whichever block it is in.
  for (int64_t bad = 0; bad < 3; ++bad) {
    float top = -INFINITY, of_target = 0;
    double sum = 0;
    const int64_t target = 0;
    for (int64_t first = 0; first < 3; ++first) {
      float z = first == bad ? NAN : 1.0f;
      p4j_softmax_block(&z, 1, 1, 1, first, &target, &top, &sum, &of_target, nullptr, 0);
    }
    near("not a number", log(sum) + top - of_target, NAN, 0, 0);
  }
}

void test_top_k() {
  const int64_t shapes[][3] = {{1, 1, 1}, {2, 5, 5}, {3, 100, 1}, {7, 333, 40}, {5, 50257, 10}, {2, 3000, 3000}, {20, 70, 3}};
  for (const auto& shape : shapes) {
    const int64_t n = shape[0], v = shape[1], k = shape[2], ld = v + 3;
    Floats x = normals(n * ld, 4);
    if (v == 333)
      for (float& u : x) u = floorf(u);  // many equal ones
    if (n == 20) {
      for (int64_t i = 0; i < v; ++i) x[at(i)] = -INFINITY;
      for (int64_t i = 0; i < v; ++i) x[at(ld + i)] = i == 9 ? 2 : -INFINITY;
      for (int64_t i = 0; i < v - 4; ++i) x[at(2 * ld + i)] = NAN;
      for (int64_t i = 0; i < v; ++i) x[at(3 * ld + i)] = static_cast<float>(i);
      for (int64_t i = 0; i < v; ++i) x[at(4 * ld + i)] = i % 2 == 0 ? NAN : static_cast<float>(-i);
    }
    Floats values(at(n * k), untouched);
    std::vector<int64_t> indices(at(n * k), -1);
    p4j_top_k(x.data(), ld, n, v, k, values.data(), indices.data());
    for (int64_t r = 0; r < n; ++r) {
      const float* row = x.data() + r * ld;
      std::vector<int64_t> order;
      double total = 0;
      for (int64_t i = 0; i < v; ++i)
        if (!isnan(row[i])) order.push_back(i), total += exp(static_cast<double>(row[i]));
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return row[a] > row[b]; });
      for (int64_t i = 0; i < k; ++i) {
        same("index", static_cast<double>(indices[at(r * k + i)]), static_cast<double>(order[at(i)]));
        near("log-probability", values[at(r * k + i)], total == 0 ? -INFINITY : row[order[at(i)]] - log(total), 3e-6, 1e-6);
      }
    }
    hash(values);
    hash(indices);
  }
}

// ---- threads ----------------------------------------------------------------------------------------------------------

constexpr int64_t threads = 3;

// ---- optimizer --------------------------------------------------------------------------------------------------------

void test_adamw_product() {
  const int64_t shapes[][3] = {{1, 1, 1}, {5, 3, 2}, {25, 33, 7}, {100, 64, 10}, {61, 130, 200}};
  for (const auto& shape : shapes) {
    const int64_t m = shape[0], k = shape[1], p = shape[2], ldl = m + 3, ldr = k + 2;
    Floats param = normals(m * k), mean(at(m * k)), square(at(m * k));
    Doubles want(param.begin(), param.end()), first(want.size()), second(want.size());
    p4j_adamw how = {0.01, 0.9, 0.999, 1e-8, 0.1, 0};
    for (how.step = 1; how.step <= 3; ++how.step) {
      const Floats left = normals(p * ldl), right = normals(p * ldr);
      p4j_adamw_product(&how, param.data(), mean.data(), square.data(), m, k, left.data(), ldl, right.data(), ldr, p);
      for (int64_t r = 0; r < m; ++r) {
        for (int64_t c = 0; c < k; ++c) {
          double g = 0, size = 0;
          for (int64_t i = 0; i < p; ++i) {
            const double term = static_cast<double>(left[at(i * ldl + r)]) * right[at(i * ldr + c)];
            g += term;
            size += fabs(term);
          }
          const size_t e = at(r * k + c);
          first[e] = 0.9 * first[e] + 0.1 * g;
          second[e] = 0.999 * second[e] + 0.001 * g * g;
          near("mean", mean[e], first[e], 1e-6 * size + 1e-7, 1e-5);
          near("square", square[e], second[e], 1e-6 * size * size + 1e-9, 1e-5);
          // from what the kernel holds: a gradient near zero may turn its sign in float32, and so the whole step
          const double step = static_cast<double>(how.step), m1 = mean[e] / (1 - pow(0.9, step));
          want[e] = want[e] * (1 - 0.01 * 0.1) - 0.01 * m1 / (sqrt(square[e] / (1 - pow(0.999, step))) + 1e-8);
          near("parameter", param[e], want[e], 1e-6, 1e-6);
        }
      }
    }
    hash(param);
  }
}

int32_t three_threads(int64_t begin, int64_t end, int64_t, p4j_body body, void* context) {
  const int64_t n = std::min(threads, end - begin);
  std::vector<std::thread> others;
  for (int64_t t = 0; t < n; ++t)
    others.emplace_back(body, begin + (end - begin) * t / n, begin + (end - begin) * (t + 1) / n, context);
  for (std::thread& other : others) other.join();
  return 0;
}

int32_t refusing(int64_t, int64_t, int64_t, p4j_body, void*) { return 1; }

}  // namespace

int main() {
  const struct {
    const char* name;
    void (*run)();
    bool exact;  // equal in all instruction sets
  } tests[] = {
      {"quantize", test_quantize, true},
      {"layer_norm", test_layer_norm, false},
      {"layer_norm_backward", test_layer_norm_backward, false},
      {"rms_norm", test_rms_norm, false},
      {"rms_norm_backward", test_rms_norm_backward, false},
      {"gelu", test_gelu, false},
      {"gelu_backward", test_gelu_backward, false},
      {"swiglu", test_swiglu, false},
      {"swiglu_backward", test_swiglu_backward, false},
      {"rotate", test_rotate, false},
      {"head_norm", test_head_norm, false},
      {"head_norm_backward", test_head_norm_backward, false},
      {"pack, matmul_q8", test_matmul_q8, false},
      {"pack, 16 bits", test_pack_types, false},
      {"matmul_f32", test_matmul_f32, false},
      {"attention", test_attention, false},
      {"attention, differences", test_attention_differences, false},
      {"attention_decode", test_attention_decode, false},
      {"softmax_block", test_softmax_block, false},
      {"top_k", test_top_k, false},
      {"adamw_product", test_adamw_product, false},
  };
  const p4j_parallel_for pools[] = {nullptr, three_threads, refusing};
  int64_t failures = 0;
  if (p4j_version() != 5 || p4j_start("none", nullptr) != 1 || p4j_start("", nullptr) != 0) {
    printf("start: wrong\n");
    ++failures;
  }
  printf("best: %s\n", p4j_isa());
  for (const auto& test : tests) {
    uint64_t first = 0;
    for (const char* isa : {"portable", "avx2", "avx512", "avx512vnni"}) {
      State all;
      for (const p4j_parallel_for pool : pools) {
        if (p4j_start(isa, pool) != 0) break;
        if (strcmp(p4j_isa(), isa) != 0) fail("isa", 0, 0);
        state = State();
        against_reference = pool == nullptr;
        random_numbers = Random();
        test.run();
        if (pool == nullptr) {
          all = state;
          if (first == 0) first = state.hash;
          if (test.exact) same("as in other instruction sets", static_cast<double>(state.hash != first), 0);
          all.failures = state.failures;
        } else {
          if (state.hash != all.hash) fail("as with one thread", 1, 0);
          all.failures += state.failures;
        }
      }
      if (all.hash == 0) {
        printf("%-22s %-11s not on this processor\n", test.name, isa);
      } else {
        printf("%-22s %-11s %s  largest error %.2g, %.0f %% of what is tolerated\n", test.name, isa,
               all.failures == 0 ? "ok" : "WRONG", all.largest, 100 * all.worst);
      }
      fflush(stdout);
      failures += all.failures;
    }
  }
  printf(failures == 0 ? "all well\n" : "%lld failures\n", static_cast<long long>(failures));
  return failures == 0 ? 0 : 1;
}
