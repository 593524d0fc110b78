// Kernels over rows as long as the vocabulary: the softmax, block by block, and the best tokens of a row.
#ifndef P4J_VOCABULARY_H
#define P4J_VOCABULARY_H

#include "rows.h"

namespace p4j {
namespace {

// Sum of term(i, lanes) over a long row: blocks are added in double precision, so that small terms are not lost.
template <class Term>
P4J_INLINE double long_sum(int64_t n, const Term& term) {
  constexpr int64_t block = 2048;
  double total = 0;
  for (int64_t start = 0; start < n; start += block)
    total += row_sum(smaller(block, n - start), [&](int64_t i, auto lanes) { return term(start + i, lanes); });
  return total;
}

void softmax_block(float* z, int64_t ldz, int64_t n, int64_t m, int64_t first, const int64_t* targets, float* top, double* sum,
                   float* of_target, float* mean, int64_t e) {
  parallel(n, rows_at_once(m), [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      float* x = z + row * ldz;
      const int64_t target = targets[row] - first;
      if (target >= 0 && target < m) of_target[row] = x[target];
      F most_so_far = all(top[row]);
      I bad = {};  // lanes that have seen a NaN
      each(m, [&](int64_t i, auto lanes) {
        const F v = load(x + i, lanes, -INFINITY);
        most_so_far = max(most_so_far, v);
        bad |= v != v;
      });
      const float before = top[row], now = most(most_so_far);
      double total = long_sum(m, [&](int64_t i, auto lanes) {
        const F e_to = exp(load(x + i, lanes, -INFINITY) - all(now));
        store(x + i, e_to, lanes);
        return e_to;
      });
      if (most(-bad) > 0) total = NAN;  // and so is the loss
      if (now > before && before > -INFINITY) {
        const float factor = expf(before - now);
        total += sum[row] * factor;
        if (mean != nullptr) {
          float* old = mean + row * e;
          each(e, [&](int64_t i, auto lanes) { store(old + i, load(old + i, lanes) * all(factor), lanes); });
        }
      } else {
        total += sum[row];
      }
      top[row] = now;
      sum[row] = total;
    }
  });
}

// Whether a ranks after b: a smaller value, or an equal one further right.
struct Candidate {
  float value;
  int64_t index;
};
inline bool worse(const Candidate& a, const Candidate& b) {
  return a.value < b.value || (a.value == b.value && a.index > b.index);
}

// Replaces heap[i] by c, in a heap whose root is the worst.
inline void sift(Candidate* heap, int64_t size, int64_t i, Candidate c) {
  for (int64_t child = 2 * i + 1; child < size; child = 2 * i + 1) {
    if (child + 1 < size && worse(heap[child + 1], heap[child])) ++child;
    if (!worse(heap[child], c)) break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = c;
}

// Writes the k best of x to heap, best first. The k best so far form a heap; each vector is compared with the worst of them,
// and its lanes are examined only if one is better. NaNs rank last, like minus infinity.
inline void best_of(const float* x, int64_t v, int64_t k, Candidate* heap) {
  const auto candidate = [&](int64_t i) { return Candidate{x[i] == x[i] ? x[i] : -INFINITY, i}; };
  for (int64_t i = 0; i < k; ++i) heap[i] = candidate(i);
  for (int64_t i = k / 2 - 1; i >= 0; --i) sift(heap, k, i, heap[i]);
  const auto offer = [&](int64_t i) {
    if (x[i] > heap[0].value) sift(heap, k, 0, Candidate{x[i], i});
  };
  constexpr int at_once = 4;
  int64_t i = k;
  for (; i + at_once * W <= v; i += at_once * W) {
    F m = all(-INFINITY);
    for (int u = 0; u < at_once; ++u) m = max(load(x + i + u * W), m);  // ignores NaNs
    if (any_greater(m, all(heap[0].value)))
      for (int64_t j = i; j < i + at_once * W; ++j) offer(j);
  }
  for (; i < v; ++i) offer(i);
  for (int64_t size = k - 1; size > 0; --size) {
    const Candidate worst = heap[0];
    sift(heap, size, 0, heap[size]);
    heap[size] = worst;
  }
}

void top_k(const float* logits, int64_t ld, int64_t n, int64_t v, int64_t k, float* values, int64_t* indices) {
  if (k <= 0) return;
  parallel(n, 1, [&](int64_t from, int64_t to) {
    Candidate* best = reinterpret_cast<Candidate*>(scratch(work_slot, k * static_cast<int64_t>(sizeof(Candidate))));
    for (int64_t row = from; row < to; ++row) {
      const float* x = logits + row * ld;
      best_of(x, v, k, best);
      const float top = best[0].value;
      const float shift = top > -INFINITY ? top : 0;
      const double total = long_sum(v, [&](int64_t i, auto lanes) { return exp(load(x + i, lanes, -INFINITY) - all(shift)); });
      const float log_total = top > -INFINITY ? static_cast<float>(log(total)) : 0;
      for (int64_t i = 0; i < k; ++i) {
        values[row * k + i] = best[i].value - shift - log_total;
        indices[row * k + i] = best[i].index;
      }
    }
  });
}

}  // namespace
}  // namespace p4j
#endif
