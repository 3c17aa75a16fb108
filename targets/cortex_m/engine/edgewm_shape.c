#include <string.h>

#include "edgewm_engine.h"

void edgewm_pad(const edgewm_pad_t *pad, const int8_t *input, int8_t *output) {
  int32_t size[4];
  for (int32_t axis = 0; axis < 4; axis++) {
    size[axis] = pad->before[axis] + pad->shape[axis] + pad->after[axis];
  }
  memset(output, pad->value, (size_t)(size[0] * size[1] * size[2] * size[3]));
  for (int32_t a = 0; a < pad->shape[0]; a++) {
    for (int32_t b = 0; b < pad->shape[1]; b++) {
      for (int32_t c = 0; c < pad->shape[2]; c++, input += pad->shape[3]) {
        const int32_t row =
            ((a + pad->before[0]) * size[1] + b + pad->before[1]) * size[2] + c + pad->before[2];
        memcpy(output + row * size[3] + pad->before[3], input, (size_t)pad->shape[3]);
      }
    }
  }
}

void edgewm_place(int32_t rows, int32_t piece, int32_t stride, const int8_t *input, int8_t *output) {
  for (; rows > 0; rows--, input += piece, output += stride) {
    memcpy(output, input, (size_t)piece);
  }
}
