// 8-bit matrix product y [N, M] = a [N, K] * w [K, M], and the layout of w.
//
// The outputs are divided into panels of PANEL. A panel stores, for each group of DEPTH inputs and each output, the DEPTH
// weights together: [groups, PANEL, DEPTH] bytes. One instruction multiplies them with DEPTH values of a row of a. A tile of up
// to ROWS rows times one panel keeps its sums in registers over all of K. A panel (24 KB for K = 768) stays in the L1 cache
// while it is multiplied with all rows, and the rows (in chunks of 384 KB) stay in the L2 cache; with few rows the panels are
// streamed from memory once.
//
// packed: scales [panels * PANEL] float | padding to 64 bytes | panels.
//
//   avx512vnni  vpdpbusd: bytes, unsigned times signed, four products at a time. The weights are stored as w + 128, and
//               128 * sum(a) is subtracted from the sums at the end, which is exact.
//   avx512,avx2 vpmaddwd: 16 bits, two products at a time, without saturation. Weights are widened when they are loaded,
//               a beforehand.
//   portable    the same as plain loops.
#ifndef P4J_GEMM_Q8_H
#define P4J_GEMM_Q8_H

#include "rows.h"

namespace p4j {
namespace {

#if defined(__AVX512VNNI__)
using Activation = int8_t;
constexpr int DEPTH = 4, VECTORS = 2, ROWS = 12;
constexpr int32_t OFFSET = 128;
#elif defined(__AVX512F__)
using Activation = int16_t;
constexpr int DEPTH = 2, VECTORS = 2, ROWS = 12;
constexpr int32_t OFFSET = 0;
#else
using Activation = int16_t;
constexpr int DEPTH = 2, VECTORS = W == 8 ? 2 : 4, ROWS = W == 8 ? 6 : 4;
constexpr int32_t OFFSET = 0;
#endif
constexpr int PANEL = VECTORS * W;

inline int64_t groups_of(int64_t k) { return divide_up(k, DEPTH); }
inline int64_t panels_of(int64_t m) { return divide_up(m, PANEL); }
inline int64_t panel_bytes(int64_t k) { return round_up(groups_of(k) * PANEL * DEPTH, 64); }
inline int64_t scale_bytes(int64_t m) { return round_up(panels_of(m) * PANEL * 4, 64); }

int64_t packed_bytes(int64_t k, int64_t m) { return scale_bytes(m) + panels_of(m) * panel_bytes(k); }

inline float scalar_from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

struct Float32 {
  float value;
  float number() const { return value; }
};

struct Bfloat16 {
  uint16_t bits;
  float number() const { return scalar_from_bits(static_cast<uint32_t>(bits) << 16); }
};

struct Float16 {
  uint16_t bits;
  float number() const {
    const uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ffu;
    if (exponent == 0) {
      const float subnormal = static_cast<float>(fraction) * 0x1p-24f;
      return sign ? -subnormal : subnormal;
    }
    return scalar_from_bits(sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13);
  }
};

template <class T>
void pack_from(const T* w, int64_t stride_k, int64_t stride_m, int64_t k, int64_t m, void* packed) {
  float* scales = static_cast<float*>(packed);
  uint8_t* panels = static_cast<uint8_t*>(packed) + scale_bytes(m);
  const int64_t ld = round_up(k, W), ldq = round_up(k, 64);
  parallel(panels_of(m), 1, [&](int64_t from, int64_t to) {
    Arrays arrays(work_slot, Arrays::floats(PANEL * ld) + Arrays::floats(PANEL * ldq / 4));
    float* columns = arrays.take(PANEL * ld);  // [PANEL, ld]: the panel transposed
    int8_t* q = reinterpret_cast<int8_t*>(arrays.take(PANEL * ldq / 4));
    for (int64_t panel = from; panel < to; ++panel) {
      const int64_t j0 = panel * PANEL, width = smaller(PANEL, m - j0);
      const T* source = w + j0 * stride_m;
      if (stride_k < stride_m) {
        for (int64_t j = 0; j < width; ++j)
          for (int64_t i = 0; i < k; ++i) columns[j * ld + i] = source[i * stride_k + j * stride_m].number();
      } else {
        for (int64_t i = 0; i < k; ++i)
          for (int64_t j = 0; j < width; ++j) columns[j * ld + i] = source[i * stride_k + j * stride_m].number();
      }
      memset(q, 0, static_cast<size_t>(PANEL * ldq));
      for (int64_t j = 0; j < PANEL; ++j) {
        int32_t unused;
        scales[j0 + j] = 0;
        if (j >= width) continue;
        mix(columns + j * ld, k);
        quantize_mixed(columns + j * ld, k, q + j * ldq, ldq, scales + j0 + j, &unused);
      }
      uint8_t* out = panels + panel * panel_bytes(k);
      for (int64_t g = 0; g < groups_of(k); ++g)
        for (int64_t j = 0; j < PANEL; ++j)
          for (int64_t d = 0; d < DEPTH; ++d) *out++ = static_cast<uint8_t>(q[j * ldq + g * DEPTH + d] + OFFSET);
    }
  });
}

void pack(const void* w, int64_t type, int64_t stride_k, int64_t stride_m, int64_t k, int64_t m, void* packed) {
  if (type == P4J_BFLOAT16) {
    pack_from(static_cast<const Bfloat16*>(w), stride_k, stride_m, k, m, packed);
  } else if (type == P4J_FLOAT16) {
    pack_from(static_cast<const Float16*>(w), stride_k, stride_m, k, m, packed);
  } else {
    pack_from(static_cast<const Float32*>(w), stride_k, stride_m, k, m, packed);
  }
}

// sums [R, PANEL] = a [R, groups * DEPTH] * the weights of a panel + OFFSET * sum(a).
template <int R>
void tile(const Activation* a, int64_t lda, const uint8_t* panel, int64_t groups, int32_t* sums_out) {
#if defined(__AVX512F__) || defined(__AVX2__)
  constexpr int CHAINS = R <= 2 ? 4 : R <= 4 ? 2 : 1;  // separate sums for every CHAINS-th group: less latency
  constexpr bool STREAM = R <= 8;                      // few rows: the panel comes from memory
  constexpr int64_t AHEAD = 2048;                      // bytes
#if defined(__AVX512F__)
  using V = __m512i;
#else
  using V = __m256i;
#endif
  I s[CHAINS][R][VECTORS];
  unroll<CHAINS>(P4J_UNROLLED(auto c) {
    unroll<R>(P4J_UNROLLED(auto r) { unroll<VECTORS>(P4J_UNROLLED(auto v) { s[c][r][v] = I{}; }); });
  });
  const auto step = P4J_UNROLLED(int64_t g, auto c) {
    V weights[VECTORS];
    unroll<VECTORS>(P4J_UNROLLED(auto v) {
      const uint8_t* p = panel + (g * VECTORS + v) * W * DEPTH;
#if defined(__AVX512VNNI__)
      weights[v] = _mm512_loadu_si512(p);
#elif defined(__AVX512F__)
      weights[v] = _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#else
      weights[v] = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#endif
    });
    if constexpr (STREAM) {
      for (int line = 0; line < PANEL * DEPTH; line += 64) __builtin_prefetch(panel + g * PANEL * DEPTH + AHEAD + line);
    }
    unroll<R>(P4J_UNROLLED(auto r) {
      int32_t factors;  // of DEPTH inputs
      memcpy(&factors, a + r * lda + g * DEPTH, sizeof factors);
      const V row = (V)all(factors);
      unroll<VECTORS>(P4J_UNROLLED(auto v) {
#if defined(__AVX512VNNI__)
        s[c][r][v] = (I)_mm512_dpbusd_epi32((V)s[c][r][v], weights[v], row);
#elif defined(__AVX512F__)
        s[c][r][v] += (I)_mm512_madd_epi16(weights[v], row);
#else
        s[c][r][v] += (I)_mm256_madd_epi16(weights[v], row);
#endif
      });
    });
  };
  int64_t g = 0;
  for (; g + CHAINS <= groups; g += CHAINS) unroll<CHAINS>(P4J_UNROLLED(auto c) { step(g + c, c); });
  for (; g < groups; ++g) step(g, Constant<0>{});
  unroll<R>(P4J_UNROLLED(auto r) {
    unroll<VECTORS>(P4J_UNROLLED(auto v) {
      I total = s[0][r][v];
      unroll<CHAINS - 1>(P4J_UNROLLED(auto c) { total += s[c + 1][r][v]; });
      memcpy(sums_out + r * PANEL + v * W, &total, sizeof total);
    });
  });
#else
  const int8_t* weights = reinterpret_cast<const int8_t*>(panel);
  int32_t s[R][PANEL] = {};
  for (int64_t g = 0; g < groups; ++g, weights += PANEL * DEPTH) {
    for (int r = 0; r < R; ++r) {
      const int32_t first = a[r * lda + g * DEPTH], second = a[r * lda + g * DEPTH + 1];
      for (int j = 0; j < PANEL; ++j) s[r][j] += first * weights[2 * j] + second * weights[2 * j + 1];
    }
  }
  memcpy(sums_out, s, sizeof s);
#endif
}

using Tile = void (*)(const Activation*, int64_t, const uint8_t*, int64_t, int32_t*);

template <int... r>
P4J_INLINE Tile tile_for(int64_t rows, std::integer_sequence<int, r...>) {
  static constexpr Tile tiles[] = {tile<r + 1>...};
  return tiles[rows - 1];
}

// A product; shared by its parts.
struct Product {
  p4j_q8_rows a;
  const Activation* rows;  // of a, as the instruction takes them
  int64_t ld;
  int64_t n, k, m;
  const float* scales;
  const uint8_t* panels;
  const float *bias, *residual;
  int64_t ldr;
  float* y;
  int64_t ldy;
};

// A panel's outputs for rows from .. to, computed from their sums [to - from, PANEL].
inline void write_out(const Product& p, int64_t from, int64_t to, int64_t panel, const int32_t* sums_in) {
  const int64_t j0 = panel * PANEL, width = smaller(PANEL, p.m - j0);
  F scales[VECTORS], biases[VECTORS];
  unroll<VECTORS>(P4J_UNROLLED(auto v) {
    const int64_t j = v * W, rest = width - j;
    scales[v] = load(p.scales + j0 + j);
    biases[v] = F{};
    if (p.bias != nullptr && rest > 0) biases[v] = rest >= W ? load(p.bias + j0 + j) : load(p.bias + j0 + j, Part{rest});
  });
  for (int64_t row = from; row < to; ++row, sums_in += PANEL) {
    const I too_large = all(OFFSET * p.a.sum[row]);
    const F scale = all(p.a.scale[row]);
    const float* residual = p.residual == nullptr ? nullptr : p.residual + row * p.ldr + j0;
    float* y = p.y + row * p.ldy + j0;
    unroll<VECTORS>(P4J_UNROLLED(auto v) {
      const int64_t j = v * W;
      I total;
      memcpy(&total, sums_in + j, sizeof total);
      const F result = number(total - too_large) * (scale * scales[v]) + biases[v];
      const auto write = P4J_UNROLLED(auto lanes) {
        store(y + j, residual == nullptr ? result : result + load(residual + j, lanes), lanes);
      };
      if (j + W <= width) {
        write(Full{});
      } else if (j < width) {
        write(Part{width - j});
      }
    });
  }
}

inline void multiply_part(const Product& p, int64_t first_row, int64_t last_row, int64_t first_panel, int64_t last_panel) {
  const int64_t rows = last_row - first_row, groups = groups_of(p.k), lda = p.ld;
  const Activation* a = p.rows + first_row * lda;
  const int64_t blocks = divide_up(rows, ROWS);
  for (int64_t panel = first_panel; panel < last_panel; ++panel) {
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t r0 = rows * block / blocks, r1 = rows * (block + 1) / blocks;
      alignas(64) int32_t sums_out[ROWS * PANEL];
      tile_for(r1 - r0, std::make_integer_sequence<int, ROWS>())(a + r0 * lda, lda, p.panels + panel * panel_bytes(p.k), groups,
                                                                 sums_out);
      write_out(p, first_row + r0, first_row + r1, panel, sums_out);
    }
  }
}

inline void widen(const int8_t* q, int64_t columns, int16_t* to, int64_t ld) {
  for (int64_t i = 0; i < columns; ++i) to[i] = q[i];
  for (int64_t i = columns; i < ld; ++i) to[i] = 0;
}

void matmul_q8(p4j_q8_rows a, int64_t n, const void* packed, int64_t k, int64_t m, int64_t first, int64_t count,
               const float* bias, const float* residual, int64_t ldr, float* y, int64_t ldy) {
  static_assert(64 % PANEL == 0);
  const float* scales = static_cast<const float*>(packed) + first;
  const uint8_t* bytes = static_cast<const uint8_t*>(packed) + scale_bytes(m) + first / PANEL * panel_bytes(k);
  if (n <= 0 || count <= 0) return;
#if defined(__AVX512VNNI__)
  const int8_t* rows = a.q;
  const int64_t ld = a.ld;
#else
  const int64_t ld = round_up(k, 2 * W);
  int16_t* rows = reinterpret_cast<int16_t*>(Arrays(call_slot, Arrays::floats(n * ld / 2)).take(n * ld / 2));
  parallel(n, rows_at_once(k), [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) widen(a.q + row * a.ld, k, rows + row * ld, ld);
  });
#endif
  const Product p{a, rows, ld, n, k, count, scales, bytes, bias, residual, ldr, y, ldy};
  // Rows in equal chunks that fit in the L2 cache. Panels in spans that are long enough to be worth fetching from the counter
  // and short enough to balance the load between cores of different speed.
  constexpr int64_t cache = 384 * 1024, span_products = 16 * 1024 * 1024, span_bytes = 64 * 1024;
  const int64_t chunks = divide_up(n, larger(ROWS, cache / larger(1, k * static_cast<int64_t>(sizeof(Activation)))));
  const int64_t panels = panels_of(count), chunk_rows = divide_up(n, chunks);
  const int64_t worth = larger(span_products / (chunk_rows * panel_bytes(k)), 1);
  const int64_t span = larger(1, smaller(worth, smaller(larger(1, panels / 16), larger(1, 8 * span_bytes / panel_bytes(k)))));
  const int64_t spans = divide_up(panels, span);
  parallel(chunks * spans, 1, [&](int64_t from, int64_t to) {
    for (int64_t part = from; part < to; ++part) {
      const int64_t chunk = part / spans, first_panel = part % spans * span;
      multiply_part(p, n * chunk / chunks, n * (chunk + 1) / chunks, first_panel, smaller(panels, first_panel + span));
    }
  });
}

}  // namespace
}  // namespace p4j
#endif
