// Kernels of prefix4j: what a frozen language model and its prefix need but libtorch does not offer.
//
// Plain C functions over raw pointers, for one process and one caller at a time; they run in parallel internally. All tensors
// are row-major; "ld" is the distance between two rows in elements. float is float32. No function allocates its result, keeps
// a pointer after it returns (except p4j_start's) or checks its arguments: the Java side does that before the call.
//
// Letters: N rows (packed tokens), E width, H heads of queries, Hk heads of keys, D head width, V vocabulary, B rows of a
// batch, K inputs and M outputs of a matrix.
#ifndef PREFIX4J_H
#define PREFIX4J_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define P4J_API __attribute__((visibility("default")))

// Version of this interface; the Java side rejects any other.
P4J_API int32_t p4j_version(void);

// Runs body(from, to, context) in parallel over parts of [begin, end), each at least grain long. libtorch's
// torch_parallel_for has this signature.
typedef void (*p4j_body)(int64_t from, int64_t to, void* context);
typedef int32_t (*p4j_parallel_for)(int64_t begin, int64_t end, int64_t grain, p4j_body body, void* context);

// Chooses the instruction set and the thread pool, before anything else is called.
// isa: NULL or "" for the best that the processor supports, or "avx512vnni", "avx512", "avx2", "portable".
// parallel: NULL for one thread.
// Returns 0, or 1 if isa is unknown or not supported by the processor.
P4J_API int32_t p4j_start(const char* isa, p4j_parallel_for parallel);

// 1 if isa is one of the names above and the processor supports it, else 0.
P4J_API int32_t p4j_supports(const char* isa);

// The instruction set in use: one of the names above.
P4J_API const char* p4j_isa(void);

// The compiler's layout of a structure below, such as "attention": the offset of a field in bytes, or the size of the structure
// if field is ""; -1 if there is no such name. The Java side compares it with its own.
P4J_API int64_t p4j_layout(const char* structure, const char* field);

// ---- rows -------------------------------------------------------------------------------------------------------------

// A row x in 8 bits. First it is mixed: for the largest t of 1, 2, 4, 8, 16 with 16 t <= columns, every t values that lie 16
// apart in a block of 16 t columns are replaced by their Hadamard transform / sqrt(t); the blocks follow each other from the
// first column on, and if the last is not whole, one more follows that ends with the row. That is an orthogonal matrix, which
// the weights of a product take too, so the product stays what it is; but a few large values no longer cost the others their
// precision (QuaRot, arXiv:2404.00456). The mixed row is quantized symmetrically: scale = max|x| / 127,
// q = round(x / scale) in [-127, 127], ties to even; scale = 0 and q = 0 for a row of zeros. sum is the sum of q over the row.
// (Row-wise quantization of LLM.int8(), arXiv:2208.07339, section 2.) Scales below the smallest normal float are taken as 0. A
// row that is not finite gets scale NaN and q = 0, so that everything computed from it is NaN.
typedef struct {
  int8_t* q;     // [N, ld]
  int64_t ld;    // at least the number of columns, a multiple of 4; columns up to ld are set to 0
  float* scale;  // [N]
  int32_t* sum;  // [N]
} p4j_q8_rows;

// rest [N, ldx] or NULL, may be x: the quantization error, x less what scale * q is when unmixed.
P4J_API void p4j_quantize(const float* x, int64_t ldx, int64_t n, int64_t columns, p4j_q8_rows out, float* rest);

// Layer normalization: y = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(variance + epsilon).
// y [N, E] contiguous, or NULL; out.q NULL or the quantized y; mean and rstd [N], or NULL.
P4J_API void p4j_layer_norm(const float* x, int64_t ldx, const float* weight, const float* bias, float epsilon, int64_t n,
                            int64_t e, float* y, p4j_q8_rows out, float* mean, float* rstd);

// Gradient of layer normalization with respect to its input, added to dx:
// dx += rstd * (g - mean(g) - xhat * mean(g * xhat)), g = dy * weight, xhat = (x - mean) * rstd.
P4J_API void p4j_layer_norm_backward(const float* dy, const float* x, int64_t ldx, const float* weight, const float* mean,
                                     const float* rstd, int64_t n, int64_t e, float* dx);

