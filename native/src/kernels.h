// The table of kernels that each instruction set fills (variant.cpp) and dispatch.cpp chooses from.
#ifndef P4J_KERNELS_H
#define P4J_KERNELS_H

#include "prefix4j.h"

namespace p4j {

struct Kernels {
  decltype(&p4j_quantize) quantize;
  decltype(&p4j_layer_norm) layer_norm;
  decltype(&p4j_layer_norm_backward) layer_norm_backward;
  decltype(&p4j_gelu) gelu;
  decltype(&p4j_gelu_backward) gelu_backward;
  decltype(&p4j_slope_backward) slope_backward;
  decltype(&p4j_packed_bytes) packed_bytes;
  decltype(&p4j_pack) pack;
  decltype(&p4j_matmul_q8) matmul_q8;
  decltype(&p4j_matmul_f32) matmul_f32;
  decltype(&p4j_attention_forward) attention_forward;
  decltype(&p4j_attention_backward) attention_backward;
  decltype(&p4j_attention_decode) attention_decode;
  decltype(&p4j_softmax_block) softmax_block;
  decltype(&p4j_top_k) top_k;
  decltype(&p4j_adamw_product) adamw_product;
};

extern const Kernels kernels_portable;
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
extern const Kernels kernels_avx512vnni;

}  // namespace p4j
#endif
