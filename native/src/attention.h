// Attention of packed sequences behind a shared prefix, forward and backward.
//
// The work of one head of one sequence is a few small matrix products (gemm_f32.h). Its keys are the P rows of the prefix
// and then the T rows of the sequence; they are gathered into scratch, so that products read them without gaps. Queries
// go in blocks: a block sees the keys up to its furthest position, so that most of the triangle that causality cuts off
// is never computed, and scratch is O((P + T) * (D + block)).
//
// The gradient of the prefix is a sum over sequences. Groups of sequences (how many depends on the shapes alone, not on
// threads) sum in order into an array each, and the arrays are added in order: the result is always the same.
#ifndef P4J_ATTENTION_H
#define P4J_ATTENTION_H

#include "matmul_f32.h"

namespace p4j {
namespace {

// to [rows, ldto] = from [rows, width] * factor; columns up to ldto, a multiple of W, are zeroed.
inline void copy_rows(const float* from, int64_t ldfrom, int64_t rows, int64_t width, float factor, float* to,
                      int64_t ldto) {
  const F times = all(factor);
  for (int64_t i = 0; i < rows; ++i)
    each(width, [&](int64_t j, auto lanes) { store(to + i * ldto + j, load(from + i * ldfrom + j, lanes) * times); });
}

// to [rows, ldto] += from [rows, width], or = if it is the first.
inline void add_rows(const float* from, int64_t ldfrom, int64_t rows, int64_t width, float* to, int64_t ldto) {
  for (int64_t i = 0; i < rows; ++i) {
    each(width, [&](int64_t j, auto lanes) {
      float* at = to + i * ldto + j;
      store(at, load(at, lanes) + load(from + i * ldfrom + j, lanes), lanes);
    });
  }
}

struct Sequence {
  int64_t first, length;            // rows of k
  int64_t first_query, queries;     // rows of q
  const int32_t* query_positions;   // of the queries, or null
  int64_t prefix_from;              // position of the first row that sees the prefix

  Sequence(const p4j_attention& how, int64_t b) {
    const int64_t* q = how.qoffsets == nullptr ? how.offsets : how.qoffsets;
    first = how.offsets[b];
    length = how.offsets[b + 1] - first;
    first_query = q[b];
    queries = q[b + 1] - first_query;
    query_positions = how.qpositions == nullptr ? nullptr : how.qpositions + first_query;
    prefix_from = how.prefix_from == nullptr ? 0 : how.prefix_from[b];
  }

  int64_t position(int64_t query) const { return query_positions == nullptr ? query : query_positions[query]; }

  // Takes the prefix, the first P scores of a query, out of its sight.
  void hide_prefix(int64_t query, float* scores, int64_t P) const {
    if (position(query) < prefix_from)
      for (int64_t j = 0; j < P; ++j) scores[j] = -INFINITY;
  }

