// All kernels for one instruction set. The build compiles this file once for each, with the flags of the set and
// P4J_TABLE, the name of the table. What the headers below define lies in an unnamed namespace, and they use no
// function templates of the standard library: so the linker cannot put the code of one set in the place of another's.
#include "kernels.h"

#include "rows.h"

#include "attention.h"
#include "decode.h"
#include "gemm_q8.h"
#include "matmul_f32.h"
#include "optimizer.h"
#include "vocabulary.h"

namespace p4j {

const Kernels P4J_TABLE = {
    quantize,
    layer_norm,
    layer_norm_backward,
    gelu,
    gelu_backward,
    slope_backward,
    packed_bytes,
    pack,
    matmul_q8,
    matmul_f32,
    attention_forward,
    attention_backward,
    attention_decode,
    softmax_block,
    top_k,
    adamw_product,
};

}  // namespace p4j
