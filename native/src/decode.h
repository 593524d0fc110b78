// Attention of one new token of each row during decoding.
//
// Decoding is limited by memory reads. Adjacent rows that begin with the same segments (the beams of a prompt) form a team:
// their queries use those keys while they are in the cache, as do the heads of queries that share a head of keys. No key is
// copied: blocks of W pointers locate them. The results of a row are bit-identical in any team and for any split into segments:
// each score is a separate sum, and a result adds its values in order.
#ifndef P4J_DECODE_H
#define P4J_DECODE_H

#include "attention.h"

namespace p4j {
namespace {

// Up to W consecutive keys (or values) of one head.
struct Block {
  const float* at[W];
  int64_t n;  // their number; the remaining pointers repeat the last one
};

// scores[l] = q . key l, for q [D] already scaled.
inline void score(const float* q, int64_t D, const Block& keys, float* scores) {
  F s[W];
  unroll<W>(P4J_UNROLLED(auto l) { s[l] = F{}; });
  each(D, [&](int64_t d, auto lanes) {
    const F factor = load(q + d, lanes);
    unroll<W>(P4J_UNROLLED(auto l) { s[l] = factor * load(keys.at[l] + d, lanes) + s[l]; });
  });
  const F dots = sums(s);
  if (keys.n == W) {
    store(scores, dots);
  } else {
    store(scores, dots, Part{keys.n});
  }
}

// result [D] += sum of p[l] * value l. Four vectors at a time, for which p[l] is loaded once.
inline void weigh(const float* p, int64_t D, const Block& values, float* result) {
  constexpr int together = 4;
  int64_t d = 0;
  for (; d + together * W <= D; d += together * W) {
    F s[together];
    unroll<together>(P4J_UNROLLED(auto u) { s[u] = load(result + d + u * W); });
    for (int64_t l = 0; l < values.n; ++l) {
      const F factor = all(p[l]);
      const float* value = values.at[l] + d;
      unroll<together>(P4J_UNROLLED(auto u) { s[u] = factor * load(value + u * W) + s[u]; });
    }
    unroll<together>(P4J_UNROLLED(auto u) { store(result + d + u * W, s[u]); });
  }
  each(D - d, [&](int64_t i, auto lanes) {
    F s = load(result + d + i, lanes);
    for (int64_t l = 0; l < values.n; ++l) s = all(p[l]) * load(values.at[l] + d + i, lanes) + s;
    store(result + d + i, s, lanes);
  });
}

// The keys of a row's segments in blocks, which may cross segment boundaries.
class Keys {
 public:
  Keys(const p4j_attention& how, const Row& row, int64_t key_head)
      : layer_(how.layer), head_(key_head * how.width), row_(row) {}

  // body(column, block, turn) for the keys from .. to, or for their values; each block has one rotation.
  template <class Body>
  void each_block(bool values, int64_t from, int64_t to, const Body& body) const {
    Block block;
    block.n = 0;
    const float* turn = nullptr;
    int64_t j = from, first = from, start = 0;
    const auto flush = [&] {
      if (block.n == 0) return;
      for (int64_t l = block.n; l < W; ++l) block.at[l] = block.at[block.n - 1];
      body(first, block, turn);
      first += block.n;
      block.n = 0;
    };
    for (const p4j_segment* s = row_.first; j < to; ++s) {
      const int64_t end = smaller(to, start + s->length);
      if (j < end && !values && s->turn != turn) {
        flush();
        turn = s->turn;
      }
      const float* base = (values ? s->v : s->k) + layer_ * s->layer_stride + head_;
      for (; j < end; ++j) {
        block.at[block.n++] = base + (j - start) * s->ld;
        if (block.n == W) flush();
      }
      start += s->length;
    }
    flush();
  }

