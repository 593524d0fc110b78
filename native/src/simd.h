// Vectors of 32-bit numbers, as wide as the instruction set that this file is compiled for.
//
// They are the compiler's vector types: + - * /, comparisons and c ? a : b work lane by lane, a * b + c becomes one instruction
// if there is one, and everything also works without vector instructions.
#ifndef P4J_SIMD_H
#define P4J_SIMD_H

#include <stdint.h>
#include <string.h>

#include <utility>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace p4j {
namespace {

#if defined(__AVX512F__)
constexpr int W = 16;
#elif defined(__AVX2__)
constexpr int W = 8;
#else
constexpr int W = 4;
#endif

typedef float F __attribute__((vector_size(4 * W)));
typedef int32_t I __attribute__((vector_size(4 * W)));
typedef int8_t B __attribute__((vector_size(W)));

#define P4J_INLINE inline __attribute__((always_inline))

P4J_INLINE F all(float x) { return x - F{}; }  // not x + 0, which would change -0
P4J_INLINE I all(int32_t x) { return I{} + x; }
P4J_INLINE I bits(F x) { return (I)x; }
P4J_INLINE F from_bits(I x) { return (F)x; }
P4J_INLINE F number(I x) { return __builtin_convertvector(x, F); }
P4J_INLINE F max(F a, F b) { return a > b ? a : b; }
P4J_INLINE F min(F a, F b) { return a < b ? a : b; }
P4J_INLINE I max(I a, I b) { return a > b ? a : b; }

// body(i) for i = 0 .. n - 1 with i known at compile time, so that arrays that it indexes can stay in registers.
template <int i>
struct Constant {
  constexpr operator int() const { return i; }
};
template <int n, int i = 0, class Body>
P4J_INLINE void unroll(const Body& body) {
  if constexpr (i < n) {
    body(Constant<i>{});
    unroll<n, i + 1>(body);
  }
}
#define P4J_UNROLLED(...) [&](__VA_ARGS__) __attribute__((always_inline))

// The lanes of a vector that a load or store accesses: all of them, or the first few at the end of a row.
struct Full {};
struct Part {
  int64_t n;  // 1 .. W - 1
};

P4J_INLINE F load(const float* p, Full = {}) {
  F x;
  memcpy(&x, p, sizeof x);
  return x;
}

P4J_INLINE void store(float* p, F x, Full = {}) { memcpy(p, &x, sizeof x); }

// Lanes past the end get the value `rest`.
inline F load(const float* p, Part part, float rest = 0) {
#if defined(__AVX512F__)
  return (F)_mm512_mask_loadu_ps((__m512)all(rest), (__mmask16)((1 << part.n) - 1), p);
#else
  F x = all(rest);
  memcpy(&x, p, 4 * static_cast<size_t>(part.n));
  return x;
#endif
}
P4J_INLINE F load(const float* p, Full full, float) { return load(p, full); }

inline void store(float* p, F x, Part part) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, (__mmask16)((1 << part.n) - 1), (__m512)x);
#else
  memcpy(p, &x, 4 * static_cast<size_t>(part.n));
#endif
}

// Vectors of signed and unsigned bytes.
typedef uint8_t U __attribute__((vector_size(W)));

template <class Byte>
struct Bytes;
template <>
struct Bytes<int8_t> {
  typedef B Vector;
};
template <>
struct Bytes<uint8_t> {
  typedef U Vector;
};

template <class Byte>
P4J_INLINE void store(Byte* p, typename Bytes<Byte>::Vector x, Full) {
  memcpy(p, &x, sizeof x);
}
template <class Byte>
inline void store(Byte* p, typename Bytes<Byte>::Vector x, Part part) {
  memcpy(p, &x, static_cast<size_t>(part.n));
}
template <class Byte>
P4J_INLINE typename Bytes<Byte>::Vector load(const Byte* p, Full) {
  typename Bytes<Byte>::Vector x;
  memcpy(&x, p, sizeof x);
  return x;
}
template <class Byte>
inline typename Bytes<Byte>::Vector load(const Byte* p, Part part) {
  typename Bytes<Byte>::Vector x = {};
  memcpy(&x, p, static_cast<size_t>(part.n));
  return x;
}

// body(i, lanes) for the vectors of a row of n values; lanes is a Part for the last one if n is not a multiple of W.
template <class Body>
P4J_INLINE void each(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + W <= n; i += W) body(i, Full{});
  if (i < n) body(i, Part{n - i});
}

