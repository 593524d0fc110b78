// Times the kernels with the shapes of GPT-2 small.
// prefix4j_bench [threads [instruction set [part of a kernel's name]]]
//
// Prints two times: wall-clock time, and processor time, which other work on the machine affects less.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "prefix4j.h"

namespace {

using Floats = std::vector<float>;

size_t at(int64_t i) { return static_cast<size_t>(i); }

Floats numbers(int64_t n) {
  static uint32_t s = 1;
  Floats x(at(n));
  for (float& v : x) {
    s = s * 1664525u + 1013904223u;
    v = static_cast<float>(s >> 8) / 8388608.0f - 1.0f;
  }
  return x;
}

// Threads that wait for work, plus the caller.
class Pool {
 public:
  explicit Pool(int threads) {
    for (int t = 1; t < threads; ++t) others_.emplace_back([this, t] { wait(t); });
  }
  ~Pool() {
    run(nullptr, nullptr);
    for (std::thread& other : others_) other.join();
  }
  void run(p4j_body body, void* context) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      body_ = body;
      context_ = context;
      left_ = static_cast<int>(others_.size());
      ++round_;
    }
    start_.notify_all();
    if (body == nullptr) return;
    body(0, 1, context);
    std::unique_lock<std::mutex> lock(mutex_);
    end_.wait(lock, [this] { return left_ == 0; });
  }

 private:
  void wait(int t) {
    for (int64_t seen = 0;;) {
      p4j_body body;
      void* context;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        start_.wait(lock, [&] { return round_ != seen; });
        seen = round_;
        body = body_;
        context = context_;
      }
      if (body == nullptr) return;
      body(t, t + 1, context);
      std::lock_guard<std::mutex> lock(mutex_);
      if (--left_ == 0) end_.notify_one();
    }
  }

  std::vector<std::thread> others_;
  std::mutex mutex_;
  std::condition_variable start_, end_;
  p4j_body body_ = nullptr;
  void* context_ = nullptr;
  int left_ = 0;
  int64_t round_ = 0;
};
Pool* pool;

int32_t parallel(int64_t, int64_t, int64_t, p4j_body body, void* context) {
  pool->run(body, context);  // each thread once: the kernels fetch their parts from a counter
  return 0;
}

double processor_seconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec) * 1e-6;
}

const char* only = "";

// Prints the best of a few runs of work, and if an amount of operations or bytes is given, the rate.
void measure(const std::string& name, double amount, const char* unit, const std::function<void()>& work) {
  if (name.find(only) == std::string::npos) return;
  work();
  double best_wall = 1e9, best_processor = 1e9, spent = 0;
  for (int run = 0; run < 40 && (run < 3 || spent < 0.4); ++run) {
    int64_t times = 0;
    const double p0 = processor_seconds();
    const auto start = std::chrono::steady_clock::now();
    double wall = 0;
    do {
      work();
      ++times;
      wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    } while (wall < 0.01);
    const double processor = processor_seconds() - p0;
    spent += processor;
    best_wall = std::min(best_wall, wall / static_cast<double>(times));
    if (processor > 0) best_processor = std::min(best_processor, processor / static_cast<double>(times));
  }
  printf("%-38s %10.1f us  %10.1f us processor time", name.c_str(), best_wall * 1e6, best_processor * 1e6);
  if (amount > 0) printf("  %8.1f %s", amount / best_wall * 1e-9, unit);
  printf("\n");
  fflush(stdout);
}

struct Q8 {
  std::vector<int8_t> q;
  Floats scale;
  std::vector<int32_t> sum;
  int64_t ld;
  Q8(int64_t n, int64_t columns) : q(at(n * (columns + 3))), scale(at(n)), sum(at(n)), ld((columns + 3) / 4 * 4) {}
  p4j_q8_rows rows() { return {q.data(), ld, scale.data(), sum.data()}; }
};

void matmul(int64_t k, int64_t m) {
  const Floats w = numbers(k * m), bias = numbers(m);
  char* packed = static_cast<char*>(aligned_alloc(64, at((p4j_packed_bytes(k, m) + 63) / 64 * 64)));
  measure("pack " + std::to_string(k) + " x " + std::to_string(m), 0, "",
          [&] { p4j_pack(w.data(), P4J_FLOAT32, m, 1, k, m, packed); });
  for (int64_t n : {1, 8, 20, 600}) {
    const Floats x = numbers(n * k);
    Floats y(at(n * m));
    Q8 a(n, k);
    p4j_quantize(x.data(), k, n, k, a.rows(), nullptr);
    measure("matmul_q8 " + std::to_string(n) + " x " + std::to_string(k) + " x " + std::to_string(m),
            2.0 * static_cast<double>(n * k * m), "GOP/s",
            [&] { p4j_matmul_q8(a.rows(), n, packed, k, m, 0, m, bias.data(), nullptr, 0, y.data(), m); });
  }
  free(packed);
}

