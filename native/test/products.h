// Matrix products in 8 bits and in float32.
#ifndef P4J_TEST_PRODUCTS_H
#define P4J_TEST_PRODUCTS_H

#include "check.h"

namespace {

// Whether 8 bits give x w: the error of both roundings, independent as they are, against the size of the terms.
void near_float_product(const Floats& x, const Floats& w, int64_t stride_k, int64_t stride_m, int64_t n, int64_t k, int64_t m,
                        int64_t ldy, const Floats& y) {
  double error = 0, size = 0;
  for (int64_t r = 0; r < n; ++r)
    for (int64_t j = 0; j < m; ++j) {
      double exact = 0;
      for (int64_t i = 0; i < k; ++i) {
        const double term = static_cast<double>(x[at(r * k + i)]) * w[at(i * stride_k + j * stride_m)];
        exact += term;
        size += term * term;
      }
      error += pow(y[at(r * ldy + j)] - exact, 2);
    }
  near("matmul against float64", sqrt(error), 0, 0.02 * sqrt(size) + 1e-30, 0);
}

void test_matmul_q8() {
  struct {
    int64_t n, k, m;
  } const shapes[] = {{1, 5, 1},      {1, 1, 50257}, {2, 7, 33},     {3, 64, 64},     {4, 63, 31},    {5, 65, 97},
                      {7, 100, 129},  {8, 768, 70},  {11, 30, 65},   {12, 128, 32},   {13, 128, 100}, {25, 31, 40},
                      {40, 768, 129}, {600, 5, 3},   {700, 768, 33}, {130, 3072, 40}, {1, 768, 768}};
  for (const auto& s : shapes) {
    for (int form = 0; form < 3; ++form) {
      const int64_t n = s.n, k = s.k, m = s.m, ldy = m + form, ldr = m + 2 * form;
      const bool transposed = form == 1;
      Floats x = normals(n * k), w = normals(k * m, 0.1f), bias = normals(m), residual = normals(n * ldr, 2);
      const int64_t stride_k = transposed ? 1 : m, stride_m = transposed ? k : 1;
      if (m > 2)
        for (int64_t i = 0; i < k; ++i) w[at(i * stride_k + 2 * stride_m)] = 0;
      if (n > 2) std::fill(x.begin() + k, x.begin() + 2 * k, 0.0f);
      if (form == 2) {  // the largest possible sums: what is mixed to 1 and -1
        Floats ones(at(k), 1.0f), signs(at(k));
        for (int64_t i = 0; i < k; ++i) signs[at(i)] = i % 2 == 0 || k < 100 ? -1.0f : 1.0f;
        ones = mixed(ones.data(), k), signs = mixed(signs.data(), k);
        for (int64_t i = 0; i < k; ++i) x[at(i)] = ones[at(i)], w[at(i * stride_k)] = signs[at(i)];
      }
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
          p4j_matmul_q8(a.rows(), n, packed, k, m, first, first == 0 ? half : m - first, bias.data() + first, y.data() + first,
                        ldy, y.data() + first, ldy);
          if (first > 0) break;
        }
      } else {
        p4j_matmul_q8(a.rows(), n, packed, k, m, 0, m, form == 1 ? bias.data() : nullptr, form == 1 ? residual.data() : nullptr,
                      ldr, y.data(), ldy);
      }
      hash(y);
      if (!against_reference) continue;
      if (form == 0) near_float_product(x, w, stride_k, stride_m, n, k, m, ldy, y);
      std::vector<int32_t> column(at(k));
      for (int64_t j = 0; j < m; ++j) {
        float most = 0;
        Floats weights(at(k));
        for (int64_t i = 0; i < k; ++i) weights[at(i)] = w[at(i * stride_k + j * stride_m)];
        weights = mixed(weights.data(), k);
        for (const float weight : weights) most = std::max(most, fabsf(weight));
        const float scale = most / 127;
        for (int64_t i = 0; i < k; ++i)
          column[at(i)] = scale > 0 ? static_cast<int32_t>(nearbyintf(weights[at(i)] / scale)) : 0;
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

// Every 16-bit value as the weight of a separate output, whose scale shows it.
void test_pack_types() {
  const int64_t m = 1 << 16;
  for (const int64_t type : {P4J_BFLOAT16, P4J_FLOAT16}) {
    const int width = type == P4J_FLOAT16 ? 5 : 8, fraction_bits = 15 - width, bias = (1 << (width - 1)) - 1;
    std::vector<uint16_t> stored(at(m));
    Floats numbers(at(m));
    for (int64_t i = 0; i < m; ++i) {
      const int exponent = static_cast<int>(i >> fraction_bits) & ((1 << width) - 1);
      const int fraction = static_cast<int>(i) & ((1 << fraction_bits) - 1);
      if (exponent == (1 << width) - 1) continue;  // not finite: 0 stays
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
  } const shapes[] = {{1, 5, 1},    {1, 1, 300},     {2, 7, 33},     {3, 64, 64},   {4, 63, 31},  {5, 65, 97},  {7, 100, 129},
                      {8, 768, 70}, {11, 30, 65},    {20, 128, 192}, {40, 77, 100}, {41, 30, 17}, {64, 64, 64}, {97, 800, 130},
                      {600, 5, 3},  {401, 1600, 33}, {0, 4, 4},      {3, 0, 5},     {50, 0, 5}};
  for (const auto& s : shapes) {
    for (int form = 0; form < 4; ++form) {
      const int64_t n = s.n, k = s.k, m = s.m, ldx = k + form, ldy = m + form, ldr = m + 2 * form;
      const bool transposed = form % 2 == 1;
      // Higham and Mary 2019: k roundings of 2^-24 add up to k of them in the worst case, and typically to a few sqrt(k).
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
        p4j_matmul_f32(x.data() + r * ldx, ldx, 1, w.data(), stride_k, stride_m, k, m, plus,
                       rest == nullptr ? nullptr : rest + r * ldr, ldr, alone.data(), m);
        same_floats("matmul_f32, a row alone", alone.data(), &y[at(r * ldy)], alone.size());
      }
      Floats memory(at(p4j_packed_floats(k, m) + 32), 77), strips(at(n * ldy), untouched);  // in strips, and in two parts
      float* packed = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) / 4;
      p4j_pack_f32(w.data(), stride_k, stride_m, k, m, packed);
      same("pack_f32, past the end", packed[p4j_packed_floats(k, m)], 77);
      const int64_t half = m > 64 ? 64 : m;
      for (int64_t first = 0; first < m; first += half) {
        p4j_matmul_packed_f32(x.data(), ldx, n, packed, k, first, first == 0 ? half : m - first,
                              plus == nullptr ? nullptr : plus + first, rest == nullptr ? nullptr : rest + first, ldr,
                              strips.data() + first, ldy);
        if (first > 0) break;
      }
      same_floats("matmul_packed_f32", strips.data(), y.data(), y.size());
    }
  }
}

}  // namespace
#endif