// Lane l of the result is lane from(l) of a, or lane from(l) - W of b.
template <class From, int... l>
P4J_INLINE F pick(F a, F b, From from, std::integer_sequence<int, l...>) {
  return __builtin_shufflevector(a, b, from(l)...);
}
#define P4J_PICK(a, b, expression) \
  pick(                            \
      a, b, [](int l) { return expression; }, std::make_integer_sequence<int, W>())

// Reductions over all lanes of a vector.
template <int d = W / 2>
P4J_INLINE float sum(F x) {
  if constexpr (d == 0) {
    return x[0];
  } else {
    return sum<d / 2>(x + P4J_PICK(x, x, l ^ d));
  }
}
template <int d = W / 2>
P4J_INLINE float most(F x) {
  if constexpr (d == 0) {
    return x[0];
  } else {
    return most<d / 2>(max(x, P4J_PICK(x, x, l ^ d)));
  }
}
P4J_INLINE int32_t sum(I x) {
  int32_t s = 0;
  for (int l = 0; l < W; ++l) s += x[l];
  return s;
}
P4J_INLINE int32_t most(I x) {
  int32_t m = x[0];
  for (int l = 1; l < W; ++l) m = x[l] > m ? x[l] : m;
  return m;
}

P4J_INLINE bool any_greater(F a, F b) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_GT_OQ)) != 0;
#else
  const I greater = a > b;
  int32_t any = 0;
  for (int l = 0; l < W; ++l) any |= greater[l];
  return any != 0;
#endif
}

// v[i] lane l <-> v[l] lane i: swaps the off-diagonal quarters of blocks of 2d, for d = W / 2 .. 1.
template <int d = W / 2>
P4J_INLINE void transpose(F (&v)[W]) {
  if constexpr (d > 0) {
    unroll<W>(P4J_UNROLLED(auto i) {
      if constexpr ((i & d) == 0) {
        const F a = v[i], b = v[i + d];
        v[i] = P4J_PICK(a, b, (l & d) == 0 ? l : l - d + W);
        v[i + d] = P4J_PICK(a, b, (l & d) == 0 ? l + d : l + W);
      }
    });
    transpose<d / 2>(v);
  }
}

// Lane i of the result is the sum over all lanes of v[i]. In W - 1 additions: with m sums of 2d lanes each in a vector,
// two vectors become one with 2m sums of d lanes. Destroys v.
template <int d = W / 2>
P4J_INLINE F sums(F (&v)[W]) {
  if constexpr (d == 0) {
    return v[0];
  } else {
    // Now v[i], i < 2d, has the sums of i + 2d * j in lanes 2d * j .. 2d * j + 2d - 1; afterwards v[i], i < d.
    unroll<d>(P4J_UNROLLED(auto i) {
      v[i] = P4J_PICK(v[i], v[i + d], (l & d) == 0 ? l : l - d + W) + P4J_PICK(v[i], v[i + d], (l & d) == 0 ? l + d : l + W);
    });
    return sums<d / 2>(v);
  }
}

// round(x), ties to even, for |x| < 2^22: adding 1.5 * 2^23 leaves no bits for the fraction.
P4J_INLINE I round_to_int(F x) {
  const F shift = all(12582912.0f);
  return bits(x + shift) - bits(shift);
}

// e^x with a relative error of 2e-7; 0 below -87.3 and for NaN, constant above 88.3.
// x = n log 2 + r: e^r = 1 + r + r^2 q(r), where q interpolates at the five Chebyshev nodes of |r| <= log(2) / 2.
P4J_INLINE F exp(F x) {
  const F low = all(-87.3f);
  const F in = min(max(x, low), all(88.3f));
  const F shift = all(12582912.0f);
  const F shifted = in * all(1.44269504f) + shift;
  const F n = shifted - shift;
  const F r = (in - n * all(0.693145752f)) - n * all(1.42860677e-6f);
  F q = all(0.00139261818f);
  q = q * r + all(0.00836317763f);
  q = q * r + all(0.0416665546f);
  q = q * r + all(0.16666577f);
  q = q * r + all(0.5f);
  const F e = (q * r) * r + r + all(1.0f);
  const F power = from_bits((bits(shifted) + (127 - 0x4B400000)) << 23);
  return x > low ? e * power : F{};
}

}  // namespace
}  // namespace p4j
#endif