  // Rows of the sequence that at least one of these queries sees.
  int64_t seen(int64_t from, int64_t to) const {
    int64_t last = -1;
    for (int64_t i = from; i < to; ++i) last = larger(last, position(i));
    return last + 1;
  }
};

inline int64_t longest(const p4j_attention& how) {
  int64_t length = 0;
  for (int64_t b = 0; b < how.sequences; ++b) length = larger(length, how.offsets[b + 1] - how.offsets[b]);
  return length;
}

void attention_forward(const p4j_attention* shape, const float* q, int64_t ldq, const float* k, const float* v,
                       int64_t ldkv, const float* prefix_k, const float* prefix_v, int64_t ldp, float* y, int64_t ldy,
                       float* lse) {
  constexpr int64_t block = 24;
  const p4j_attention& how = *shape;
  const int64_t H = how.heads, D = how.width, P = how.prefix, S = P + longest(how);
  const int64_t ld = round_up(S + W, W), wide = round_up(D, W);
  parallel(how.sequences * H, 1, [&](int64_t from, int64_t to) {
    Arrays arrays(work_slot, Arrays::floats(D * ld) + Arrays::floats(S * wide) + Arrays::floats(block * ld) +
                                 2 * Arrays::floats(block * wide));
    float* keys = arrays.take(D * ld);         // [D, ld]: transposed
    float* values = arrays.take(S * wide);     // [S, wide]
    float* scores = arrays.take(block * ld);   // [block, ld]
    float* queries = arrays.take(block * wide);
    float* result = arrays.take(block * wide);
    for (int64_t item = from; item < to; ++item) {
      const Sequence sequence(how, item / H);
      const int64_t head = item % H * D;
      if (sequence.queries == 0) continue;
      transpose_rows(prefix_k + head, ldp, P, D, keys, ld);
      transpose_rows(k + sequence.first * ldkv + head, ldkv, sequence.length, D, keys + P, ld);
      copy_rows(prefix_v + head, ldp, P, D, 1, values, wide);
      copy_rows(v + sequence.first * ldkv + head, ldkv, sequence.length, D, 1, values + P * wide, wide);
      for (int64_t i0 = 0; i0 < sequence.queries; i0 += block) {
        const int64_t i1 = smaller(sequence.queries, i0 + block), row = sequence.first_query + i0;
        const int64_t seen = P + sequence.seen(i0, i1), columns = round_up(seen, W);
        copy_rows(q + row * ldq + head, ldq, i1 - i0, D, how.scale, queries, wide);
        float_product<false>(i1 - i0, columns, D, queries, wide, keys, ld, scores, ld, false);
        float factors[block];
        for (int64_t i = i0; i < i1; ++i) {
          const int64_t own = P + sequence.position(i) + 1;
          float* x = scores + (i - i0) * ld;
          float top;
          sequence.hide_prefix(i, x, P);
          const float total = exponentials(x, own, &top);
          for (int64_t j = round_up(own, W); j < columns; j += W) store(x + j, F{});
          factors[i - i0] = 1 / total;
          if (lse != nullptr) lse[(row + i - i0) * H + item % H] = top + logf(total);
        }
        float_product<false>(i1 - i0, wide, seen, scores, ld, values, wide, result, wide, false);
        for (int64_t i = 0; i < i1 - i0; ++i)
          write_rows(result + i * wide, wide, 1, D, factors[i], y + (row + i) * ldy + head, ldy);
      }
    }
  });
}

void attention_backward(const p4j_attention* shape, const float* dy, const float* y, int64_t ldy, const float* lse,
                        const float* q, int64_t ldq, const float* k, const float* v, int64_t ldkv, const float* prefix_k,
                        const float* prefix_v, int64_t ldp, float* dq, int64_t lddq, float* dk, float* dv, int64_t lddkv,
                        float* dprefix_k, float* dprefix_v) {
  constexpr int64_t block = 48;
  const p4j_attention& how = *shape;
  const bool own_rows = dq != nullptr || dk != nullptr || dv != nullptr;  // else only the prefix gets a gradient
  const int64_t H = how.heads, D = how.width, E = H * D, P = how.prefix, S = P + (own_rows ? longest(how) : 0);
  const int64_t ld = round_up(S + W, W), wide = round_up(D, W);
  const int64_t groups = larger(1, smaller(how.sequences, divide_up(32, H)));
  if (S == 0) return;
  Arrays partial(call_slot, 2 * Arrays::floats(groups * P * E));
  float* partial_k = partial.take(groups * P * E);  // [groups, P, E]
  float* partial_v = partial.take(groups * P * E);
  parallel(groups * H, 1, [&](int64_t from, int64_t to) {
    Arrays arrays(work_slot, 2 * Arrays::floats(D * ld) + 3 * Arrays::floats(S * wide) + 2 * Arrays::floats(block * ld) +
                                 3 * Arrays::floats(block * wide));
    float* keys_t = arrays.take(D * ld);      // [D, ld]: transposed
    float* values_t = arrays.take(D * ld);    // [D, ld]: transposed
    float* keys = arrays.take(S * wide);      // [S, wide], as their gradients
    float* dkeys = arrays.take(S * wide);
    float* dvalues = arrays.take(S * wide);
    float* p = arrays.take(block * ld);       // [block, ld]: scores, then probabilities
    float* ds = arrays.take(block * ld);      // [block, ld]: gradient of the probabilities, then of the scores
    float* queries = arrays.take(block * wide);
    float* dresult = arrays.take(block * wide);
    float* dqueries = arrays.take(block * wide);
    for (int64_t item = from; item < to; ++item) {
      const int64_t group = item / H, h = item % H, head = h * D;
      transpose_rows(prefix_k + head, ldp, P, D, keys_t, ld);
      transpose_rows(prefix_v + head, ldp, P, D, values_t, ld);
      copy_rows(prefix_k + head, ldp, P, D, 1, keys, wide);
      memset(dkeys, 0, static_cast<size_t>(P * wide) * sizeof(float));
      memset(dvalues, 0, static_cast<size_t>(P * wide) * sizeof(float));
      const int64_t b1 = how.sequences * (group + 1) / groups;
      for (int64_t b = how.sequences * group / groups; b < b1; ++b) {
        const Sequence sequence(how, b);
        if (own_rows) {
          const int64_t first = sequence.first * ldkv + head;
          transpose_rows(k + first, ldkv, sequence.length, D, keys_t + P, ld);
          transpose_rows(v + first, ldkv, sequence.length, D, values_t + P, ld);
          copy_rows(k + first, ldkv, sequence.length, D, 1, keys + P * wide, wide);
          memset(dkeys + P * wide, 0, static_cast<size_t>(sequence.length * wide) * sizeof(float));
          memset(dvalues + P * wide, 0, static_cast<size_t>(sequence.length * wide) * sizeof(float));
        }
        for (int64_t i0 = 0; i0 < sequence.queries; i0 += block) {
          const int64_t i1 = smaller(sequence.queries, i0 + block), rows = i1 - i0, row = sequence.first_query + i0;
          const int64_t seen = P + (own_rows ? sequence.seen(i0, i1) : 0), columns = round_up(seen, W);
          copy_rows(q + row * ldq + head, ldq, rows, D, how.scale, queries, wide);
          copy_rows(dy + row * ldy + head, ldy, rows, D, 1, dresult, wide);
          float_product<false>(rows, columns, D, queries, wide, keys_t, ld, p, ld, false);
          float_product<false>(rows, columns, D, dresult, wide, values_t, ld, ds, ld, false);
          for (int64_t i = i0; i < i1; ++i) {
            const int64_t own = smaller(seen, P + sequence.position(i) + 1), r = row + i - i0;
            const float* up = dresult + (i - i0) * wide;
            const float* out = y + r * ldy + head;
            const F delta =
                all(row_sum(D, [&](int64_t j, auto lanes) { return load(up + j) * load(out + j, lanes); }));
            const F shift = all(lse[r * H + h]);
            float* pi = p + (i - i0) * ld;
            float* di = ds + (i - i0) * ld;
            sequence.hide_prefix(i, pi, P);
            each(own, [&](int64_t j, auto lanes) {
              const F probability = exp(load(pi + j, lanes, -INFINITY) - shift);  // 0 past the end
              store(pi + j, probability);
              store(di + j, probability * (load(di + j, lanes) - delta));
            });
            for (int64_t j = round_up(own, W); j < columns; j += W) {
              store(pi + j, F{});
              store(di + j, F{});
            }
          }
          float_product<true>(seen, wide, rows, ds, ld, queries, wide, dkeys, wide, true);
          float_product<true>(seen, wide, rows, p, ld, dresult, wide, dvalues, wide, true);
          if (dq != nullptr) {
            float_product<false>(rows, wide, seen, ds, ld, keys, wide, dqueries, wide, false);
            write_rows(dqueries, wide, rows, D, how.scale, dq + row * lddq + head, lddq);
          }
        }
        if (own_rows) {
          const int64_t first = sequence.first * lddkv + head;
          if (dk != nullptr) write_rows(dkeys + P * wide, wide, sequence.length, D, 1, dk + first, lddkv);
          if (dv != nullptr) write_rows(dvalues + P * wide, wide, sequence.length, D, 1, dv + first, lddkv);
        }
      }
      write_rows(dkeys, wide, P, D, 1, partial_k + group * P * E + head, E);
      write_rows(dvalues, wide, P, D, 1, partial_v + group * P * E + head, E);
    }
  });
  parallel(P, rows_at_once(E), [&](int64_t from, int64_t to) {
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t start = (group * P + from) * E;
      add_rows(partial_k + start, E, to - from, E, dprefix_k + from * ldp, ldp);
      add_rows(partial_v + start, E, to - from, E, dprefix_v + from * ldp, ldp);
    }
  });
}

}  // namespace
}  // namespace p4j
#endif
