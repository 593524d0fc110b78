// The rotation of a row that precedes its quantization to 8 bits.
//
// A trained model has a few inputs that are much larger than the others. They determine the scale of a row, and the rest of it
// rounds to little. An orthogonal matrix on both sides of a product changes nothing, x W = (x R)(R^T W), but spreads them over
// many inputs (QuaRot, Ashkboos et al. 2024, arXiv:2404.00456). Here R consists of Hadamard transforms of values that lie
// SPACING apart, so no instruction set has to move values inside a vector.
#ifndef P4J_MIX_H
#define P4J_MIX_H

#include "parallel.h"
#include "simd.h"

namespace p4j {
namespace {

constexpr int64_t SPACING = 16;
constexpr int MOST_MIXED = 16;

template <int T, int d = 1>
P4J_INLINE void hadamard(F (&v)[T]) {
  if constexpr (d < T) {
    unroll<T>(P4J_UNROLLED(auto i) {
      if constexpr ((i & d) == 0) {
        const F a = v[i], b = v[i + d];
        v[i] = a + b;
        v[i + d] = a - b;
      }
    });
    hadamard<T, 2 * d>(v);
  }
}

constexpr float root_of(int t) { return t == 16 ? 4.0f : t == 8 ? 2.828427125f : t == 4 ? 2.0f : 1.414213562f; }

// The T * SPACING values from x on. Multiplied last: a multiplication and an addition may be fused, and then instruction sets
// differ.
template <int T>
inline void mix_block(float* x) {
  const F factor = all(1 / root_of(T));
  for (int64_t i = 0; i < SPACING; i += W) {
    F v[T];
    unroll<T>(P4J_UNROLLED(auto t) { v[t] = load(x + t * SPACING + i); });
    hadamard(v);
    unroll<T>(P4J_UNROLLED(auto t) { store(x + t * SPACING + i, v[t] * factor); });
  }
}

// Whole blocks from the first value on; if they do not end with the row, one more that does. Backwards is the inverse.
template <int T>
void mix_blocks(float* x, int64_t columns, bool backwards) {
  constexpr int64_t block = T * SPACING;
  const bool another = columns % block != 0;
  if (another && backwards) mix_block<T>(x + columns - block);
  for (int64_t i = 0; i + block <= columns; i += block) mix_block<T>(x + i);
  if (another && !backwards) mix_block<T>(x + columns - block);
}

template <int T = MOST_MIXED>
inline void mix(float* x, int64_t columns, bool backwards = false) {
  if constexpr (T > 1) {
    if (columns >= T * SPACING) {
      mix_blocks<T>(x, columns, backwards);
    } else {
      mix<T / 2>(x, columns, backwards);
    }
  }
}

}  // namespace
}  // namespace p4j
#endif
