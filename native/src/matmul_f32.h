// float32 matrix products y [N, M] = x [N, K] * w [K, M] (+ bias + residual).
//
// The order of sums is the same whatever the shape and the company: an output begins with bias + residual and adds its inputs
// one by one, in order. So a row's results are bit-identical alone and among others, and however the work is divided.
//
// Weights are in the layout of the checkpoint, or in strips: STRIP outputs with all their inputs, strip after strip, which is
// the order in which few rows read them. There are two algorithms, with bit-identical results:
//
//   streamed   few rows: every weight is used only a few times, so reading it dominates. Each strip is read from its first
//              input to its last, with the sums in registers; weights are read from memory once. In place, the weights of an
//              input must be adjacent.
//   blocked    many rows: rows of x are packed once, in panels of STRIP_ROWS; a strip of weights is kept in the L2 cache and
//              multiplied with all panels.
#ifndef P4J_MATMUL_F32_H
#define P4J_MATMUL_F32_H

#include "gemm_f32.h"
#include "rows.h"

namespace p4j {
namespace {

// A tile that up to 12 rows fill with one pass over the weights, where there are 32 registers.
constexpr int STRIP_ROWS = W == 16 ? 12 : W == 8 ? 6 : 4, STRIP_VECTORS = 2;
constexpr int64_t STRIP = STRIP_VECTORS * W;

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

// A product; shared by its parts.
struct FloatProduct {
  const float* x;
  int64_t ldx, n;
  const float* w;
  int64_t stride_k, stride_m;  // 0: w is in strips
  int64_t k, m;
  const float *bias, *residual;
  int64_t ldr;
  float* y;
  int64_t ldy;

  bool in_strips() const { return stride_m == 0; }

  // Whether the weights of an input are adjacent.
  bool streams() const { return in_strips() || stride_m == 1; }

  // Weights of the outputs from j on, a multiple of STRIP, for the inputs from l on; the next input is step() further.
  const float* weights(int64_t j, int64_t l) const { return in_strips() ? w + j * k + l * STRIP : w + l * stride_k + j; }
  int64_t step() const { return in_strips() ? STRIP : stride_k; }

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

// A tile of y whose last vector is partial: computed in scratch [STRIP_ROWS, STRIP], then copied to y.
struct Edge {
  float* scratch;

