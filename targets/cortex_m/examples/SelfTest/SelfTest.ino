// Looks for the mark once and says what it found. Copy beside this file: edgewm_device.h (edgewm device export)
// and the files of edgewm device engine, or call an engine of your own in infer().
#include "edgewm_device.h"
#include "edgewm_model.h"

static int8_t input[EDGEWM_DEVICE_INPUT_BYTES], output[EDGEWM_MODEL_OUTPUT_BYTES];

static int32_t infer(void *, int8_t *asked) {
  edgewm_model_infer(asked, output);
  return edgewm_label(output, EDGEWM_MODEL_OUTPUT_BYTES, EDGEWM_DEVICE_LEAST);
}

void setup() {
  Serial.begin(115200);
  const edgewm_verdict_t verdict = edgewm_check(&edgewm_device_mark, infer, nullptr, input);
  Serial.print(verdict.owned ? "mark shown after " : "mark not shown after ");
  Serial.print(verdict.inferences);
  Serial.println(" inferences");
}

void loop() {}
