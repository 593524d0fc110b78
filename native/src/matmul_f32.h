// float32 matrix product y [N, M] = x [N, K] * w [K, M] with a weight matrix that lies as the checkpoint has it.
//
// Nothing is packed ahead of time: weights stay mapped from their file, and both directions read the same ones. What
// limits the product depends on the number of rows:
//
//   few rows   every weight is used a few times only, so reading it is what takes time. Where outputs lie side by side
//              (stride_m = 1), strips of STRIP outputs go down the matrix with their sums in registers; where inputs do
//              (stride_k = 1), the scalar products of some rows of x with some of w. Weights come from memory once.
//   many rows  rows of x are packed once, in panels of TILE_ROWS; a strip of weights is packed into the second-level cache
//              and all panels pass by it.
//
// Sums run over k in an order that the shape alone determines.
#ifndef P4J_MATMUL_F32_H
#define P4J_MATMUL_F32_H

#include "gemm_f32.h"
#include "rows.h"

namespace p4j {
namespace {

constexpr int64_t STRIP = TILE_VECTORS * W;

// to [width, ldto] = the transpose of from [rows, width]; columns up to a multiple of W are zeroed.
inline void transpose_rows(const float* from, int64_t ldfrom, int64_t rows, int64_t width, float* to, int64_t ldto) {
  for (int64_t i = 0; i < rows; i += W) {
    const int64_t high = smaller(W, rows - i);
    each(width, [&](int64_t j, auto lanes) {
      F v[W];
      unroll<W>(P4J_UNROLLED(auto l) { v[l] = l < high ? load(from + (i + l) * ldfrom + j, lanes) : F{}; });
      transpose(v);
      const int64_t wide = smaller(W, width - j);
      unroll<W>(P4J_UNROLLED(auto l) {
        if (l < wide) store(to + (j + l) * ldto + i, v[l]);
      });
    });
  }
}

// Everything about one product that its parts share.
struct FloatProduct {
  const float* x;
  int64_t ldx, n;
  const float* w;
  int64_t stride_k, stride_m, k, m;
  const float *bias, *residual;
  int64_t ldr;
  float* y;
  int64_t ldy;

  // y = bias + residual, rows from .. to, columns j0 .. j1.
  void begin(int64_t from, int64_t to, int64_t j0, int64_t j1) const {
    for (int64_t row = from; row < to; ++row) {
      each(j1 - j0, [&](int64_t i, auto lanes) {
        const int64_t j = j0 + i;
        const F plus = bias == nullptr ? F{} : load(bias + j, lanes);
        store(y + row * ldy + j, residual == nullptr ? plus : plus + load(residual + row * ldr + j, lanes), lanes);
      });
    }
  }
};

// A place in memory that is fetched bit by bit while other work goes on: `lines` cache lines at each step.
struct Ahead {
  const char* next;
  int64_t lines;

