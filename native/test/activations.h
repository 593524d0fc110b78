// Activation functions of rows.
#ifndef P4J_TEST_ACTIVATIONS_H
#define P4J_TEST_ACTIVATIONS_H

#include "check.h"

namespace {

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
    // with its slope in 8 bits, and the backward pass with that
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
      const Floats want = mixed(dx.data() + r * columns, columns);
      for (int64_t c = 0; c < columns; ++c) {
        const double got = static_cast<double>(back.scale[at(r)]) * back.q[at(r * back.ld + c)];
        near("slope backward", got, want[at(c)], 0.501 * back.scale[at(r)], 0);
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

}  // namespace
#endif
