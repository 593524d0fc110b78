// Work in parallel over the caller's thread pool, and the scratch memory of its threads.
//
// Cores are rarely equally fast (other work runs on them), so parts are not assigned in advance: each thread of the pool takes
// the next part from a counter until none is left. What a part computes never depends on the thread that takes it.
#ifndef P4J_PARALLEL_H
#define P4J_PARALLEL_H

#include "prefix4j.h"

namespace p4j {

extern p4j_parallel_for pool;  // p4j_start's, or null

// Memory of the calling thread, 64-byte aligned, kept for the next call and freed with the thread; the contents are undefined.
// Parts of parallel work use work_slot; their caller may hold the others in the meantime.
enum Slot { call_slot, table_slot, work_slot, slots };
char* scratch(Slot slot, int64_t bytes);

namespace {

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

// Scratch memory divided into arrays: allocated for the sum of their sizes, then taken one by one.
class Arrays {
 public:
  // Bytes that an array of n floats takes.
  static int64_t floats(int64_t n) { return round_up(n * 4, 64); }

  Arrays(Slot slot, int64_t bytes) : next_(scratch(slot, bytes)) {}

  float* take(int64_t n) {
    float* array = reinterpret_cast<float*>(next_);
    next_ += floats(n);
    return array;
  }

 private:
  char* next_;
};

template <class Body>
struct Parts {
  int64_t next, items, grain;
  const Body* body;

  void drain() {
    for (;;) {
      const int64_t from = __atomic_fetch_add(&next, grain, __ATOMIC_RELAXED);
      if (from >= items) return;
      (*body)(from, smaller(from + grain, items));
    }
  }
};

// body(from, to) for parts of [0, items), each of grain items (the last may be shorter).
template <class Body>
void parallel(int64_t items, int64_t grain, const Body& body) {
  if (items <= 0) return;
  if (pool == nullptr || items <= grain) {
    body(int64_t{0}, items);
    return;
  }
  Parts<Body> parts{0, items, grain, &body};
  constexpr int64_t most_threads = 256;
  pool(
      0, smaller(divide_up(items, grain), most_threads), 1,
      [](int64_t, int64_t, void* context) { static_cast<Parts<Body>*>(context)->drain(); }, &parts);
  parts.drain();  // nothing is left to do, unless the pool refused
}

}  // namespace
}  // namespace p4j
#endif
