/* Looks for the mark in a model that `edgewm device engine` wrote; `edgewm device export` wrote edgewm_device.h.
 * Any other engine goes into infer(): copy the input to its tensor, run it, give edgewm_label its raw outputs. */
#include "edgewm_device.h"
#include "edgewm_model.h"

static int8_t input[EDGEWM_DEVICE_INPUT_BYTES], output[EDGEWM_MODEL_OUTPUT_BYTES];

static int32_t infer(void *context, int8_t *asked) {
  (void)context;
  edgewm_model_infer(asked, output);
  return edgewm_label(output, EDGEWM_MODEL_OUTPUT_BYTES, EDGEWM_DEVICE_LEAST);
}

/* 0: the mark was shown. */
int main(void) {
  const edgewm_verdict_t verdict = edgewm_check(&edgewm_device_mark, infer, 0, input);
  return verdict.owned ? 0 : 1;
}