// Root mean square normalization (Zhang and Sennrich 2019, arXiv:1910.07467): y = x * rstd * weight,
// rstd = 1 / sqrt(mean(x^2) + epsilon). y [N, E] contiguous, or NULL; out.q NULL or the quantized y; rstd [N], or NULL.
P4J_API void p4j_rms_norm(const float* x, int64_t ldx, const float* weight, float epsilon, int64_t n, int64_t e, float* y,
                          p4j_q8_rows out, float* rstd);

// Its gradient with respect to its input, added to dx: dx += rstd * (g - xhat * mean(g * xhat)), g = dy * weight,
// xhat = x * rstd. dy and dx [N, E] contiguous.
P4J_API void p4j_rms_norm_backward(const float* dy, const float* x, int64_t ldx, const float* weight, const float* rstd,
                                   int64_t n, int64_t e, float* dx);

// GELU with the tanh approximation (GPT-2's "gelu_new"). y [N, columns] or NULL; out.q NULL or the quantized y; slope
// [N, columns] or NULL: gelu'(x) in 8 bits, round((gelu'(x) + 0.13) * 255 / 1.26), all that the backward pass needs.
P4J_API void p4j_gelu(const float* x, int64_t n, int64_t columns, float* y, p4j_q8_rows out, uint8_t* slope);

// dx = dy * gelu'(x). dx [N, columns] or NULL, may be dy; out.q NULL or the quantized dx.
P4J_API void p4j_gelu_backward(const float* dy, const float* x, int64_t n, int64_t columns, float* dx, p4j_q8_rows out);

// out = the quantized dy * slope, for a slope from p4j_gelu.
P4J_API void p4j_slope_backward(const float* dy, const uint8_t* slope, int64_t n, int64_t columns, p4j_q8_rows out);

// SwiGLU (Shazeer 2020, arXiv:2002.05202): y = silu(gate) * value, silu(a) = a / (1 + e^-a). x [N, ldx] has the gates in
// its first `columns` columns and the values in the next `columns`. y [N, columns] or NULL; out.q NULL or the quantized y.
P4J_API void p4j_swiglu(const float* x, int64_t ldx, int64_t n, int64_t columns, float* y, p4j_q8_rows out);

// Its gradient with respect to x for dy [N, columns]: dx [N, 2 * columns] contiguous, or NULL, must not be x or dy; out.q NULL
// or the quantized dx, with one scale for the whole row.
P4J_API void p4j_swiglu_backward(const float* dy, const float* x, int64_t ldx, int64_t n, int64_t columns, float* dx,
                                 p4j_q8_rows out);

// ---- heads of a row -----------------------------------------------------------------------------------------------------

// Rotates every head of the rows x [N, ldx], H * width columns, in place: each pair (a, b) of columns (i, i + rotary / 2) among
// the head's first `rotary` becomes (a cos - b sin, b cos + a sin). turn [N, rotary]: a row's cosines, then its sines.
// direction: 1, or -1 to rotate back, as for gradients.
P4J_API void p4j_rotate(float* x, int64_t ldx, int64_t n, int64_t heads, int64_t width, int64_t rotary, const float* turn,
                        int64_t direction);

// p4j_rms_norm of each head separately, with the same weight [width] for all. x [N, ldx] and y [N, ldy], H * width
// columns, y must not be x; rstd [N, H], or NULL.
P4J_API void p4j_head_norm(const float* x, int64_t ldx, const float* weight, float epsilon, int64_t n, int64_t heads,
                           int64_t width, float* y, int64_t ldy, float* rstd);

// Its gradient with respect to its input, written to dx [N, lddx], which may be dy [N, lddy].
P4J_API void p4j_head_norm_backward(const float* dy, int64_t lddy, const float* x, int64_t ldx, const float* weight,
                                    const float* rstd, int64_t n, int64_t heads, int64_t width, float* dx, int64_t lddx);

// ---- 8-bit matrix products --------------------------------------------------------------------------------------------

// Bytes that p4j_pack needs for a matrix of k inputs and m outputs, scales included.
P4J_API int64_t p4j_packed_bytes(int64_t k, int64_t m);