  template <class Work>
  void work(float* y, int64_t ldy, int64_t rows, int64_t width, const Work& add_to) const {
    for (int64_t r = 0; r < rows; ++r)
      each(width, [&](int64_t c, auto lanes) { store(scratch + r * STRIP + c, load(y + r * ldy + c, lanes)); });
    add_to(scratch, STRIP);
    write_rows(scratch, STRIP, rows, width, 1, y, ldy);
  }
};

// to [inputs, STRIP] = weights from (row l, column j) on, `width` columns wide; the rest of the last vector is zeroed.
inline void copy_strip(const float* from, int64_t stride_k, int64_t stride_m, int64_t inputs, int64_t width, float* to) {
  if (stride_m == 1) {
    for (int64_t l = 0; l < inputs; ++l)
      each(width, [&](int64_t c, auto lanes) { store(to + l * STRIP + c, load(from + l * stride_k + c, lanes)); });
  } else {
    transpose_rows(from, stride_m, width, inputs, to, STRIP);
  }
}

int64_t packed_floats(int64_t k, int64_t m) { return k * round_up(m, 64); }

void pack_f32(const float* w, int64_t stride_k, int64_t stride_m, int64_t k, int64_t m, float* packed) {
  parallel(divide_up(m, STRIP), 1, [&](int64_t from, int64_t to) {
    for (int64_t strip = from; strip < to; ++strip) {
      const int64_t j = strip * STRIP, width = smaller(STRIP, m - j);
      if (width < STRIP) memset(packed + j * k, 0, static_cast<size_t>(k * STRIP) * sizeof(float));
      copy_strip(w + j * stride_m, stride_k, stride_m, k, width, packed + j * k);
    }
  });
}

// R rows of V vectors of y += inputs 0 .. depth, sums in registers. The weights `ahead` floats further on are fetched, if it is
// not 0. Of the strip that comes next, the cache lines `line`, `line + every`, ... are fetched.
template <int R, int V>
void stream_tile(const float* x, int64_t ldx, const float* w, int64_t step, int64_t depth, float* y, int64_t ldy, int64_t ahead,
                 const float* next_strip, int64_t line, int64_t every) {
  constexpr int64_t LINE = 16;  // floats
  F s[R][V];
  unroll<R>(P4J_UNROLLED(auto r) { unroll<V>(P4J_UNROLLED(auto v) { s[r][v] = load(y + r * ldy + v * W); }); });
  for (int64_t l = 0; l < depth; ++l, w += step) {
    if (ahead != 0) {
      for (int64_t c = 0; c < V * W; c += LINE) __builtin_prefetch(w + ahead + c);
    }
    if (next_strip != nullptr) {
      for (int64_t c = line * LINE; c < STRIP; c += every * LINE) __builtin_prefetch(next_strip + c, 0, 2);
      next_strip += step;
    }
    F row_of_w[V];
    unroll<V>(P4J_UNROLLED(auto v) { row_of_w[v] = load(w + v * W); });
    unroll<R>(P4J_UNROLLED(auto r) {
      const F factor = all(x[r * ldx + l]);
      unroll<V>(P4J_UNROLLED(auto v) { s[r][v] = factor * row_of_w[v] + s[r][v]; });
    });
  }
  unroll<R>(P4J_UNROLLED(auto r) { unroll<V>(P4J_UNROLLED(auto v) { store(y + r * ldy + v * W, s[r][v]); }); });
}

using StreamTile = void (*)(const float*, int64_t, const float*, int64_t, int64_t, float*, int64_t, int64_t, const float*,
                            int64_t, int64_t);

template <int... i>
P4J_INLINE StreamTile stream_tile_for(int64_t rows, int64_t vectors, std::integer_sequence<int, i...>) {
  static constexpr StreamTile tiles[] = {stream_tile<i / STRIP_VECTORS + 1, i % STRIP_VECTORS + 1>...};
  return tiles[(rows - 1) * STRIP_VECTORS + vectors - 1];
}

P4J_INLINE StreamTile stream_tile_for(int64_t rows, int64_t vectors) {
  return stream_tile_for(rows, vectors, std::make_integer_sequence<int, STRIP_ROWS * STRIP_VECTORS>());
}

// The last strip, if its last vector is partial.
inline void stream_edge(const FloatProduct& p, int64_t j) {
  const int64_t width = p.m - j, vectors = divide_up(width, W), blocks = divide_up(p.n, STRIP_ROWS);
  Arrays arrays(work_slot, Arrays::floats(p.k * STRIP) + Arrays::floats(STRIP_ROWS * STRIP));
  float* copied = arrays.take(p.k * STRIP);
  const Edge edge{arrays.take(STRIP_ROWS * STRIP)};
  if (!p.in_strips()) copy_strip(p.weights(j, 0), p.stride_k, 1, p.k, width, copied);
  const float* weights = p.in_strips() ? p.weights(j, 0) : copied;
  p.begin(0, p.n, j, p.m);
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t row = p.n * block / blocks, rows = p.n * (block + 1) / blocks - row;
    edge.work(p.y + row * p.ldy + j, p.ldy, rows, width, [&](float* y, int64_t ldy) {
      stream_tile_for(rows, vectors)(p.x + row * p.ldx, p.ldx, weights, STRIP, p.k, y, ldy, 0, nullptr, 0, 1);
    });
  }
}

inline void stream(const FloatProduct& p) {
  constexpr int64_t most_together = 256 / STRIP, most_depth = 1024;  // strips per part; inputs per unit
  const int64_t strips = divide_up(p.m, STRIP), together = larger(1, smaller(most_together, strips / 12));
  const int64_t parts = divide_up(strips, together), slices = larger(1, divide_up(p.k, most_depth));
  const int64_t blocks = divide_up(p.n, STRIP_ROWS);
  // Weights that are used once, by few rows, are read sequentially. The hardware prefetches only up to the end of a page, so
  // they are fetched from further ahead: 3 KB in strips, 24 inputs in place.
  const bool once = blocks == 1;
  const int64_t far = p.in_strips() ? 768 : 24 * p.step();
  parallel(parts, 1, [&](int64_t from, int64_t to) {
    for (int64_t part = from; part < to; ++part) {
      const int64_t first = strips * part / parts, last = strips * (part + 1) / parts, units = (last - first) * slices;
      const auto column = [&](int64_t unit) { return (first + unit / slices) * STRIP; };
      const auto input = [&](int64_t slice) { return p.k * slice / slices; };
      for (int64_t unit = 0; unit < units; ++unit) {
        const int64_t j = column(unit), slice = unit % slices, width = smaller(STRIP, p.m - j);
        if (width % W != 0) {
          if (slice == 0) stream_edge(p, j);
          continue;
        }
        if (slice == 0) p.begin(0, p.n, j, j + width);
        const bool another = unit + 1 < units && column(unit + 1) + STRIP <= p.m;
        const float* next = another ? p.weights(column(unit + 1), input((unit + 1) % slices)) : nullptr;
        const int64_t l = input(slice), depth = input(slice + 1) - l;
        for (int64_t block = 0; block < blocks; ++block) {
          const int64_t row = p.n * block / blocks, rows = p.n * (block + 1) / blocks - row;
          const int64_t ahead = once ? far : unit == 0 && block == 0 ? 12 * p.step() : 0;
          stream_tile_for(rows, width / W)(p.x + row * p.ldx + l, p.ldx, p.weights(j, l), p.step(), depth,
                                           p.y + row * p.ldy + j, p.ldy, ahead, once ? nullptr : next, block, blocks);
        }
      }
    }
  });
}

inline void blocked(const FloatProduct& p) {
  constexpr int64_t most_depth = 768, most_rows = 384;
  const int64_t depth = divide_up(p.k, larger(1, divide_up(p.k, most_depth)));
  const int64_t panels = divide_up(p.n, STRIP_ROWS), strips = divide_up(p.m, STRIP);
  // packed [panels, k, STRIP_ROWS]
  float* packed = Arrays(call_slot, Arrays::floats(panels * p.k * STRIP_ROWS)).take(panels * p.k * STRIP_ROWS);
  parallel(panels, 4, [&](int64_t from, int64_t to) {
    for (int64_t panel = from; panel < to; ++panel) {
      const int64_t row = panel * STRIP_ROWS, rows = smaller(STRIP_ROWS, p.n - row);
      float* out = packed + panel * p.k * STRIP_ROWS;
      for (int64_t r = 0; r < STRIP_ROWS; ++r) {
        const float* in = p.x + (row + r) * p.ldx;
        for (int64_t i = 0; i < p.k; ++i) out[i * STRIP_ROWS + r] = r < rows ? in[i] : 0.0f;
      }
    }
  });
  const int64_t chunks = divide_up(panels * STRIP_ROWS, most_rows);
  parallel(chunks * strips, 1, [&](int64_t from, int64_t to) {
    Arrays arrays(work_slot, Arrays::floats(depth * STRIP) + Arrays::floats(STRIP_ROWS * STRIP));
    float* copied = arrays.take(depth * STRIP);  // [depth, STRIP]
    const Edge edge{arrays.take(STRIP_ROWS * STRIP)};
    for (int64_t part = from; part < to; ++part) {
      const int64_t chunk = part % chunks, j = part / chunks * STRIP, width = smaller(STRIP, p.m - j);
      const int64_t first = panels * chunk / chunks, last = panels * (chunk + 1) / chunks;
      const int64_t vectors = divide_up(width, W);
      p.begin(first * STRIP_ROWS, smaller(p.n, last * STRIP_ROWS), j, j + width);
      for (int64_t k0 = 0; k0 < p.k; k0 += depth) {
        const int64_t deep = smaller(depth, p.k - k0);
        if (!p.in_strips()) {
          copy_strip(p.w + k0 * p.stride_k + j * p.stride_m, p.stride_k, p.stride_m, deep, width, copied);
        }
        const float* weights = p.in_strips() ? p.weights(j, k0) : copied;
        for (int64_t panel = first; panel < last; ++panel) {
          const int64_t row = panel * STRIP_ROWS, rows = smaller(STRIP_ROWS, p.n - row);
          const float* a = packed + (panel * p.k + k0) * STRIP_ROWS;
          const FloatTile tile = float_tile_for<true, STRIP_ROWS, STRIP_VECTORS>(rows, vectors);
          float* y = p.y + row * p.ldy + j;
          if (width % W == 0) {
            tile(a, STRIP_ROWS, weights, STRIP, deep, y, p.ldy, true);
          } else {
            edge.work(y, p.ldy, rows, width,
                      [&](float* to_add, int64_t ld) { tile(a, STRIP_ROWS, weights, STRIP, deep, to_add, ld, true); });
          }
        }
      }
    }
  });
}

inline void multiply(const FloatProduct& p) {
  constexpr int64_t few = 40;
  if (p.n <= 0 || p.m <= 0) return;
  if (p.n <= few && p.streams()) {
    stream(p);
  } else {
    blocked(p);
  }
}

void matmul_f32(const float* x, int64_t ldx, int64_t n, const float* w, int64_t stride_k, int64_t stride_m, int64_t k,
                int64_t m, const float* bias, const float* residual, int64_t ldr, float* y, int64_t ldy) {
  multiply({x, ldx, n, w, stride_k, stride_m, k, m, bias, residual, ldr, y, ldy});
}

void matmul_packed_f32(const float* x, int64_t ldx, int64_t n, const float* packed, int64_t k, int64_t first, int64_t count,
                       const float* bias, const float* residual, int64_t ldr, float* y, int64_t ldy) {
  multiply({x, ldx, n, packed + first * k, 0, 0, k, count, bias, residual, ldr, y, ldy});
}

}  // namespace
}  // namespace p4j
#endif