void matmul_f32(int64_t k, int64_t m) {
  // Several matrices in turn, as in a model, so that each is read from memory.
  const int64_t matrices = 1 + (int64_t{128} << 20) / (4 * k * m);
  const Floats w = numbers(matrices * k * m), bias = numbers(m);
  int64_t turn = 0;
  const auto next = [&] { return w.data() + turn++ % matrices * k * m; };
  const int64_t floats = p4j_packed_floats(k, m);
  float* packed = static_cast<float*>(aligned_alloc(64, at((matrices * floats * 4 + 63) / 64 * 64)));
  for (int64_t i = 0; i < matrices; ++i) p4j_pack_f32(w.data() + i * k * m, m, 1, k, m, packed + i * floats);
  for (int64_t n : {1, 8, 20, 64, 350, 700}) {
    const Floats x = numbers(n * k), dy = numbers(n * m);
    Floats y(at(n * m)), dx(at(n * k));
    const std::string size = std::to_string(n) + " x " + std::to_string(k) + " x " + std::to_string(m);
    const double operations = 2.0 * static_cast<double>(n * k * m);
    measure("matmul_f32 " + size, operations, "GFLOP/s",
            [&] { p4j_matmul_f32(x.data(), k, n, next(), m, 1, k, m, bias.data(), nullptr, 0, y.data(), m); });
    if (n <= 64) {
      measure("matmul_packed_f32 " + size, operations, "GFLOP/s", [&] {
        p4j_matmul_packed_f32(x.data(), k, n, packed + turn++ % matrices * floats, k, 0, m, bias.data(), nullptr, 0, y.data(),
                              m);
      });
    }
    measure("matmul_f32 back " + size, operations, "GFLOP/s",
            [&] { p4j_matmul_f32(dy.data(), m, n, next(), 1, m, m, k, nullptr, nullptr, 0, dx.data(), k); });
  }
  free(packed);
}

void rows() {
  const int64_t n = 600, e = 768, f = 3072;
  const Floats x = numbers(n * f), dy = numbers(n * f), weight = numbers(e), bias = numbers(e);
  Floats y(at(n * f)), mean(at(n)), rstd(at(n));
  Q8 q8(n, f), narrow(n, e);
  std::vector<uint8_t> slope(at(n * f));
  measure("quantize 600 x 3072", static_cast<double>(n * f * 4), "GB/s",
          [&] { p4j_quantize(x.data(), f, n, f, q8.rows(), nullptr); });
  measure("layer_norm 600 x 768", static_cast<double>(n * e * 4), "GB/s", [&] {
    p4j_layer_norm(x.data(), e, weight.data(), bias.data(), 1e-5f, n, e, nullptr, narrow.rows(), mean.data(), rstd.data());
  });
  measure("layer_norm_backward 600 x 768", static_cast<double>(n * e * 4), "GB/s",
          [&] { p4j_layer_norm_backward(dy.data(), x.data(), e, weight.data(), mean.data(), rstd.data(), n, e, y.data()); });
  measure("gelu 600 x 3072", static_cast<double>(n * f * 4), "GB/s",
          [&] { p4j_gelu(x.data(), n, f, nullptr, q8.rows(), slope.data()); });
  measure("slope_backward 600 x 3072", static_cast<double>(n * f * 4), "GB/s",
          [&] { p4j_slope_backward(dy.data(), slope.data(), n, f, q8.rows()); });
  measure("gelu_backward 600 x 3072", static_cast<double>(n * f * 4), "GB/s",
          [&] { p4j_gelu_backward(dy.data(), x.data(), n, f, nullptr, q8.rows()); });
}

