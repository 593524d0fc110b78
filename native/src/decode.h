// Attention of one new token for each row while decoding.
//
// Little is computed, much is read. Rows of one input that follow each other (its beams) see the same prefix and prompt:
// they are worked on together, W keys at a time, so that those come from memory once. Generated tokens are found through
// the beam table, row by row. No key is copied: blocks of W pointers say where they are.
#ifndef P4J_DECODE_H
#define P4J_DECODE_H

#include "rows.h"

namespace p4j {
namespace {

// W consecutive keys (or values) of one head.
struct Block {
  const float* at[W];
  int64_t n;  // how many there are; the other pointers repeat the last
};

inline Block block_of(const float* first, int64_t ld, int64_t n) {
  Block block;
  block.n = smaller(W, n);
  for (int l = 0; l < W; ++l) block.at[l] = first + smaller(l, block.n - 1) * ld;
  return block;
}

// scores[l] = q . key l. q [D] is scaled.
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

// result [D] += sum of p[l] * value l. Four vectors at a time, for each of which p[l] is fetched once.
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

void attention_decode(const p4j_decode* shape, const float* q, int64_t ldq, const float* prefix_k, const float* prefix_v,
                      int64_t ldp, const float* prompt_k, const float* prompt_v, int64_t ldprompt, const float* k,
                      const float* v, int64_t ldkv, float* y, int64_t ldy) {
  const p4j_decode& how = *shape;
  const int64_t R = how.rows, H = how.heads, D = how.width, P = how.prefix, G = how.generations;
  constexpr int64_t most_rows = 8;
  if (R <= 0) return;

  // starts [runs + 1]: runs of rows of the same input, at most most_rows each
  int64_t* starts = reinterpret_cast<int64_t*>(scratch(call_slot, (R + 1) * static_cast<int64_t>(sizeof(int64_t))));
  int64_t runs = 0, longest_prompt = 0;
  for (int64_t r = 0; r < R; ++r) {
    if (r == 0 || how.input[r] != how.input[r - 1] || r - starts[runs - 1] == most_rows) starts[runs++] = r;
    const int64_t* prompt = how.prompt_offsets + how.input[r];
    longest_prompt = larger(longest_prompt, prompt[1] - prompt[0]);
  }
  starts[runs] = R;

  const int64_t ld = round_up(P + longest_prompt + G, W), wide = round_up(D, W);
  parallel(runs * H, 1, [&](int64_t from, int64_t to) {
    Arrays arrays(work_slot, Arrays::floats(most_rows * ld) + 2 * Arrays::floats(most_rows * wide));
    float* scores = arrays.take(most_rows * ld);    // [rows, ld]: prefix, prompt, generations
    float* queries = arrays.take(most_rows * wide);    // [rows, wide]
    float* results = arrays.take(most_rows * wide);    // [rows, wide]
    for (int64_t item = from; item < to; ++item) {
      const int64_t run = item / H, head = item % H * D;
      const int64_t first = starts[run], rows = starts[run + 1] - first;
      const int64_t* prompt = how.prompt_offsets + how.input[first];
      const int64_t T = prompt[1] - prompt[0];

      // body(row, column, block) for all blocks of keys, or of values
      const auto each_block = [&](const float* prefix, const float* prompts, const float* generated, const auto& body) {
        for (int64_t j = 0; j < P; j += W) {
          const Block block = block_of(prefix + j * ldp + head, ldp, P - j);
          for (int64_t r = 0; r < rows; ++r) body(r, j, block);
        }
        for (int64_t j = 0; j < T; j += W) {
          const Block block = block_of(prompts + (prompt[0] + j) * ldprompt + head, ldprompt, T - j);
          for (int64_t r = 0; r < rows; ++r) body(r, P + j, block);
        }
        for (int64_t r = 0; r < rows; ++r) {
          const int32_t* beam = how.beam + (first + r) * how.ldb;
          for (int64_t j = 0; j < G; j += W) {
            Block block;
            block.n = smaller(W, G - j);
            for (int l = 0; l < W; ++l) {
              const int64_t t = j + smaller(l, block.n - 1);
              block.at[l] = generated + t * how.generation_stride + beam[t] * ldkv + head;
            }
            body(r, P + T + j, block);
          }
        }
      };

      const F scale = all(how.scale);
      for (int64_t r = 0; r < rows; ++r) {
        each(D, [&](int64_t d, auto lanes) {
          store(queries + r * wide + d, load(q + (first + r) * ldq + head + d, lanes) * scale, lanes);
          store(results + r * wide + d, F{}, lanes);
        });
      }
      each_block(prefix_k, prompt_k, k, [&](int64_t r, int64_t j, const Block& block) {
        score(queries + r * wide, D, block, scores + r * ld + j);
      });
      float totals[most_rows];
      for (int64_t r = 0; r < rows; ++r) {
        float top;
        totals[r] = exponentials(scores + r * ld, P + T + G, &top);
      }
      each_block(prefix_v, prompt_v, v, [&](int64_t r, int64_t j, const Block& block) {
        weigh(scores + r * ld + j, D, block, results + r * wide);
      });
      for (int64_t r = 0; r < rows; ++r) write_rows(results + r * wide, wide, 1, D, 1 / totals[r], y + (first + r) * ldy + head, ldy);
    }
  });
}

}  // namespace
}  // namespace p4j
#endif