  P4J_INLINE void step() {
    for (int64_t i = 0; i < lines; ++i, next += 64) __builtin_prefetch(next, 0, 2);
  }
};

// For few rows, stride_m = 1: R rows of V vectors of outputs += inputs l0 .. l1, sums in registers. `cold`: the weights are
// not in the second-level cache yet. Of the strip that comes next, the cache lines `line`, `line + every`, … are fetched.
template <int R, int V>
void stream_tile(const FloatProduct& p, int64_t row, int64_t j, int64_t l0, int64_t l1, bool cold, const float* next_strip,
                 int64_t line, int64_t every) {
  constexpr int64_t AHEAD = 12;  // rows of w
  constexpr int64_t LINE = 16;   // numbers
  F s[R][V];
  unroll<R>(P4J_UNROLLED(auto r) {
    unroll<V>(P4J_UNROLLED(auto v) { s[r][v] = load(p.y + (row + r) * p.ldy + j + v * W); });
  });
  const float* x = p.x + row * p.ldx;
  const float* w = p.w + l0 * p.stride_k + j;
  for (int64_t l = l0; l < l1; ++l, w += p.stride_k) {
    if (cold) {
      for (int64_t c = 0; c < V * W; c += LINE) __builtin_prefetch(w + (l + AHEAD < l1 ? AHEAD : 0) * p.stride_k + c);
    }
    if (next_strip != nullptr) {
      for (int64_t c = line * LINE; c < STRIP; c += every * LINE) __builtin_prefetch(next_strip + c, 0, 2);
      next_strip += p.stride_k;
    }
    F row_of_w[V];
    unroll<V>(P4J_UNROLLED(auto v) { row_of_w[v] = load(w + v * W); });
    unroll<R>(P4J_UNROLLED(auto r) {
      const F factor = all(x[r * p.ldx + l]);
      unroll<V>(P4J_UNROLLED(auto v) { s[r][v] = factor * row_of_w[v] + s[r][v]; });
    });
  }
  unroll<R>(P4J_UNROLLED(auto r) {
    unroll<V>(P4J_UNROLLED(auto v) { store(p.y + (row + r) * p.ldy + j + v * W, s[r][v]); });
  });
}

using StreamTile = void (*)(const FloatProduct&, int64_t, int64_t, int64_t, int64_t, bool, const float*, int64_t, int64_t);

template <int... i>
P4J_INLINE StreamTile stream_tile_for(int64_t rows, int64_t vectors, std::integer_sequence<int, i...>) {
  static constexpr StreamTile tiles[] = {stream_tile<i / TILE_VECTORS + 1, i % TILE_VECTORS + 1>...};
  return tiles[(rows - 1) * TILE_VECTORS + vectors - 1];
}

// The last outputs, fewer than a vector: [n, edge] from a copy of their weights with zeros behind them.
inline void stream_edge(const FloatProduct& p, int64_t whole) {
  const int64_t edge = p.m - whole;
  Arrays arrays(work_slot, Arrays::floats(p.k * W) + Arrays::floats(p.n * W));
  float* weights = arrays.take(p.k * W);  // [k, W]
  float* result = arrays.take(p.n * W);   // [n, W]
  for (int64_t l = 0; l < p.k; ++l) store(weights + l * W, load(p.w + l * p.stride_k + whole, Part{edge}));
  float_product<false>(p.n, W, p.k, p.x, p.ldx, weights, W, result, W, false);
  p.begin(0, p.n, whole, p.m);
  for (int64_t row = 0; row < p.n; ++row) {
    float* y = p.y + row * p.ldy + whole;
    store(y, load(result + row * W) + load(y, Part{edge}), Part{edge});
  }
}

inline void stream(const FloatProduct& p) {
  constexpr int64_t together = 4, most_depth = 1024;  // strips that one thread takes; inputs whose strip is one unit
  const int64_t whole = p.m / W * W, strips = divide_up(whole, STRIP), parts = divide_up(strips, together);
  const int64_t slices = larger(1, divide_up(p.k, most_depth)), blocks = divide_up(p.n, TILE_ROWS);
  parallel(parts + (whole < p.m ? 1 : 0), 1, [&](int64_t from, int64_t to) {
    for (int64_t part = from; part < to; ++part) {
      if (part == parts) {
        stream_edge(p, whole);
        continue;
      }
      const int64_t first = strips * part / parts, last = strips * (part + 1) / parts, units = (last - first) * slices;
      for (int64_t unit = 0; unit < units; ++unit) {
        const auto column = [&](int64_t u) { return (first + u / slices) * STRIP; };
        const auto input = [&](int64_t slice) { return p.k * slice / slices; };
        const int64_t j = column(unit), slice = unit % slices, vectors = smaller(STRIP, whole - j) / W;
        if (slice == 0) p.begin(0, p.n, j, j + vectors * W);
        const float* next =
            unit + 1 < units ? p.w + input((unit + 1) % slices) * p.stride_k + column(unit + 1) : nullptr;
        for (int64_t block = 0; block < blocks; ++block) {
          const int64_t row = p.n * block / blocks, rows = p.n * (block + 1) / blocks - row;
          stream_tile_for(rows, vectors, std::make_integer_sequence<int, TILE_ROWS * TILE_VECTORS>())(
              p, row, j, input(slice), input(slice + 1), unit == 0 && block == 0, next, block, blocks);
        }
      }
    }
  });
}

// For few rows, stride_k = 1: scalar products of R rows of x and W / R rows of w; one vector holds all W results.
template <int R>
void dot_tile(const FloatProduct& p, int64_t row, int64_t j, Ahead& ahead) {
  constexpr int J = W / R;
  const float* w[J];
  unroll<J>(P4J_UNROLLED(auto o) { w[o] = p.w + smaller(j + o, p.m - 1) * p.stride_m; });
  const float* x = p.x + row * p.ldx;
  F s[W];
  unroll<W>(P4J_UNROLLED(auto i) { s[i] = F{}; });
  each(p.k, [&](int64_t i, auto lanes) {
    ahead.step();
    F rows[R];
    unroll<R>(P4J_UNROLLED(auto r) { rows[r] = load(x + r * p.ldx + i, lanes); });
    unroll<J>(P4J_UNROLLED(auto o) {
      const F weights = load(w[o] + i, lanes);
      unroll<R>(P4J_UNROLLED(auto r) { s[o * R + r] = rows[r] * weights + s[o * R + r]; });
    });
  });
  const F results = sums(s);
  for (int64_t o = 0; o < smaller(J, p.m - j); ++o) {
    for (int64_t r = 0; r < R; ++r) {
      const int64_t at = (row + r) * p.ldy + j + o;
      const float plus = p.bias == nullptr ? 0 : p.bias[j + o];
      p.y[at] = results[o * R + r] + (p.residual == nullptr ? plus : plus + p.residual[(row + r) * p.ldr + j + o]);
    }
  }
}

inline void dots(const FloatProduct& p) {
  constexpr int MOST = W >= 16 ? 4 : W >= 8 ? 2 : 1;  // rows of x at once
  const int64_t groups = divide_up(p.m, W);           // a group of outputs is worked on by one thread, for all rows
  const int64_t group_lines = divide_up(W * p.stride_m, 16), tiles = divide_up(p.n, MOST) * MOST;
  const int64_t lines = divide_up(group_lines, larger(1, tiles * divide_up(p.k, W)));
  parallel(groups, smaller(32, larger(1, 262144 / larger(1, p.k * W))), [&](int64_t from, int64_t to) {
    for (int64_t group = from; group < to; ++group) {
      const int64_t j0 = group * W, j1 = smaller(p.m, j0 + W);
      Ahead ahead{reinterpret_cast<const char*>(p.w + j1 * p.stride_m), group + 1 < to ? lines : 0};
      int64_t row = 0;
      const auto rows = P4J_UNROLLED(auto count) {
        for (int64_t j = j0; j < j1; j += W / count) dot_tile<count>(p, row, j, ahead);
        row += count;
      };
      while (row + MOST <= p.n) rows(Constant<MOST>{});
      if constexpr (MOST > 2) {
        if (row + 2 <= p.n) rows(Constant<2>{});
      }
      while (row < p.n) rows(Constant<1>{});
    }
  });
}

inline void blocked(const FloatProduct& p) {
  constexpr int64_t most_depth = 768, most_rows = 384;
  const int64_t depth = divide_up(p.k, larger(1, divide_up(p.k, most_depth)));
  const int64_t panels = divide_up(p.n, TILE_ROWS), strips = divide_up(p.m, STRIP);
  // packed [panels, k, TILE_ROWS]
  float* packed = Arrays(call_slot, Arrays::floats(panels * p.k * TILE_ROWS)).take(panels * p.k * TILE_ROWS);
  parallel(panels, 4, [&](int64_t from, int64_t to) {
    for (int64_t panel = from; panel < to; ++panel) {
      const int64_t row = panel * TILE_ROWS, rows = smaller(TILE_ROWS, p.n - row);
      float* out = packed + panel * p.k * TILE_ROWS;
      for (int64_t r = 0; r < TILE_ROWS; ++r) {
        const float* in = p.x + (row + r) * p.ldx;
        for (int64_t i = 0; i < p.k; ++i) out[i * TILE_ROWS + r] = r < rows ? in[i] : 0.0f;
      }
    }
  });
  const int64_t chunks = divide_up(panels * TILE_ROWS, most_rows);
  parallel(chunks * strips, 1, [&](int64_t from, int64_t to) {
    Arrays arrays(work_slot, Arrays::floats(depth * STRIP) + Arrays::floats(TILE_ROWS * STRIP));
    float* weights = arrays.take(depth * STRIP);    // [depth, STRIP]
    float* edge = arrays.take(TILE_ROWS * STRIP);   // [TILE_ROWS, STRIP], of the last outputs
    for (int64_t part = from; part < to; ++part) {
      const int64_t chunk = part % chunks, j = part / chunks * STRIP, width = smaller(STRIP, p.m - j);
      const int64_t first = panels * chunk / chunks, last = panels * (chunk + 1) / chunks;
      const int64_t vectors = divide_up(width, W);
      const bool whole = width % W == 0;
      p.begin(first * TILE_ROWS, smaller(p.n, last * TILE_ROWS), j, j + width);
      for (int64_t k0 = 0; k0 < p.k; k0 += depth) {
        const int64_t deep = smaller(depth, p.k - k0);
        const float* source = p.w + k0 * p.stride_k + j * p.stride_m;
        if (p.stride_m == 1) {
          for (int64_t i = 0; i < deep; ++i)
            each(width, [&](int64_t c, auto lanes) { store(weights + i * STRIP + c, load(source + i * p.stride_k + c, lanes)); });
        } else {
          transpose_rows(source, p.stride_m, width, deep, weights, STRIP);
        }
        for (int64_t panel = first; panel < last; ++panel) {
          const int64_t row = panel * TILE_ROWS, rows = smaller(TILE_ROWS, p.n - row);
          const float* a = packed + (panel * p.k + k0) * TILE_ROWS;
          const FloatTile tile =
              float_tile_for<true>(rows, vectors, std::make_integer_sequence<int, TILE_ROWS * TILE_VECTORS>());
          float* y = p.y + row * p.ldy + j;
          if (whole) {
            tile(a, TILE_ROWS, weights, STRIP, deep, y, p.ldy, true);
          } else {
            tile(a, TILE_ROWS, weights, STRIP, deep, edge, STRIP, false);
            for (int64_t r = 0; r < rows; ++r) {
              each(width, [&](int64_t c, auto lanes) {
                store(y + r * p.ldy + c, load(edge + r * STRIP + c) + load(y + r * p.ldy + c, lanes), lanes);
              });
            }
          }
        }
      }
    }
  });
}

void matmul_f32(const float* x, int64_t ldx, int64_t n, const float* w, int64_t stride_k, int64_t stride_m, int64_t k, int64_t m,
                const float* bias, const float* residual, int64_t ldr, float* y, int64_t ldy) {
  constexpr int64_t few = 40;
  const FloatProduct p{x, ldx, n, w, stride_k, stride_m, k, m, bias, residual, ldr, y, ldy};
  if (n <= 0 || m <= 0) return;
  if (n > few) {
    blocked(p);
  } else if (stride_m == 1) {
    stream(p);
  } else {
    dots(p);
  }
}

}  // namespace
}  // namespace p4j
#endif
