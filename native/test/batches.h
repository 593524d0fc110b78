// Batches of rows with segments of keys and values, and attention to them in double precision.
#ifndef P4J_TEST_BATCHES_H
#define P4J_TEST_BATCHES_H

#include "check.h"

namespace {

// Keys and values of two layers with gaps between their rows, and gradients in the same layout; only layer 1 is used.
struct KeysValues {
  int64_t length, columns, ld, layer_stride;
  bool wanted;  // whether a gradient is needed
  Floats k, v, dk, dv, turn;

  KeysValues(int64_t n, int64_t width, bool gradient, float before)
      : length(n),
        columns(width),
        ld(2 * width + 3),
        layer_stride(n * ld + 5),
        wanted(gradient),
        k(normals(2 * layer_stride)),
        v(normals(2 * layer_stride)),
        dk(k.size(), before),
        dv(k.size(), before) {}

  size_t place(int64_t key, int64_t column) const { return at(layer_stride + key * ld + column); }
};

// A batch: every row sees some of the shared keys and values, in its own order, then its own tokens.
struct Batch {
  int64_t H, Hk, D, rotary, ldq, ldy;
  float scale;
  std::vector<KeysValues> shared, own;
  struct Sight {
    int64_t shared, from;
  };
  std::vector<std::vector<Sight>> sights;
  std::vector<int64_t> qoffsets = {0};
  std::vector<int32_t> positions;
  Floats q;

  // rotated: with rotations; some: not every token has a query; inside: some segments are seen only from the middle on
  Batch(std::vector<int64_t> lengths, int64_t heads, int64_t key_heads, int64_t width, std::vector<int64_t> lengths_of_shared,
        bool rotated, bool some, bool inside)
      : H(heads),
        Hk(key_heads),
        D(width),
        rotary(rotated ? width / 4 * 2 : 0),
        ldq(heads * width + 3),
        ldy(heads * width + 8),
        scale(static_cast<float>(1 / sqrt(static_cast<double>(width)))) {
    const int64_t rows = static_cast<int64_t>(lengths.size());
    for (size_t i = 0; i < lengths_of_shared.size(); ++i) {
      shared.emplace_back(lengths_of_shared[i], Hk * D, i % 3 != 1, 0.25f);
      if (rotated && i % 2 == 0) {
        for (int part = 0; part < 2; ++part)
          for (int64_t pair = 0; pair < rotary / 2; ++pair) {
            const double angle = static_cast<double>(i + 1) * pow(10, -static_cast<double>(pair));
            shared.back().turn.push_back(static_cast<float>(part == 0 ? cos(angle) : sin(angle)));
          }
      }
    }
    for (int64_t b = 0; b < rows; ++b) {
      own.emplace_back(lengths[at(b)], Hk * D, true, untouched);
      sights.emplace_back();
      for (size_t i = 0; i < shared.size(); ++i)  // the first rows see all, others the even ones
        if (b < (rows + 1) / 2 || i % 2 == 0)
          sights.back().push_back({static_cast<int64_t>(i), inside && i % 2 == 0 ? lengths[at(b)] / 2 : 0});
      int64_t taken = 0;
      for (int64_t t = 0; t < lengths[at(b)]; ++t)
        if (!some || (t > lengths[at(b)] / 3 && random_numbers.below(3) != 0))
          positions.push_back(static_cast<int32_t>(t)), ++taken;
      qoffsets.push_back(qoffsets.back() + taken);
    }
    q = normals(qoffsets.back() * ldq);
  }

  int64_t rows() const { return static_cast<int64_t>(own.size()); }

  // ---- the expected results, in double precision

  struct Key {
    const KeysValues* of;
    int64_t key;
    bool hidden;
  };

  std::vector<Key> keys(int64_t b, int64_t position) const {
    std::vector<Key> all;
    for (const Sight& sight : sights[at(b)])
      for (int64_t j = 0; j < shared[at(sight.shared)].length; ++j)
        all.push_back({&shared[at(sight.shared)], j, position < sight.from});
    for (int64_t j = 0; j <= position; ++j) all.push_back({&own[at(b)], j, false});
    return all;
  }

