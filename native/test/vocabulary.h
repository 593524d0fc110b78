// Softmax and the most likely words.
#ifndef P4J_TEST_VOCABULARY_H
#define P4J_TEST_VOCABULARY_H

#include "check.h"

namespace {

// Block by block, while the mean of the words' vectors is accumulated, as a head does.
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
      near("loss", log(sum[at(r)]) + top[at(r)] - of_target[at(r)], log(total) - logits[at(r * v + targets[at(r)])], 4e-6,
           4e-6);
      for (int64_t e = 0; e < E; ++e)
        near("mean", mean[at(r * E + e)] / sum[at(r)], want[at(e)] / total, 1e-5 * size / total, 0);
    }
    hash(top);
    hash(sum);
    hash(mean);
  }
  // A NaN shows in the result, whichever block it is in.
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

}  // namespace
#endif
