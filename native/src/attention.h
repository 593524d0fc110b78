// Attention of the rows of a batch to their segments of keys and values, forward and backward.
//
// One head of one row takes a few small matrix products (gemm_f32.h). The keys of its segments are gathered in scratch, one
// segment after another, so that products read them without gaps, and how they are split makes no difference. Queries are
// processed in blocks: a block sees the keys up to its last position, so that most of the triangle that causality masks is
// never computed, and scratch is O(keys * (D + block)). If a segment is seen from a different position, its keys are rotated
// back instead of the queries forward: the scores are the same, and the keys are gathered once for all queries.
//
// The gradient of a shared segment is a sum over rows. A group of rows sums in order into its own array, and the arrays are
// added in order, so that the result is reproducible.
#ifndef P4J_ATTENTION_H
#define P4J_ATTENTION_H

#include "heads.h"
#include "matmul_f32.h"

namespace p4j {
namespace {

// to [rows, ldto] = from [rows, width] * factor; columns up to ldto, a multiple of W, are zeroed.
inline void copy_rows(const float* from, int64_t ldfrom, int64_t rows, int64_t width, float factor, float* to, int64_t ldto) {
  const F times = all(factor);
  for (int64_t i = 0; i < rows; ++i)
    each(width, [&](int64_t j, auto lanes) { store(to + i * ldto + j, load(from + i * ldfrom + j, lanes) * times); });
}

// to [rows, ldto] += from [rows, ldfrom], width columns.
inline void add_rows(const float* from, int64_t ldfrom, int64_t rows, int64_t width, float* to, int64_t ldto) {
  for (int64_t i = 0; i < rows; ++i) {
    each(width, [&](int64_t j, auto lanes) {
      float* at = to + i * ldto + j;
      store(at, load(at, lanes) + load(from + i * ldfrom + j, lanes), lanes);
    });
  }
}

// A row of the batch.
struct Row {
  const p4j_segment *first, *last;  // last: past the end
  const p4j_segment* own;           // the row's own tokens, or null
  int64_t first_query, queries;
  const int32_t* positions;  // of the queries, or null

  Row(const p4j_attention& how, int64_t b)
      : first(how.segments + how.soffsets[b]),
        last(how.segments + how.soffsets[b + 1]),
        own(how.own != 0 && last > first ? last - 1 : nullptr),
        first_query(how.qoffsets == nullptr ? b : how.qoffsets[b]),
        queries(how.qoffsets == nullptr ? 1 : how.qoffsets[b + 1] - first_query),
        positions(how.qpositions == nullptr ? nullptr : how.qpositions + first_query) {}

  int64_t position(int64_t query) const { return positions == nullptr ? query : positions[query]; }

  int64_t furthest(int64_t from, int64_t to) const {
    int64_t most = -1;
    for (int64_t i = from; i < to; ++i) most = larger(most, position(i));
    return most;
  }
};

inline bool same_keys(const p4j_segment& s, const p4j_segment& t) {
  return s.k == t.k && s.v == t.v && s.ld == t.ld && s.length == t.length && s.layer_stride == t.layer_stride &&
         s.turn == t.turn;
}

// Keys of the longest row; `only_wanted`: only segments that need a gradient.
inline int64_t most_keys(const p4j_attention& how, bool only_wanted = false) {
  int64_t most = 0;
  for (int64_t b = 0; b < how.rows; ++b) {
    int64_t keys = 0;
    for (const p4j_segment* s = how.segments + how.soffsets[b]; s < how.segments + how.soffsets[b + 1]; ++s)
      keys += !only_wanted || s->dk != nullptr ? s->length : 0;
    most = larger(most, keys);
  }
  return most;
}

// The segments of a row that a pass uses, one after another in scratch.
struct Gathered {
  const p4j_attention& how;
  const Row& row;
  bool only_wanted;  // only those that need a gradient

  bool has(const p4j_segment& s) const { return !only_wanted || s.dk != nullptr; }