 private:
  int64_t layer_, head_;
  const Row& row_;
};

// Rows first .. first + rows begin with the same `shared` keys.
struct Team {
  int64_t first, rows, shared;
};

inline int64_t keys_of(const Row& row) {
  int64_t keys = 0;
  for (const p4j_segment* s = row.first; s < row.last; ++s) keys += s->length;
  return keys;
}

inline int64_t shared_keys(const Row& a, const Row& b) {
  int64_t keys = 0;
  for (const p4j_segment *s = a.first, *t = b.first; s < a.last && t < b.last; ++s, ++t) {
    if (!same_keys(*s, *t)) break;
    keys += s->length;
  }
  return keys;
}

void attention_decode(const p4j_attention* shape, const float* q, int64_t ldq, float* y, int64_t ldy) {
  constexpr int64_t most_queries = 8, worth_sharing = 32;
  const p4j_attention& how = *shape;
  const int64_t H = how.heads, Hk = how.key_heads, D = how.width, S = most_keys(how), together = H / Hk;
  const int64_t most_rows = larger(1, most_queries / together);
  if (how.rows <= 0) return;

  Team* teams = reinterpret_cast<Team*>(scratch(table_slot, how.rows * static_cast<int64_t>(sizeof(Team))));
  int64_t count = 0;
  for (int64_t b = 0; b < how.rows; ++b) {
    if (count > 0 && teams[count - 1].rows < most_rows) {
      Team& team = teams[count - 1];
      const int64_t shared = smaller(team.shared, shared_keys(Row(how, team.first), Row(how, b)));
      if (shared >= worth_sharing) {
        team.shared = shared;
        ++team.rows;
        continue;
      }
    }
    teams[count++] = {b, 1, keys_of(Row(how, b))};
  }

  const int64_t ld = round_up(S, W), wide = round_up(D, W), most = most_rows * together;
  parallel(count * Hk, 1, [&](int64_t from, int64_t to) {
    Arrays arrays(work_slot,
                  Arrays::floats(most * ld) + 2 * Arrays::floats(most * wide) + Arrays::floats(wide) + Arrays::floats(most));
    float* scores = arrays.take(most * ld);     // [queries, ld]
    float* queries = arrays.take(most * wide);  // [queries, wide], those of a row adjacent
    float* results = arrays.take(most * wide);  // [queries, wide]
    float* turned = arrays.take(wide);
    float* totals = arrays.take(most);  // [queries]
    for (int64_t item = from; item < to; ++item) {
      const Team& team = teams[item / Hk];
      const int64_t key_head = item % Hk;

      // body(query, column, block, turn) for all keys of all queries, or for their values
      const auto everywhere = [&](bool values, const auto& body) {
        for (int64_t r = 0; r <= team.rows; ++r) {  // first the shared keys, then each row's other keys
          const Row row(how, team.first + larger(0, r - 1));
          const int64_t first = r == 0 ? 0 : r - 1, last = r == 0 ? team.rows : r;
          const int64_t begin = r == 0 ? 0 : team.shared, end = r == 0 ? team.shared : keys_of(row);
          Keys(how, row, key_head).each_block(values, begin, end, [&](int64_t j, const Block& block, const float* turn) {
            for (int64_t i = first * together; i < last * together; ++i) body(i, j, block, turn);
          });
        }
      };

      const F scale = all(how.scale);
      for (int64_t i = 0; i < team.rows * together; ++i) {
        const float* in = q + (team.first + i / together) * ldq + (key_head * together + i % together) * D;
        each(D, [&](int64_t d, auto lanes) {
          store(queries + i * wide + d, load(in + d, lanes) * scale, lanes);
          store(results + i * wide + d, F{}, lanes);
        });
      }
      everywhere(false, [&](int64_t i, int64_t j, const Block& block, const float* turn) {
        const float* query = queries + i * wide;
        if (turn != nullptr) {
          memcpy(turned, query, static_cast<size_t>(D) * sizeof(float));
          rotate(turned, wide, 1, how.rotary, turn, 1);
          query = turned;
        }
        score(query, D, block, scores + i * ld + j);
      });
      for (int64_t i = 0; i < team.rows * together; ++i) {
        float top;
        totals[i] = exponentials(scores + i * ld, keys_of(Row(how, team.first + i / together)), &top);
      }
      everywhere(true, [&](int64_t i, int64_t j, const Block& block, const float*) {
        weigh(scores + i * ld + j, D, block, results + i * wide);
      });
      for (int64_t i = 0; i < team.rows * together; ++i) {
        float* out = y + (team.first + i / together) * ldy + (key_head * together + i % together) * D;
        write_rows(results + i * wide, wide, 1, D, 1 / totals[i], out, ldy);
      }
    }
  });
}

}  // namespace
}  // namespace p4j
#endif