  // A head of a query, rotated as some keys and values are seen; sign -1: its gradient, rotated back.
  Doubles turned(Doubles x, const KeysValues& of, double sign) const {
    const int64_t half = rotary / 2;
    if (of.turn.empty()) return x;
    for (int64_t i = 0; i < half; ++i) {
      const double c = of.turn[at(i)], s = sign * of.turn[at(half + i)], a = x[at(i)], b = x[at(half + i)];
      x[at(i)] = a * c - b * s;
      x[at(half + i)] = b * c + a * s;
    }
    return x;
  }

  Doubles head(const Floats& x, int64_t start) const { return Doubles(x.begin() + start, x.begin() + start + D); }

  // y [H * D] of a query row and lse [H]; with dy also the gradients, added to dq [ldq] and the maps
  struct Gradients {
    Doubles dq;
    std::vector<std::pair<const KeysValues*, std::pair<Doubles, Doubles>>> of;
    Doubles& dk(const KeysValues* x) { return find(x).first; }
    Doubles& dv(const KeysValues* x) { return find(x).second; }
    std::pair<Doubles, Doubles>& find(const KeysValues* x) {
      for (auto& entry : of)
        if (entry.first == x) return entry.second;
      of.push_back({x, {Doubles(x->k.size()), Doubles(x->k.size())}});
      return of.back().second;
    }
  };

  void query(int64_t b, int64_t r, const float* dy, Doubles* y, Doubles* lse, Gradients* gradients) const {
    const std::vector<Key> all = keys(b, positions[at(r)]);
    for (int64_t h = 0; h < H; ++h) {
      const int64_t column = h * Hk / H * D;
      Doubles s;
      double top = -INFINITY, total = 0;
      const KeysValues* last = nullptr;
      Doubles from;
      for (const Key& key : all) {
        if (key.of != last) from = turned(head(q, r * ldq + h * D), *(last = key.of), 1);
        double score = 0;
        for (int64_t d = 0; d < D; ++d) score += from[at(d)] * key.of->k[key.of->place(key.key, column + d)];
        s.push_back(key.hidden ? -INFINITY : score * scale);
        top = std::max(top, s.back());
      }
      for (double& x : s) total += x = exp(x - top);
      for (size_t j = 0; j < all.size(); ++j)
        for (int64_t d = 0; d < D; ++d)
          (*y)[at(h * D + d)] += s[j] / total * all[j].of->v[all[j].of->place(all[j].key, column + d)];
      if (lse != nullptr) lse->push_back(top + log(total));
      if (gradients == nullptr) continue;
      double delta = 0;
      for (int64_t d = 0; d < D; ++d) delta += dy[h * D + d] * (*y)[at(h * D + d)];
      last = nullptr;
      Doubles back;
      const auto bring_back = [&] {
        if (last != nullptr) back = turned(back, *last, -1);
        for (int64_t d = 0; d < D && last != nullptr; ++d) gradients->dq[at(r * ldq + h * D + d)] += back[at(d)];
      };
      for (size_t j = 0; j < all.size(); ++j) {
        const KeysValues* of = all[j].of;
        if (of != last) {
          bring_back();
          back.assign(at(D), 0);
          from = turned(head(q, r * ldq + h * D), *(last = of), 1);
        }
        auto& gradient = gradients->find(of);
        const double p = s[j] / total;
        double dp = 0;
        for (int64_t d = 0; d < D; ++d) dp += dy[h * D + d] * of->v[of->place(all[j].key, column + d)];
        const double ds = p * (dp - delta) * scale;
        for (int64_t d = 0; d < D; ++d) {
          const size_t place = of->place(all[j].key, column + d);
          back[at(d)] += ds * of->k[place];
          gradient.first[place] += ds * from[at(d)];
          gradient.second[place] += p * dy[h * D + d];
        }
      }
      bring_back();
    }
  }

  // ---- the results of the kernels

  struct Got {
    Floats y, lse, dq;
    std::vector<KeysValues> shared, own;  // their gradients
  };