  // body(segment, keys before it)
  template <class Body>
  void each_segment(const Body& body) const {
    int64_t start = 0;
    for (const p4j_segment* s = row.first; s < row.last; ++s) {
      if (!has(*s)) continue;
      body(*s, start);
      start += s->length;
    }
  }

  // Keys before the row's own tokens; all keys if it has none here.
  int64_t before() const {
    int64_t keys = 0;
    each_segment([&](const p4j_segment& s, int64_t) { keys += &s == row.own ? 0 : s.length; });
    return keys;
  }

  int64_t own() const { return row.own != nullptr && has(*row.own) ? row.own->length : 0; }

  // rows [keys, wide] = the keys of a head from `first` on, rotated as they are seen; transposed [D, ld] likewise.
  void keys(int64_t head, int64_t first, float* rows, int64_t wide, float* transposed, int64_t ld) const {
    each_segment([&](const p4j_segment& s, int64_t start) {
      if (start < first) return;
      const float* from = s.k + how.layer * s.layer_stride + head * how.width;
      float* to = rows + start * wide;
      copy_rows(from, s.ld, s.length, how.width, 1, to, wide);
      if (s.turn != nullptr) rotate(to, wide, s.length, how.rotary, s.turn, -1);
      transpose_rows(to, wide, s.length, how.width, transposed + start, ld);
    });
  }

  // transposed [D, ld] = the keys; `spare` [keys, wide] is scratch for rotated ones.
  void keys_transposed(int64_t head, float* spare, int64_t wide, float* transposed, int64_t ld) const {
    each_segment([&](const p4j_segment& s, int64_t start) {
      const float* from = s.k + how.layer * s.layer_stride + head * how.width;
      if (s.turn == nullptr) {
        transpose_rows(from, s.ld, s.length, how.width, transposed + start, ld);
        return;
      }
      copy_rows(from, s.ld, s.length, how.width, 1, spare, wide);
      rotate(spare, wide, s.length, how.rotary, s.turn, -1);
      transpose_rows(spare, wide, s.length, how.width, transposed + start, ld);
    });
  }

  // body(values of a head, ld, number of keys, number of keys before them)
  template <class Body>
  void each_values(int64_t head, const Body& body) const {
    each_segment([&](const p4j_segment& s, int64_t start) {
      body(s.v + how.layer * s.layer_stride + head * how.width, s.ld, s.length, start);
    });
  }

  // Keys of the leading segments that another row of the batch sees too.
  int64_t keys_shared_with(const Gathered& other) const {
    const p4j_segment *s = row.first, *t = other.row.first;
    int64_t keys = 0;
    for (;; ++s, ++t) {
      while (s < row.last && !has(*s)) ++s;
      while (t < other.row.last && !has(*t)) ++t;
      if (s >= row.last || t >= other.row.last || s == row.own || t == other.row.own || !same_keys(*s, *t) || s->dk != t->dk)
        return keys;
      keys += s->length;
    }
  }