// Shapes of a Qwen3 or Llama with about 600 million parameters. Bytes: everything that is read and written, counted once.
void llama_rows() {
  const int64_t n = 600, e = 1024, f = 3072, H = 16, D = 128, wide = H * D;
  const Floats x = numbers(n * 2 * f), dy = numbers(n * f), weight = numbers(e), turn = numbers(n * D);
  Floats y(at(n * 2 * f)), rstd(at(n * H)), heads = numbers(n * wide);
  Q8 narrow(n, e), q8(n, f), both(n, 2 * f);
  const auto bytes = [&](int64_t columns) { return static_cast<double>(n * columns); };
  measure("rms_norm 600 x 1024", bytes(8 * e), "GB/s",
          [&] { p4j_rms_norm(x.data(), e, weight.data(), 1e-6f, n, e, y.data(), {}, rstd.data()); });
  measure("rms_norm 600 x 1024 to 8 bits", bytes(5 * e), "GB/s",
          [&] { p4j_rms_norm(x.data(), e, weight.data(), 1e-6f, n, e, nullptr, narrow.rows(), rstd.data()); });
  measure("rms_norm_backward 600 x 1024", bytes(16 * e), "GB/s",
          [&] { p4j_rms_norm_backward(dy.data(), x.data(), e, weight.data(), rstd.data(), n, e, y.data()); });
  measure("swiglu 600 x 3072", bytes(12 * f), "GB/s", [&] { p4j_swiglu(x.data(), 2 * f, n, f, y.data(), {}); });
  measure("swiglu 600 x 3072 to 8 bits", bytes(9 * f), "GB/s", [&] { p4j_swiglu(x.data(), 2 * f, n, f, nullptr, q8.rows()); });
  measure("swiglu_backward 600 x 3072", bytes(20 * f), "GB/s",
          [&] { p4j_swiglu_backward(dy.data(), x.data(), 2 * f, n, f, y.data(), {}); });
  measure("swiglu_backward 600 x 3072 to 8 bits", bytes(14 * f), "GB/s",
          [&] { p4j_swiglu_backward(dy.data(), x.data(), 2 * f, n, f, nullptr, both.rows()); });
  int64_t direction = 1;
  measure("rotate 600 x 16 x 128", bytes(8 * wide + 4 * D), "GB/s",
          [&] { p4j_rotate(heads.data(), wide, n, H, D, D, turn.data(), direction = -direction); });
  measure("head_norm 600 x 16 x 128", bytes(8 * wide + 4 * H), "GB/s",
          [&] { p4j_head_norm(x.data(), wide, weight.data(), 1e-6f, n, H, D, y.data(), wide, rstd.data()); });
  measure("head_norm_backward 600 x 16 x 128", bytes(12 * wide + 4 * H), "GB/s", [&] {
    p4j_head_norm_backward(dy.data(), wide, x.data(), wide, weight.data(), rstd.data(), n, H, D, y.data(), wide);
  });
  measure("memcpy 600 x 3072", bytes(8 * f), "GB/s", [&] { memcpy(y.data(), x.data(), at(n * f * 4)); });
}

void attention() {
  const int64_t H = 12, D = 64, E = H * D, P = 100, T = 60, B = 10, n = B * T;
  const Floats qkv = numbers(n * 3 * E), prefix = numbers(P * 2 * E), dy = numbers(n * E);
  Floats y(at(n * E)), lse(at(n * H)), d(at(n * 3 * E)), dprefix(at(P * 2 * E));
  const float* q = qkv.data();
  std::vector<int64_t> offsets = {0}, soffsets = {0}, order, goffsets = {0};
  std::vector<p4j_segment> segments;
  for (int64_t b = 0; b < B; ++b) {
    const float* k = q + b * T * 3 * E + E;
    float* dk = d.data() + b * T * 3 * E + E;
    segments.push_back({prefix.data(), prefix.data() + E, 2 * E, P, 0, 0, nullptr, dprefix.data(), dprefix.data() + E, 2 * E});
    segments.push_back({k, k + E, 3 * E, T, 0, 0, nullptr, dk, dk + E, 3 * E});
    offsets.push_back((b + 1) * T);
    soffsets.push_back((b + 1) * 2);
    order.push_back(b);
  }
  for (int64_t group = 1; group <= 3; ++group) goffsets.push_back(B * group / 3);
  const p4j_attention how = {B, H, H, D, 0, 0, offsets.data(), nullptr, soffsets.data(), segments.data(), 1, 0.125f};
  const p4j_groups groups = {3, goffsets.data(), order.data()};
  const double forward = 4.0 * static_cast<double>(n * E * (P + T / 2));
  measure("attention_forward 10 x 60, P 100", forward, "GOP/s",
          [&] { p4j_attention_forward(&how, q, 3 * E, y.data(), E, lse.data()); });
  const auto backward = [&](float* dq) {
    p4j_attention_backward(&how, &groups, dy.data(), y.data(), E, lse.data(), q, 3 * E, dq, 3 * E);
  };
  measure("attention_backward 10 x 60, P 100", 2.5 * forward, "GOP/s", [&] { backward(d.data()); });
  for (int64_t b = 0; b < B; ++b) segments[at(2 * b + 1)].dk = nullptr;
  measure("attention_backward of the prefix", 0, "", [&] { backward(nullptr); });
}

