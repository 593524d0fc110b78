// Tests every kernel with every instruction set that the machine supports: against plain double-precision code, gradients of
// tiny shapes also against finite differences, and with three threads bit for bit against one. Prints a line for each kernel
// and instruction set; exits with 1 if anything fails.
#include <thread>

#include "activations.h"
#include "attention.h"
#include "heads.h"
#include "norms.h"
#include "optimizer.h"
#include "products.h"
#include "vocabulary.h"

namespace {

constexpr int64_t threads = 3;

int32_t three_threads(int64_t begin, int64_t end, int64_t, p4j_body body, void* context) {
  const int64_t n = std::min(threads, end - begin);
  std::vector<std::thread> others;
  for (int64_t t = 0; t < n; ++t)
    others.emplace_back(body, begin + (end - begin) * t / n, begin + (end - begin) * (t + 1) / n, context);
  for (std::thread& other : others) other.join();
  return 0;
}

int32_t refusing(int64_t, int64_t, int64_t, p4j_body, void*) { return 1; }

}  // namespace

int main() {
  const struct {
    const char* name;
    void (*run)();
    bool exact;  // equal in all instruction sets
  } tests[] = {
      {"quantize", test_quantize, true},
      {"layer_norm", test_layer_norm, false},
      {"layer_norm_backward", test_layer_norm_backward, false},
      {"rms_norm", test_rms_norm, false},
      {"rms_norm_backward", test_rms_norm_backward, false},
      {"gelu", test_gelu, false},
      {"gelu_backward", test_gelu_backward, false},
      {"swiglu", test_swiglu, false},
      {"swiglu_backward", test_swiglu_backward, false},
      {"rotate", test_rotate, false},
      {"head_norm", test_head_norm, false},
      {"head_norm_backward", test_head_norm_backward, false},
      {"pack, matmul_q8", test_matmul_q8, false},
      {"pack, 16 bits", test_pack_types, false},
      {"matmul_f32", test_matmul_f32, false},
      {"attention", test_attention, false},
      {"attention, differences", test_attention_differences, false},
      {"attention_decode", test_attention_decode, false},
      {"softmax_block", test_softmax_block, false},
      {"top_k", test_top_k, false},
      {"adamw_product", test_adamw_product, false},
  };
  const p4j_parallel_for pools[] = {nullptr, three_threads, refusing};
  int64_t failures = 0;
  if (p4j_version() != 6 || p4j_start("none", nullptr) != 1 || p4j_start("", nullptr) != 0 || p4j_supports("none") != 0 ||
      p4j_supports("") != 0 || p4j_supports("portable") != 1 || p4j_supports(p4j_isa()) != 1) {
    printf("start: wrong\n");
    ++failures;
  }
  if (p4j_layout("segment", "") != sizeof(p4j_segment) || p4j_layout("segment", "v") != offsetof(p4j_segment, v) ||
      p4j_layout("segment", "none") != -1 || p4j_layout("none", "") != -1) {
    printf("layout: wrong\n");
    ++failures;
  }
  printf("best: %s\n", p4j_isa());
  for (const auto& test : tests) {
    uint64_t first = 0;
    for (const char* isa : {"portable", "avx2", "avx512", "avx512vnni"}) {
      State all;
      for (const p4j_parallel_for pool : pools) {
        if (p4j_start(isa, pool) != 0) break;
        if (strcmp(p4j_isa(), isa) != 0) fail("isa", 0, 0);
        state = State();
        against_reference = pool == nullptr;
        random_numbers = Random();
        test.run();
        if (pool == nullptr) {
          all = state;
          if (first == 0) first = state.hash;
          if (test.exact) same("as in other instruction sets", static_cast<double>(state.hash != first), 0);
          all.failures = state.failures;
        } else {
          if (state.hash != all.hash) fail("as with one thread", 1, 0);
          all.failures += state.failures;
        }
      }
      if (all.hash == 0) {
        printf("%-22s %-11s not supported by this processor\n", test.name, isa);
      } else {
        printf("%-22s %-11s %s  largest error %.2g, %.0f %% of the tolerance\n", test.name, isa,
               all.failures == 0 ? "ok" : "WRONG", all.largest, 100 * all.worst);
      }
      fflush(stdout);
      failures += all.failures;
    }
  }
  printf(failures == 0 ? "all passed\n" : "%lld failures\n", static_cast<long long>(failures));
  return failures == 0 ? 0 : 1;
}
