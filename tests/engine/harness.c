/* Runs every model of models.h on its rows of inputs.bin and writes what they answer to answers.bin. Buffers
 * are of the exact size, so that a checker of addresses sees the first byte outside. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MODEL(number, inputs, outputs) void infer_##number(const int8_t *input, int8_t *output);
#include "models.h"
#undef MODEL

typedef struct {
  void (*infer)(const int8_t *input, int8_t *output);
  size_t inputs, outputs;
} model_t;

#define MODEL(number, inputs, outputs) {infer_##number, inputs, outputs},
static const model_t models[] = {
#include "models.h"
};

int main(void) {
  FILE *from = fopen("inputs.bin", "rb"), *to = fopen("answers.bin", "wb");
  int failed = from == NULL || to == NULL;
  for (size_t at = 0; !failed && at < sizeof models / sizeof models[0]; at++) {
    int8_t *input = malloc(models[at].inputs), *output = malloc(models[at].outputs);
    for (int row = 0; !failed && row < ROWS; row++) {
      failed = fread(input, models[at].inputs, 1, from) != 1;
      models[at].infer(input, output);
      failed |= fwrite(output, models[at].outputs, 1, to) != 1;
    }
    free(input);
    free(output);
  }
  failed |= to != NULL && fclose(to) != 0;
  return failed;
}
