// Quantization and normalization of rows.
#ifndef P4J_TEST_NORMS_H
#define P4J_TEST_NORMS_H

#include "check.h"

namespace {

void test_quantize() {
  const int64_t shapes[][2] = {{1, 1}, {1, 5}, {3, 16}, {7, 31}, {7, 33}, {64, 768}, {2, 50257}, {40, 100}, {9, 576}};
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
      const float scale = q8.scale[at(r)];
      if (!isfinite(scale)) continue;
      const Floats all = mixed(x.data() + r * ldx, columns), left = mixed(rest.data() + r * ldx, columns);
      for (int64_t i = 0; i < columns; ++i) {
        const double want = all[at(i)] - static_cast<double>(scale) * q8.q[at(r * q8.ld + i)];
        near("rest", left[at(i)], want, 2e-4 * scale + 1e-40, 1e-7);
      }
      for (int64_t i = columns; i < ldx; ++i) same("rest, past the end", rest[at(r * ldx + i)], x[at(r * ldx + i)]);
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
        const double size =
            e == 1 ? exact_rstd[i] : 1;  // the gradient of a row of one value almost cancels, but its terms do not
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

}  // namespace
#endif