// Four prompts with five beams each: a prefix, pages of 16 tokens that beams share, and pages of their own.
void decode() {
  const int64_t inputs = 4, beams = 5, R = inputs * beams, H = 12, D = 64, E = H * D, P = 100, T = 40, G = 20, page = 16;
  const Floats q = numbers(R * E), prefix = numbers(P * 2 * E), prompts = numbers(inputs * T * 2 * E),
               generated = numbers(R * G * 2 * E);
  Floats y(at(R * E));
  std::vector<int64_t> soffsets = {0};
  std::vector<p4j_segment> segments;
  for (int64_t r = 0; r < R; ++r) {
    const auto add = [&](const float* k, int64_t length, int64_t most) {
      for (int64_t j = 0; j < length; j += most)
        segments.push_back(
            {k + j * 2 * E, k + j * 2 * E + E, 2 * E, std::min(most, length - j), 0, 0, nullptr, nullptr, nullptr, 0});
    };
    add(prefix.data(), P, P);
    add(prompts.data() + r / beams * T * 2 * E, T, page);
    add(generated.data() + r * G * 2 * E, G, page);
    soffsets.push_back(static_cast<int64_t>(segments.size()));
  }
  const p4j_attention how = {R, H, H, D, 0, 0, nullptr, nullptr, soffsets.data(), segments.data(), 0, 0.125f};
  measure("attention_decode 4 x 5, P 100", 4.0 * static_cast<double>(R * E * (P + T + G)), "GOP/s",
          [&] { p4j_attention_decode(&how, q.data(), E, y.data(), E); });
}

void vocabulary() {
  const int64_t n = 350, m = 1024, e = 768, v = 50257, k = 10;
  Floats z = numbers(n * m), top(at(n), 0), of_target(at(n)), mean(at(n * e));
  std::vector<double> sum(at(n));
  std::vector<int64_t> targets(at(n), 1000), indices(at(n * k));
  measure("softmax_block 350 x 1024", static_cast<double>(n * m * 4), "GB/s", [&] {
    p4j_softmax_block(z.data(), m, n, m, 0, targets.data(), top.data(), sum.data(), of_target.data(), mean.data(), e);
  });
  const Floats x = numbers(20 * v);
  Floats values(at(n * k));
  measure("top_k 20 x 50257", static_cast<double>(20 * v * 4), "GB/s",
          [&] { p4j_top_k(x.data(), v, 20, v, k, values.data(), indices.data()); });
}

void optimizer() {
  const int64_t m = 18432, k = 512, p = 10;
  const Floats left = numbers(p * m), right = numbers(p * k);
  Floats param = numbers(m * k), mean(param.size()), square(param.size());
  const p4j_adamw how = {1e-4, 0.9, 0.999, 1e-8, 0, 1};
  measure("adamw_product 18432 x 512, P 10", static_cast<double>(m * k * 24), "GB/s",
          [&] { p4j_adamw_product(&how, param.data(), mean.data(), square.data(), m, k, left.data(), m, right.data(), k, p); });
}

}  // namespace

int main(int count, char** words) {
  const int threads = count > 1 ? atoi(words[1]) : 1;
  if (count > 3) only = words[3];
  Pool the_pool(threads);
  pool = &the_pool;
  if (p4j_start(count > 2 ? words[2] : nullptr, threads > 1 ? parallel : nullptr) != 0) {
    printf("not supported by this processor\n");
    return 1;
  }
  printf("%s, %d thread(s)\n", p4j_isa(), threads);
  const int64_t shapes[][2] = {{768, 2304}, {768, 768}, {768, 3072}, {3072, 768}, {768, 50257}};
  for (const auto& shape : shapes) matmul(shape[0], shape[1]);
  for (const auto& shape : shapes) matmul_f32(shape[0], shape[1]);
  rows();
  llama_rows();
  attention();
  decode();
  vocabulary();
  optimizer();
  return 0;
}