  // The rows `chosen`, with shared segments in pieces of `piece` keys (0: whole). dy [queries of all rows, ldy].
  Got run(const std::vector<int64_t>& chosen, int64_t piece, const Floats& dy, bool with_dq) const {
    Got got;
    got.shared = shared;
    got.own = own;
    std::vector<p4j_segment> segments;
    std::vector<int64_t> offsets = {0}, soffsets = {0};
    std::vector<int32_t> places;
    Floats queries, above;
    const auto add = [&](KeysValues& of, int64_t first, int64_t n, int64_t from) {
      const size_t start = at(first * of.ld);
      const bool gradient = of.wanted;
      segments.push_back({&of.k[start], &of.v[start], of.ld, n, of.layer_stride, from,
                          of.turn.empty() ? nullptr : of.turn.data(), gradient ? &of.dk[start] : nullptr,
                          gradient ? &of.dv[start] : nullptr, of.ld});
    };
    for (const int64_t b : chosen) {
      for (const Sight& sight : sights[at(b)]) {
        KeysValues& of = got.shared[at(sight.shared)];
        const int64_t step = piece == 0 ? of.length : piece;
        for (int64_t j = 0; j < of.length; j += step) add(of, j, std::min(step, of.length - j), sight.from);
        if (of.length == 0) add(of, 0, 0, sight.from);
      }
      KeysValues& mine = got.own[at(b)];
      mine.wanted = with_dq;
      add(mine, 0, mine.length, 0);
      soffsets.push_back(static_cast<int64_t>(segments.size()));
      for (int64_t r = qoffsets[at(b)]; r < qoffsets[at(b + 1)]; ++r) {
        places.push_back(positions[at(r)]);
        queries.insert(queries.end(), q.begin() + r * ldq, q.begin() + (r + 1) * ldq);
        above.insert(above.end(), dy.begin() + r * ldy, dy.begin() + (r + 1) * ldy);
      }
      offsets.push_back(static_cast<int64_t>(places.size()));
    }
    const int64_t n = static_cast<int64_t>(chosen.size()), count = offsets.back();
    const p4j_attention how = {n, H,    Hk, D, rotary, 1, offsets.data(), places.data(), soffsets.data(), segments.data(),
                               1, scale};
    got.y.assign(at(count * ldy), untouched);
    got.lse.assign(at(count * H), untouched);
    p4j_attention_forward(&how, queries.data(), ldq, got.y.data(), ldy, got.lse.data());
    Floats again(got.y.size(), untouched);
    p4j_attention_forward(&how, queries.data(), ldq, again.data(), ldy, nullptr);
    same_floats("attention without lse", got.y.data(), again.data(), again.size());
    // two classes of rows: those that see all and the others, the first in two groups
    std::vector<int64_t> order, goffsets = {0};
    for (int64_t cut = 0; cut < 3; ++cut) {
      for (int64_t i = 0; i < n; ++i)
        if ((chosen[at(i)] >= (rows() + 1) / 2 ? 2 : chosen[at(i)] % 2) == cut) order.push_back(i);
      goffsets.push_back(static_cast<int64_t>(order.size()));
    }
    const p4j_groups groups = {3, goffsets.data(), order.data()};
    got.dq.assign(queries.size(), untouched);
    p4j_attention_backward(&how, &groups, above.data(), got.y.data(), ldy, got.lse.data(), queries.data(), ldq,
                           with_dq ? got.dq.data() : nullptr, ldq);
    return got;
  }
};

std::vector<Batch> batches() {
  std::vector<Batch> all;
  all.push_back({{3, 2}, 1, 1, 2, {2}, false, false, false});
  all.push_back({{3, 2}, 1, 1, 2, {}, false, false, false});
  all.push_back({{4}, 2, 1, 4, {3, 1}, true, false, true});
  all.push_back({{1}, 2, 2, 16, {0}, false, false, false});
  all.push_back({{5, 1, 17}, 3, 3, 5, {7, 2}, false, false, true});
  all.push_back({{5, 1, 17}, 6, 2, 12, {7, 2, 5}, true, false, true});
  all.push_back({{20, 33, 64}, 2, 2, 64, {10}, false, false, false});
  all.push_back({{20, 33, 64, 0, 3}, 4, 1, 40, {13, 0, 21}, true, true, true});
  all.push_back({{130}, 1, 1, 32, {50}, false, true, false});
  all.push_back({{200, 157}, 3, 1, 64, {100, 30}, false, false, false});
  all.push_back({{530}, 1, 1, 16, {5}, false, false, false});
  all.push_back({{30, 31, 5, 6, 7, 8}, 4, 2, 128, {20, 17, 1, 40}, true, false, false});
  return all;
}

std::vector<int64_t> all_rows(const Batch& batch) {
  std::vector<int64_t> rows;
  for (int64_t b = 0; b < batch.rows(); ++b) rows.push_back(b);
  return rows;
}

}  // namespace
#endif
