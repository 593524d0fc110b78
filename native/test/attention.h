// Attention, its gradients, and decoding.
#ifndef P4J_TEST_ATTENTION_H
#define P4J_TEST_ATTENTION_H

#include "batches.h"

namespace {

void test_attention() {
  for (const Batch& a : batches()) {
    const int64_t E = a.H * a.D, count = a.qoffsets.back();
    const Floats dy = normals(count * a.ldy);
    const Batch::Got got = a.run(all_rows(a), 0, dy, true);
    hash(got.y);
    hash(got.lse);
    hash(got.dq);
    for (const auto* list : {&got.shared, &got.own})
      for (const KeysValues& of : *list) hash(of.dk), hash(of.dv);
    if (!against_reference) continue;
    Doubles exact_y, exact_lse;
    Batch::Gradients exact;
    exact.dq.assign(at(count * a.ldq), 0);
    for (int64_t b = 0; b < a.rows(); ++b) {
      for (int64_t r = a.qoffsets[at(b)]; r < a.qoffsets[at(b + 1)]; ++r) {
        Doubles y(at(E));
        a.query(b, r, &dy[at(r * a.ldy)], &y, &exact_lse, &exact);
        for (int64_t i = 0; i < E; ++i) near("attention", got.y[at(r * a.ldy + i)], y[at(i)], 3e-6, 3e-6);
        for (int64_t i = E; i < a.ldy; ++i) same("attention, past the end", got.y[at(r * a.ldy + i)], untouched);
        for (int64_t i = 0; i < E; ++i) near("dq", got.dq[at(r * a.ldq + i)], exact.dq[at(r * a.ldq + i)], 2e-5, 2e-5);
        for (int64_t i = E; i < a.ldq; ++i) same("dq, past the end", got.dq[at(r * a.ldq + i)], untouched);
        exact_y.insert(exact_y.end(), y.begin(), y.end());
      }
    }
    for (size_t i = 0; i < exact_lse.size(); ++i) near("log-sum-exp", got.lse[i], exact_lse[i], 5e-6, 1e-6);
    const auto check = [&](const char* what, const KeysValues& of, const KeysValues& result, float before, bool written) {
      for (int64_t i = 0; i < static_cast<int64_t>(of.k.size()); ++i) {
        const int64_t in_layer = i - of.layer_stride;
        const bool inside = in_layer >= 0 && in_layer / of.ld < of.length && in_layer % of.ld < of.columns;
        const double add = written && inside ? 0 : before;
        const bool wanted = inside && result.wanted;
        if (wanted) {
          near(what, result.dk[at(i)], add + exact.dk(&of)[at(i)], 2e-5, 2e-5);
          near(what, result.dv[at(i)], add + exact.dv(&of)[at(i)], 2e-5, 2e-5);
        } else {
          same(what, result.dk[at(i)], before);
          same(what, result.dv[at(i)], before);
        }
      }
    };
    for (size_t i = 0; i < a.shared.size(); ++i) check("gradient of a segment", a.shared[i], got.shared[i], 0.25f, false);
    for (size_t i = 0; i < a.own.size(); ++i) check("gradient of own tokens", a.own[i], got.own[i], untouched, true);
    const Batch::Got without = a.run(all_rows(a), 0, dy, false);
    for (size_t i = 0; i < a.shared.size(); ++i)
      check("gradient of a segment alone", a.shared[i], without.shared[i], 0.25f, false);

    // however segments are split
    for (const int64_t piece : {1, 3, 16}) {
      if (piece == 1 && count > 200) continue;
      const Batch::Got pieces = a.run(all_rows(a), piece, dy, true);
      same_floats("y in pieces", pieces.y.data(), got.y.data(), got.y.size());
      same_floats("dq in pieces", pieces.dq.data(), got.dq.data(), got.dq.size());
      for (size_t i = 0; i < a.shared.size(); ++i)
        same_floats("dk in pieces", pieces.shared[i].dk.data(), got.shared[i].dk.data(), got.shared[i].dk.size());
    }
    // every row alone, and the gradients of segments from only the rows that see them
    for (int64_t b = 0; b < a.rows(); ++b) {
      const Batch::Got alone = a.run({b}, 0, dy, true);
      const size_t first = at(a.qoffsets[at(b)]), queries = at(a.qoffsets[at(b + 1)]) - first;
      const size_t wide_y = at(a.ldy), wide_q = at(a.ldq);
      same_floats("y alone", alone.y.data(), got.y.data() + first * wide_y, queries * wide_y);
      same_floats("dq alone", alone.dq.data(), got.dq.data() + first * wide_q, queries * wide_q);
      same_floats("dk alone", alone.own[at(b)].dk.data(), got.own[at(b)].dk.data(), alone.own[at(b)].dk.size());
    }
    std::vector<int64_t> those;
    for (int64_t b = 0; b < (a.rows() + 1) / 2; ++b) those.push_back(b);
    const Batch::Got alone = a.run(those, 0, dy, true);
    for (size_t i = 1; i < a.shared.size(); i += 2)
      same_floats("dk of its rows alone", alone.shared[i].dk.data(), got.shared[i].dk.data(), got.shared[i].dk.size());
  }
}

// Tiny shapes by central differences of the double-precision forward pass.
void test_attention_differences() {
  std::vector<Batch> tiny = batches();
  tiny.erase(tiny.begin() + 3, tiny.end());
  for (Batch& a : tiny) {
    const int64_t E = a.H * a.D, count = a.qoffsets.back();
    const Floats dy = normals(count * a.ldy);
    const Batch::Got got = a.run(all_rows(a), 0, dy, true);
    const auto value = [&] {
      double total = 0;
      for (int64_t b = 0; b < a.rows(); ++b) {
        for (int64_t r = a.qoffsets[at(b)]; r < a.qoffsets[at(b + 1)]; ++r) {
          Doubles y(at(E));
          a.query(b, r, nullptr, &y, nullptr, nullptr);
          for (int64_t i = 0; i < E; ++i) total += y[at(i)] * dy[at(r * a.ldy + i)];
        }
      }
      return total;
    };
    const auto slope = [&](float& x) {
      const float before = x, up = before + 0.015625f, down = before - 0.015625f;
      x = up;
      const double high = value();
      x = down;
      const double low = value();
      x = before;
      return (high - low) / (static_cast<double>(up) - down);
    };
    for (int64_t r = 0; r < count; ++r)
      for (int64_t i = 0; i < E; ++i)
        near("dq, differences", got.dq[at(r * a.ldq + i)], slope(a.q[at(r * a.ldq + i)]), 3e-4, 3e-4);
    const auto check = [&](KeysValues& of, const KeysValues& result, float before) {
      for (int64_t j = 0; j < of.length; ++j) {
        for (int64_t c = 0; c < of.columns; ++c) {
          const size_t i = of.place(j, c);
          if (!result.wanted) continue;
          near("dk, differences", result.dk[i] - before, slope(of.k[i]), 3e-4, 3e-4);
          near("dv, differences", result.dv[i] - before, slope(of.v[i]), 3e-4, 3e-4);
        }
      }
    };
    for (size_t i = 0; i < a.shared.size(); ++i) check(a.shared[i], got.shared[i], 0.25f);
    for (size_t i = 0; i < a.own.size(); ++i) check(a.own[i], got.own[i], 0);
    hash(got.dq);
  }
}

// The last query of every row of a batch, and rows that begin with the same segments.
void test_attention_decode() {
  for (const Batch& a : batches()) {
    for (const int64_t copies : {1, 3, 20}) {
      const int64_t E = a.H * a.D;
      std::vector<int64_t> of;  // the row of the batch that each row here continues
      std::vector<p4j_segment> segments, pieces;
      std::vector<int64_t> soffsets = {0}, poffsets = {0};
      for (int64_t b = 0; b < a.rows(); ++b) {
        if (a.qoffsets[at(b)] == a.qoffsets[at(b + 1)]) continue;
        for (int64_t copy = 0; copy < copies; ++copy) {
          const auto add = [&](std::vector<p4j_segment>& list, const KeysValues& kv, int64_t first, int64_t n) {
            const size_t start = at(first * kv.ld);
            list.push_back({&kv.k[start], &kv.v[start], kv.ld, n, kv.layer_stride, 0,
                            kv.turn.empty() ? nullptr : kv.turn.data(), nullptr, nullptr, 0});
          };
          const auto both = [&](const KeysValues& kv, int64_t n) {
            add(segments, kv, 0, n);
            for (int64_t j = 0; j < n; j += 16) add(pieces, kv, j, std::min(int64_t{16}, n - j));
          };
          for (const Batch::Sight& sight : a.sights[at(b)]) both(a.shared[at(sight.shared)], a.shared[at(sight.shared)].length);
          both(a.own[at(b)], a.positions[at(a.qoffsets[at(b + 1)] - 1)] + 1);
          soffsets.push_back(static_cast<int64_t>(segments.size()));
          poffsets.push_back(static_cast<int64_t>(pieces.size()));
          of.push_back(b);
        }
      }
      const int64_t R = static_cast<int64_t>(of.size());
      Floats q(at(R * a.ldq)), y(at(R * a.ldy), untouched), cut = y;
      for (int64_t r = 0; r < R; ++r)
        for (int64_t i = 0; i < E; ++i) q[at(r * a.ldq + i)] = a.q[at((a.qoffsets[at(of[at(r)] + 1)] - 1) * a.ldq + i)];
      const p4j_attention how = {R, a.H,    a.Hk, a.D, a.rotary, 1, nullptr, nullptr, soffsets.data(), segments.data(),
                                 0, a.scale};
      p4j_attention in_pieces = how;
      in_pieces.soffsets = poffsets.data();
      in_pieces.segments = pieces.data();
      p4j_attention_decode(&how, q.data(), a.ldq, y.data(), a.ldy);
      p4j_attention_decode(&in_pieces, q.data(), a.ldq, cut.data(), a.ldy);
      same_floats("decode in pieces", cut.data(), y.data(), y.size());
      Batch last = a;
      for (auto& row : last.sights)
        for (auto& sight : row) sight.from = 0;
      for (int64_t r = 0; r < R; ++r) {
        Doubles want(at(E));
        last.query(of[at(r)], a.qoffsets[at(of[at(r)] + 1)] - 1, nullptr, &want, nullptr, nullptr);
        for (int64_t i = 0; i < E; ++i) near("decode", y[at(r * a.ldy + i)], want[at(i)], 3e-6, 3e-6);
        for (int64_t i = E; i < a.ldy; ++i) same("decode, past the end", y[at(r * a.ldy + i)], untouched);
        Floats alone(at(a.ldy), untouched);
        p4j_attention one = how;
        one.rows = 1;
        one.soffsets = soffsets.data() + r;
        p4j_attention_decode(&one, &q[at(r * a.ldq)], a.ldq, alone.data(), a.ldy);
        same_floats("decode alone", alone.data(), &y[at(r * a.ldy)], alone.size());
      }
      hash(y);
    }
  }
}

}  // namespace
#endif
