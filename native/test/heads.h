// Kernels that process each head of a row.
#ifndef P4J_TEST_HEADS_H
#define P4J_TEST_HEADS_H

#include "norms.h"

namespace {

struct HeadShape {
  int64_t heads, width, rotary;
};
const HeadShape head_shapes[] = {{1, 2, 2}, {3, 5, 4}, {2, 33, 0}, {4, 64, 64}, {5, 81, 22}, {12, 128, 96}};

void test_rotate() {
  for (const int64_t n : {0, 1, 7, 33}) {
    for (const HeadShape& s : head_shapes) {
      const int64_t e = s.heads * s.width, ldx = e + 5, half = s.rotary / 2;
      const Floats before = normals(n * ldx);
      Floats turn(at(n * s.rotary));
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t i = 0; i < half; ++i) {
          const double angle = 100 * random_numbers.uniform();
          turn[at(r * s.rotary + i)] = static_cast<float>(cos(angle));
          turn[at(r * s.rotary + half + i)] = static_cast<float>(sin(angle));
        }
      }
      for (const int64_t direction : {1, -1}) {
        Floats x = before, again = before;
        p4j_rotate(x.data(), ldx, n, s.heads, s.width, s.rotary, turn.data(), direction);
        for (int64_t r = 0; r < n; ++r) {
          for (int64_t i = 0; i < ldx; ++i) {
            const size_t place = at(r * ldx + i);
            const int64_t column = i % s.width;
            if (i >= e || column >= s.rotary) {
              same("rotate, what stays", x[place], before[place]);
              continue;
            }
            const bool first = column < half;
            const size_t angle = at(r * s.rotary + column % std::max(half, int64_t{1}));
            const double cosine = turn[angle], sine = static_cast<double>(direction) * turn[angle + at(half)];
            const double other = before[first ? place + at(half) : place - at(half)];
            near("rotate", x[place], before[place] * cosine + (first ? -other : other) * sine, 1e-6, 1e-6);
          }
          const float* angles = turn.data() + r * s.rotary;
          p4j_rotate(again.data() + r * ldx, ldx, 1, s.heads, s.width, s.rotary, angles, direction);
        }
        same_floats("rotate, row by row", again.data(), x.data(), x.size());
        hash(x);
        p4j_rotate(x.data(), ldx, n, s.heads, s.width, s.rotary, turn.data(), -direction);
        for (size_t i = 0; i < x.size(); ++i) near("rotate and back", x[i], before[i], 3e-6, 0);
      }
    }
  }
}

// The heads of the rows as rows of their own.
Floats heads_of(const Floats& x, int64_t ld, int64_t n, const HeadShape& s) { return dense(x, ld, n, s.heads * s.width); }

void test_head_norm() {
  for (const int64_t n : {0, 1, 7, 33}) {
    for (const HeadShape& s : head_shapes) {
      const int64_t e = s.heads * s.width, ldx = e + 5, ldy = e + 3;
      const Floats x = normals(n * ldx, 2), weight = normals(s.width), in = heads_of(x, ldx, n, s);
      Doubles want_rstd;
      const Doubles want = rms_norm(Doubles(in.begin(), in.end()), weight, 1e-5f, n * s.heads, s.width, &want_rstd);
      Floats y(at(n * ldy), untouched), rstd(at(n * s.heads)), again = y;
      p4j_head_norm(x.data(), ldx, weight.data(), 1e-5f, n, s.heads, s.width, y.data(), ldy, rstd.data());
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t i = 0; i < e; ++i) near("head norm", y[at(r * ldy + i)], want[at(r * e + i)], 5e-6, 2e-6);
        for (int64_t i = e; i < ldy; ++i) same("head norm, past the end", y[at(r * ldy + i)], untouched);
        const float* row = x.data() + r * ldx;
        p4j_head_norm(row, ldx, weight.data(), 1e-5f, 1, s.heads, s.width, again.data() + r * ldy, ldy, nullptr);
      }
      for (size_t i = 0; i < rstd.size(); ++i) near("rstd", rstd[i], want_rstd[i], 0, 2e-6);
      same_floats("head norm, row by row", again.data(), y.data(), y.size());
      hash(y);
      hash(rstd);
    }
  }
}

void test_head_norm_backward() {
  for (const int64_t n : {0, 1, 7, 33}) {
    for (const HeadShape& s : head_shapes) {
      const int64_t e = s.heads * s.width, ldx = e + 5, lddy = e + 3, lddx = e + 2;
      const Floats x = normals(n * ldx, 2), weight = normals(s.width), dy = normals(n * lddy), in = heads_of(x, ldx, n, s);
      Doubles exact_rstd;
      rms_norm(Doubles(in.begin(), in.end()), weight, 1e-5f, n * s.heads, s.width, &exact_rstd);
      const Floats rstd(exact_rstd.begin(), exact_rstd.end());
      const Doubles want = rms_norm_backward(heads_of(dy, lddy, n, s), in, weight, exact_rstd, n * s.heads, s.width);
      Floats dx(at(n * lddx), untouched), again = dx, in_place = dy;
      const auto backward = [&](const float* up, const float* row, const float* factor, int64_t rows, float* to, int64_t ld) {
        p4j_head_norm_backward(up, lddy, row, ldx, weight.data(), factor, rows, s.heads, s.width, to, ld);
      };
      backward(dy.data(), x.data(), rstd.data(), n, dx.data(), lddx);
      backward(in_place.data(), x.data(), rstd.data(), n, in_place.data(), lddy);
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t i = 0; i < e; ++i) {
          const double size = std::max(1.0, exact_rstd[at(r * s.heads + i / s.width)]);
          near("head norm backward", dx[at(r * lddx + i)], want[at(r * e + i)], 1e-5 * size, 1e-5);
          same("head norm backward in place", in_place[at(r * lddy + i)], dx[at(r * lddx + i)]);
        }
        for (int64_t i = e; i < lddx; ++i) same("head norm backward, past the end", dx[at(r * lddx + i)], untouched);
        for (int64_t i = r * lddy + e; i < (r + 1) * lddy; ++i)
          same("head norm backward, between rows", in_place[at(i)], dy[at(i)]);
        backward(&dy[at(r * lddy)], &x[at(r * ldx)], &rstd[at(r * s.heads)], 1, &again[at(r * lddx)], lddx);
      }
      same_floats("head norm backward, row by row", again.data(), dx.data(), dx.size());
      hash(dx);
    }
  }
}

}  // namespace
#endif