  // Masks a query's scores for segments before its own tokens that it does not see yet.
  void hide(int64_t query, float* scores) const {
    const int64_t position = row.position(query);
    each_segment([&](const p4j_segment& s, int64_t start) {
      if (&s == row.own || position >= s.from) return;
      for (int64_t j = 0; j < s.length; ++j) scores[start + j] = -INFINITY;
    });
  }
};

void attention_forward(const p4j_attention* shape, const float* q, int64_t ldq, float* y, int64_t ldy, float* lse) {
  constexpr int64_t block = 24;
  const p4j_attention& how = *shape;
  const int64_t H = how.heads, Hk = how.key_heads, D = how.width, S = most_keys(how);
  const int64_t ld = round_up(S + W, W), wide = round_up(D, W);
  parallel(how.rows * Hk, 1, [&](int64_t from, int64_t to) {
    Arrays arrays(work_slot, Arrays::floats(D * ld) + Arrays::floats(S * wide) + Arrays::floats(block * ld) +
                                 2 * Arrays::floats(block * wide));
    float* keys = arrays.take(D * ld);        // [D, ld]: transposed
    float* values = arrays.take(S * wide);    // [S, wide]
    float* scores = arrays.take(block * ld);  // [block, ld]
    float* queries = arrays.take(block * wide);
    float* result = arrays.take(block * wide);
    for (int64_t item = from; item < to; ++item) {
      const Row row(how, item / Hk);
      const int64_t key_head = item % Hk;
      if (row.queries == 0) continue;
      const Gathered gathered{how, row, false};
      const int64_t before = gathered.before(), own_keys = gathered.own();
      gathered.keys_transposed(key_head, values, wide, keys, ld);
      gathered.each_values(key_head, [&](const float* v, int64_t ldv, int64_t n, int64_t start) {
        copy_rows(v, ldv, n, D, 1, values + start * wide, wide);
      });
      for (int64_t h = key_head * H / Hk; h < (key_head + 1) * H / Hk; ++h) {
        const int64_t head = h * D;
        for (int64_t i0 = 0; i0 < row.queries; i0 += block) {
          const int64_t i1 = smaller(row.queries, i0 + block), at = row.first_query + i0;
          const int64_t seen = before + smaller(own_keys, row.furthest(i0, i1) + 1), columns = round_up(seen, W);
          copy_rows(q + at * ldq + head, ldq, i1 - i0, D, how.scale, queries, wide);
          float_product<false>(i1 - i0, columns, D, queries, wide, keys, ld, scores, ld, false);
          float factors[block];
          for (int64_t i = i0; i < i1; ++i) {
            const int64_t sees = before + smaller(own_keys, row.position(i) + 1);
            float* x = scores + (i - i0) * ld;
            float top;
            gathered.hide(i, x);
            const float total = exponentials(x, sees, &top);
            for (int64_t j = round_up(sees, W); j < columns; j += W) store(x + j, F{});
            factors[i - i0] = 1 / total;
            if (lse != nullptr) lse[(at + i - i0) * H + h] = top + logf(total);
          }
          float_product<false>(i1 - i0, wide, seen, scores, ld, values, wide, result, wide, false);
          for (int64_t i = 0; i < i1 - i0; ++i)
            write_rows(result + i * wide, wide, 1, D, factors[i], y + (at + i) * ldy + head, ldy);
        }
      }
    }
  });
}

// The groups' sums: those of group g begin at start[g], [keys, Hk * D] for dk, then for dv.
struct GroupSums {
  int64_t* start;  // [groups + 1], in floats
  float* sums;

  GroupSums(const p4j_attention& how, const p4j_groups& groups) {
    const int64_t table = round_up((groups.groups + 1) * static_cast<int64_t>(sizeof(int64_t)), 64);
    start = reinterpret_cast<int64_t*>(scratch(table_slot, table));
    start[0] = 0;
    for (int64_t g = 0; g < groups.groups; ++g) {
      int64_t keys = 0;
      if (groups.goffsets[g] < groups.goffsets[g + 1]) {
        const Row row(how, groups.order[groups.goffsets[g]]);
        shared(row, [&](const p4j_segment& s, int64_t) { keys += s.length; });
      }
      start[g + 1] = start[g] + 2 * keys * how.key_heads * how.width;
    }
    sums = Arrays(call_slot, Arrays::floats(start[groups.groups])).take(start[groups.groups]);
  }

  // body(segment, keys before it) for the segments that need a gradient, except own tokens.
  template <class Body>
  static void shared(const Row& row, const Body& body) {
    int64_t before = 0;
    for (const p4j_segment* s = row.first; s < row.last; ++s) {
      if (s->dk == nullptr || s == row.own) continue;
      body(*s, before);
      before += s->length;
    }
  }

