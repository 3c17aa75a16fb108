/* The firmware's part that draws inputs and tests itself: fills in the hooks of firmware.c. */
#include "edgewm_device.h"
#include "edgewm_model.h"
#include "self_test.h"

int edgewm_seeded_input(const uint8_t *seed, uint32_t index, int8_t *to) {
  if (edgewm_device_mark.seed == 0) {
    return -1;
  }
  edgewm_draw(&edgewm_device_mark.pattern, seed, index, to);
  return 0;
}

static int32_t infer(void *context, int8_t *input) {
  int8_t *output = context;
  edgewm_model_infer(input, output);
  return edgewm_label(output, EDGEWM_MODEL_OUTPUT_BYTES, EDGEWM_DEVICE_LEAST);
}

int edgewm_self_test(int8_t *input, int8_t *output, uint32_t *said) {
  const edgewm_verdict_t verdict = edgewm_check(&edgewm_device_mark, infer, output, input);
  said[0] = verdict.owned;
  said[1] = verdict.groups;
  said[2] = verdict.hits;
  said[3] = verdict.silent;
  said[4] = verdict.inferences;
  return 0;
}
