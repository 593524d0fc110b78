// The definitions of the pool and of the threads' scratch memory (see parallel.h).
#include "parallel.h"

#include <stdio.h>
#include <stdlib.h>

namespace p4j {

p4j_parallel_for pool = nullptr;

namespace {

struct Memory {
  char* start = nullptr;
  int64_t bytes = 0;
  ~Memory() { free(start); }
};

thread_local Memory memory[slots];

}  // namespace

char* scratch(Slot slot, int64_t bytes) {
  Memory& m = memory[slot];
  if (m.bytes < bytes) {
    free(m.start);
    m.bytes = round_up(bytes + bytes / 4, 4096);
    m.start = static_cast<char*>(aligned_alloc(4096, static_cast<size_t>(m.bytes)));
    if (m.start == nullptr) {
      fprintf(stderr, "prefix4j: cannot allocate %lld bytes of scratch memory\n", static_cast<long long>(m.bytes));
      abort();
    }
  }
  return m.start;
}

}  // namespace p4j