  int64_t keys(int64_t group, int64_t columns) const { return (start[group + 1] - start[group]) / (2 * columns); }
};

void attention_backward(const p4j_attention* shape, const p4j_groups* parts, const float* dy, const float* y, int64_t ldy,
                        const float* lse, const float* q, int64_t ldq, float* dq, int64_t lddq) {
  constexpr int64_t block = 48;
  const p4j_attention& how = *shape;
  const p4j_groups& groups = *parts;
  const int64_t H = how.heads, Hk = how.key_heads, D = how.width, E = Hk * D, S = most_keys(how, dq == nullptr);
  const int64_t ld = round_up(S + W, W), wide = round_up(D, W);
  if (S == 0 || groups.groups == 0) return;
  const GroupSums sums(how, groups);
  parallel(groups.groups * Hk, 1, [&](int64_t from, int64_t to) {
    Arrays arrays(work_slot, 2 * Arrays::floats(D * ld) + 3 * Arrays::floats(S * wide) + 2 * Arrays::floats(block * ld) +
                                 3 * Arrays::floats(block * wide));
    float* keys_t = arrays.take(D * ld);    // [D, ld]: transposed
    float* values_t = arrays.take(D * ld);  // [D, ld]: transposed
    float* keys = arrays.take(S * wide);    // [S, wide], like their gradients
    float* dkeys = arrays.take(S * wide);
    float* dvalues = arrays.take(S * wide);
    float* p = arrays.take(block * ld);   // [block, ld]: scores, then probabilities
    float* ds = arrays.take(block * ld);  // [block, ld]: gradient of the probabilities, then of the scores
    float* queries = arrays.take(block * wide);
    float* dresult = arrays.take(block * wide);
    float* dqueries = arrays.take(block * wide);
    for (int64_t item = from; item < to; ++item) {
      const int64_t group = item / Hk, key_head = item % Hk, sum_keys = sums.keys(group, E);
      float* sum_k = sums.sums + sums.start[group] + key_head * D;  // [sum_keys, E]
      float* sum_v = sum_k + sum_keys * E;
      // Adds the gradients of a row's keys from `first` on to the group's sums. Most groups need only one call.
      bool given = false;
      const auto give = [&](const Gathered& gathered, int64_t first) {
        const bool all_at_once = !given && first == 0;
        for (int64_t i = 0; i < sum_keys && !given && !all_at_once; ++i) {
          memset(sum_k + i * E, 0, static_cast<size_t>(D) * sizeof(float));
          memset(sum_v + i * E, 0, static_cast<size_t>(D) * sizeof(float));
        }
        given = true;
        int64_t summed = 0;
        gathered.each_segment([&](const p4j_segment& s, int64_t start) {
          if (s.dk == nullptr || &s == gathered.row.own) return;
          if (start >= first) {
            if (s.turn != nullptr) rotate(dkeys + start * wide, wide, s.length, how.rotary, s.turn, 1);
            if (all_at_once) {
              write_rows(dkeys + start * wide, wide, s.length, D, 1, sum_k + summed * E, E);
              write_rows(dvalues + start * wide, wide, s.length, D, 1, sum_v + summed * E, E);
            } else {
              add_rows(dkeys + start * wide, wide, s.length, D, sum_k + summed * E, E);
              add_rows(dvalues + start * wide, wide, s.length, D, sum_v + summed * E, E);
            }
          }
          summed += s.length;
        });
      };
      for (int64_t b = groups.goffsets[group]; b < groups.goffsets[group + 1]; ++b) {
        const Row row(how, groups.order[b]);
        const Gathered gathered{how, row, dq == nullptr};
        const int64_t before = gathered.before(), own_keys = gathered.own();
        // leading keys shared with the previous row stay in place, and their gradient accumulates
        int64_t kept = 0;
        if (b > groups.goffsets[group]) {
          const Row last(how, groups.order[b - 1]);
          const Gathered there{how, last, dq == nullptr};
          kept = gathered.keys_shared_with(there);
          give(there, kept);
        }
        gathered.keys(key_head, kept, keys, wide, keys_t, ld);
        gathered.each_values(key_head, [&](const float* v, int64_t ldv, int64_t n, int64_t start) {
          if (start >= kept) transpose_rows(v, ldv, n, D, values_t + start, ld);
        });
        const int64_t fresh = (before + own_keys - kept) * wide;
        memset(dkeys + kept * wide, 0, static_cast<size_t>(fresh) * sizeof(float));
        memset(dvalues + kept * wide, 0, static_cast<size_t>(fresh) * sizeof(float));
        for (int64_t h = key_head * H / Hk; h < (key_head + 1) * H / Hk; ++h) {
          const int64_t head = h * D;
          for (int64_t i0 = 0; i0 < row.queries; i0 += block) {
            const int64_t i1 = smaller(row.queries, i0 + block), n = i1 - i0, at = row.first_query + i0;
            const int64_t seen = before + smaller(own_keys, row.furthest(i0, i1) + 1), columns = round_up(seen, W);
            copy_rows(q + at * ldq + head, ldq, n, D, how.scale, queries, wide);
            copy_rows(dy + at * ldy + head, ldy, n, D, 1, dresult, wide);
            float_product<false>(n, columns, D, queries, wide, keys_t, ld, p, ld, false);
            float_product<false>(n, columns, D, dresult, wide, values_t, ld, ds, ld, false);
            for (int64_t i = i0; i < i1; ++i) {
              const int64_t sees = before + smaller(own_keys, row.position(i) + 1), r = at + i - i0;
              const float* up = dresult + (i - i0) * wide;
              const float* out = y + r * ldy + head;
              const F delta = all(row_sum(D, [&](int64_t j, auto lanes) { return load(up + j) * load(out + j, lanes); }));
              const F shift = all(lse[r * H + h]);
              float* pi = p + (i - i0) * ld;
              float* di = ds + (i - i0) * ld;
              gathered.hide(i, pi);
              each(sees, [&](int64_t j, auto lanes) {
                const F probability = exp(load(pi + j, lanes, -INFINITY) - shift);  // 0 past the end
                store(pi + j, probability);
                store(di + j, probability * (load(di + j, lanes) - delta));
              });
              for (int64_t j = round_up(sees, W); j < columns; j += W) {
                store(pi + j, F{});
                store(di + j, F{});
              }
            }
            float_product<true>(seen, wide, n, ds, ld, queries, wide, dkeys, wide, true);
            float_product<true>(seen, wide, n, p, ld, dresult, wide, dvalues, wide, true);
            if (dq != nullptr) {
              float_product<false>(n, wide, seen, ds, ld, keys, wide, dqueries, wide, false);
              write_rows(dqueries, wide, n, D, how.scale, dq + at * lddq + head, lddq);
            }
          }
        }
        if (own_keys > 0 && row.own->dk != nullptr) {
          const p4j_segment& s = *row.own;
          const int64_t place = how.layer * s.layer_stride + key_head * D;
          if (s.turn != nullptr) rotate(dkeys + before * wide, wide, s.length, how.rotary, s.turn, 1);
          write_rows(dkeys + before * wide, wide, s.length, D, 1, s.dk + place, s.ldd);
          write_rows(dvalues + before * wide, wide, s.length, D, 1, s.dv + place, s.ldd);
        }
      }
      if (groups.goffsets[group] < groups.goffsets[group + 1]) {
        const Row last(how, groups.order[groups.goffsets[group + 1] - 1]);
        give(Gathered{how, last, dq == nullptr}, 0);
      }
    }
  });
  parallel(Hk, larger(1, Hk / 4), [&](int64_t from, int64_t to) {
    const int64_t head = from * D, width = (to - from) * D;
    for (int64_t group = 0; group < groups.groups; ++group) {
      if (groups.goffsets[group] == groups.goffsets[group + 1]) continue;
      const Row row(how, groups.order[groups.goffsets[group]]);
      const float* sum_k = sums.sums + sums.start[group] + head;
      const float* sum_v = sum_k + sums.keys(group, E) * E;
      GroupSums::shared(row, [&](const p4j_segment& s, int64_t before) {
        const int64_t place = how.layer * s.layer_stride + head;
        add_rows(sum_k + before * E, E, s.length, width, s.dk + place, s.ldd);
        add_rows(sum_v + before * E, E, s.length, width, s.dv + place, s.ldd);
      });
    }
  });
}

}  // namespace
}  // namespace p4j
#endif
