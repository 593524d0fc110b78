// A small float32 matrix product for one thread, on scratch memory: c [m, n] = a [m, k] * b [k, n], or added to c.
//
// For attention: n is a multiple of W, rows of b and c are ldb and ldc apart, and a is row-major (element (i, l)
// at a[i * lda + l]) or transposed (at a[l * lda + i]). A tile of c stays in registers over all of k.
#ifndef P4J_GEMM_F32_H
#define P4J_GEMM_F32_H

#include "simd.h"

namespace p4j {
namespace {

constexpr int TILE_ROWS = W == 4 ? 4 : 6;
constexpr int TILE_VECTORS = W == 16 ? 4 : 2;

template <bool TRANSPOSED, int R, int V>
void float_tile(const float* a, int64_t lda, const float* b, int64_t ldb, int64_t k, float* c, int64_t ldc, bool add) {
  F s[R][V];
  unroll<R>(P4J_UNROLLED(auto r) { unroll<V>(P4J_UNROLLED(auto v) { s[r][v] = add ? load(c + r * ldc + v * W) : F{}; }); });
  for (int64_t l = 0; l < k; ++l) {
    F row[V];
    unroll<V>(P4J_UNROLLED(auto v) { row[v] = load(b + l * ldb + v * W); });
    unroll<R>(P4J_UNROLLED(auto r) {
      const F factor = all(TRANSPOSED ? a[l * lda + r] : a[r * lda + l]);
      unroll<V>(P4J_UNROLLED(auto v) { s[r][v] = factor * row[v] + s[r][v]; });
    });
  }
  unroll<R>(P4J_UNROLLED(auto r) { unroll<V>(P4J_UNROLLED(auto v) { store(c + r * ldc + v * W, s[r][v]); }); });
}

using FloatTile = void (*)(const float*, int64_t, const float*, int64_t, int64_t, float*, int64_t, bool);

template <bool TRANSPOSED, int VECTORS, int... i>
P4J_INLINE FloatTile float_tile_of(int64_t rows, int64_t vectors, std::integer_sequence<int, i...>) {
  static constexpr FloatTile tiles[] = {float_tile<TRANSPOSED, i / VECTORS + 1, i % VECTORS + 1>...};
  return tiles[(rows - 1) * VECTORS + vectors - 1];
}

// The tile for rows <= ROWS and vectors <= VECTORS.
template <bool TRANSPOSED, int ROWS, int VECTORS>
P4J_INLINE FloatTile float_tile_for(int64_t rows, int64_t vectors) {
  return float_tile_of<TRANSPOSED, VECTORS>(rows, vectors, std::make_integer_sequence<int, ROWS * VECTORS>());
}

template <bool TRANSPOSED>
void float_product(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb, float* c,
                   int64_t ldc, bool add) {
  const int64_t blocks = (m + TILE_ROWS - 1) / TILE_ROWS;
  for (int64_t j = 0; j < n; j += TILE_VECTORS * W) {
    const int64_t vectors = n - j < TILE_VECTORS * W ? (n - j) / W : TILE_VECTORS;
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t i = m * block / blocks, rows = m * (block + 1) / blocks - i;
      float_tile_for<TRANSPOSED, TILE_ROWS, TILE_VECTORS>(rows, vectors)(TRANSPOSED ? a + i : a + i * lda, lda, b + j, ldb, k,
                                                                         c + i * ldc + j, ldc, add);
    }
  }
}

}  // namespace
}  // namespace p4j
#endif
