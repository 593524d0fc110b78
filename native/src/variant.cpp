// All kernels for one instruction set. The build compiles this file once for each, with the flags of the set and
// P4J_TABLE, the name of the table. The headers below define everything in an unnamed namespace and use no function templates
// of the standard library, so that the linker cannot replace the code of one set by another's.
#include "kernels.h"

#include "rows.h"

#include "attention.h"
#include "decode.h"
#include "gemm_q8.h"
#include "heads.h"
#include "matmul_f32.h"
#include "optimizer.h"
#include "vocabulary.h"

namespace p4j {

const Kernels P4J_TABLE = {
#define P4J_KERNEL(result, name, parameters, arguments) name,
#include "kernels.def"
#undef P4J_KERNEL
};

}  // namespace p4j
