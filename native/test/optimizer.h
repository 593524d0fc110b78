// AdamW.
#ifndef P4J_TEST_OPTIMIZER_H
#define P4J_TEST_OPTIMIZER_H

#include "check.h"

namespace {

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
          // from the kernel's moments: a gradient near zero may change sign in float32, and with it the whole step
          const double step = static_cast<double>(how.step), m1 = mean[e] / (1 - pow(0.9, step));
          want[e] = want[e] * (1 - 0.01 * 0.1) - 0.01 * m1 / (sqrt(square[e] / (1 - pow(0.999, step))) + 1e-8);
          near("parameter", param[e], want[e], 1e-6, 1e-6);
        }
      }
    }
    hash(param);
  }
}

}  // namespace
#endif