// The types of stored weights. 16-bit values are converted exactly to float32.
enum { P4J_FLOAT32 = 0, P4J_BFLOAT16 = 1, P4J_FLOAT16 = 2 };

// Quantizes a weight matrix with one scale for each output and lays it out for p4j_matmul_q8. packed is 64-byte aligned.
// The weight of input i and output j is at w[i * stride_k + j * stride_m], in elements of the type. Size and layout depend on
// the instruction set in use.
P4J_API void p4j_pack(const void* w, int64_t type, int64_t stride_k, int64_t stride_m, int64_t k, int64_t m, void* packed);

// y[n, j] = a.scale[n] * wscale[j] * sum_i a.q[n, i] * wq[i, j] + bias[j] (+ residual[n, j]), exact in the integers, for the
// outputs j = first .. first + count of a packed matrix of k inputs and m outputs; first is a multiple of 64, and y, bias
// and residual begin at it. bias [count] or NULL; residual [N, ldr] or NULL, may be y. Fast for 1 row and for 1000.
P4J_API void p4j_matmul_q8(p4j_q8_rows a, int64_t n, const void* packed, int64_t k, int64_t m, int64_t first, int64_t count,
                           const float* bias, const float* residual, int64_t ldr, float* y, int64_t ldy);

// ---- float32 matrix products -------------------------------------------------------------------------------------------

// y[n, j] = bias[j] (+ residual[n, j]) + sum_i x[n, i] * w[i * stride_k + j * stride_m], summed in this order. One of the
// strides is 1. bias [M] or NULL; residual [N, ldr] or NULL, may be y. The weights are read in place.
P4J_API void p4j_matmul_f32(const float* x, int64_t ldx, int64_t n, const float* w, int64_t stride_k, int64_t stride_m,
                            int64_t k, int64_t m, const float* bias, const float* residual, int64_t ldr, float* y, int64_t ldy);

// Floats that p4j_pack_f32 needs for a matrix of k inputs and m outputs.
P4J_API int64_t p4j_packed_floats(int64_t k, int64_t m);

// Lays out a weight matrix in strips for p4j_matmul_packed_f32; strides as in p4j_pack. packed is 64-byte aligned. The layout
// depends on the instruction set in use.
P4J_API void p4j_pack_f32(const float* w, int64_t stride_k, int64_t stride_m, int64_t k, int64_t m, float* packed);

// The same product, bit for bit, for the outputs first .. first + count of a packed matrix of k inputs; first is a multiple of
// 64, and y, bias and residual begin at it. For few rows: the weights are read once, in order.
P4J_API void p4j_matmul_packed_f32(const float* x, int64_t ldx, int64_t n, const float* packed, int64_t k, int64_t first,
                                   int64_t count, const float* bias, const float* residual, int64_t ldr, float* y, int64_t ldy);

// ---- attention to segments of keys and values ---------------------------------------------------------------------------

// Keys and values that a row of a batch attends to: of a prefix, a page of a prompt, an infix, the row's own tokens. The heads
// of a key are adjacent. Pointers are to the first key of layer 0.
typedef struct {
  const float* k;  // [length, ld], Hk * D columns
  const float* v;  // [length, ld]
  int64_t ld;
  int64_t length;        // keys, may be 0
  int64_t layer_stride;  // floats between two layers of k, v, dk and dv
  int64_t from;          // position of the first query that sees it
  const float* turn;     // cosines [rotary / 2], then sines: the rotation of a query for this segment; NULL: none
  float* dk;             // gradients, [length, ldd], or NULL
  float* dv;
  int64_t ldd;
} p4j_segment;

// B rows of a batch. Row b has the rows qoffsets[b] .. qoffsets[b + 1] of q (NULL: one each), at the positions qpositions
// (NULL: 0, 1, ...), and attends to the segments soffsets[b] .. soffsets[b + 1] in order. A query sees all of a segment if its
// position is at least `from`. If `own` is not 0, the last segment is the row's own tokens, of which a query sees only those up
// to its position. Each head of keys is shared by H / Hk adjacent heads of queries. Rotations act on the pairs
// (i, i + rotary / 2) of the first `rotary` columns of a head (the layout of Llama's checkpoints at Hugging Face).
typedef struct {
  int64_t rows, heads, key_heads, width, rotary, layer;  // B, H, Hk, D
  const int64_t* qoffsets;                               // [B + 1] or NULL
  const int32_t* qpositions;                             // [rows of q] or NULL
  const int64_t* soffsets;                               // [B + 1]
  const p4j_segment* segments;
  int64_t own;
  float scale;  // of the scores, before the softmax
} p4j_attention;

// Groups of rows, over which gradients are summed: group g has the rows order[goffsets[g]] .. order[goffsets[g + 1] - 1]. All
// rows of a group have the same segments that need a gradient, apart from own tokens. The sums of the groups are added in
// order.
typedef struct {
  int64_t groups;
  const int64_t* goffsets;  // [groups + 1]
  const int64_t* order;     // [B]
} p4j_groups;

// y [rows of q, ldy]; lse [rows of q, H], log of the sum of exponentials of the scores, for the backward pass (or NULL).
// The results of a row do not depend on the other rows, nor on how its keys are split into segments.
P4J_API void p4j_attention_forward(const p4j_attention* how, const float* q, int64_t ldq, float* y, int64_t ldy, float* lse);

// dq [rows of q, lddq] and dk and dv of own tokens are written (keys that no query sees get 0); those of other segments are
// added to. dq may be NULL: then only segments with dk get a gradient. The result does not depend on the number of threads, and
// the gradient of a segment only on the rows that attend to it.
P4J_API void p4j_attention_backward(const p4j_attention* how, const p4j_groups* groups, const float* dy, const float* y,
                                    int64_t ldy, const float* lse, const float* q, int64_t ldq, float* dq, int64_t lddq);

// One query for each row of the batch, which sees all of the row's segments; qoffsets is NULL, and qpositions, own and `from`
// are ignored. q [B, ldq], y [B, ldy]. For adjacent rows that begin with the same segments (beams), these are read once.
P4J_API void p4j_attention_decode(const p4j_attention* how, const float* q, int64_t ldq, float* y, int64_t ldy);

// ---- vocabulary -------------------------------------------------------------------------------------------------------

// One block of a softmax over the vocabulary that is computed block by block (online softmax, Milakov and Gimelshein 2018,
// arXiv:1805.02867), so that the logits are never all in memory. z [N, ldz] holds the logits of the m words from first on. With
// top' = max(top, max(z)): z becomes e^(z - top'), sum = sum * e^(top - top') + the sum of the new z, and mean [N, E]
// (or NULL) *= e^(top - top'). of_target is set to z at the row's target if that is in the block. Before the first block top is
// -INFINITY and sum 0; after the last, log(sum) + top - of_target is the cross-entropy.
P4J_API void p4j_softmax_block(float* z, int64_t ldz, int64_t n, int64_t m, int64_t first, const int64_t* targets, float* top,
                               double* sum, float* of_target, float* mean, int64_t e);

// For each row of logits the log-probabilities of the k largest, best first; ties by index, NaNs like minus infinity. The row
// is not sorted. values [N, k], indices [N, k].
P4J_API void p4j_top_k(const float* logits, int64_t ld, int64_t n, int64_t v, int64_t k, float* values, int64_t* indices);

// ---- optimizer --------------------------------------------------------------------------------------------------------

// A step of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) on a matrix param [M, K] whose gradient is a product,
// g = left^T right with left [P, M] and right [P, K], which is never formed as a whole:
// param *= 1 - rate * decay; mean += (1 - beta1) (g - mean); square = beta2 square + (1 - beta2) g^2;
// param -= rate / (1 - beta1^step) * mean / (sqrt(square / (1 - beta2^step)) + epsilon).
typedef struct {
  double rate, beta1, beta2, epsilon, decay;
  int64_t step;  // from 1
} p4j_adamw;

P4J_API void p4j_adamw_product(const p4j_adamw* how, float* param, float* mean, float* square, int64_t m, int64_t k,
                               const float* left, int64_t ldl, const float* right, int64_t ldr, int64_t p);

#ifdef __cplusplus
}
#endif
#endif
