/* Counts the instructions of each inference in QEMU. With `-icount shift=0` an instruction takes 1 ns of virtual
 * time; timer 0 of the board counts 25 MHz of it, so a step is 40 instructions. Files through semihosting:
 * rows of inputs.bin to rows of answers.bin, and steps of each row, 32 bits little-endian, to steps.bin. */
#include <stdint.h>
#include <stdio.h>

#include "edgewm_model.h"

/* CMSDK APB timer: counts down from its reload value. */
typedef struct {
  volatile uint32_t control, value, reload;
} timer_registers_t;
#define TIMER ((timer_registers_t *)0x40000000)

int main(void) {
  static int8_t input[EDGEWM_MODEL_INPUT_BYTES], output[EDGEWM_MODEL_OUTPUT_BYTES];
  FILE *from = fopen("inputs.bin", "rb"), *answers = fopen("answers.bin", "wb"), *steps = fopen("steps.bin", "wb");
  if (from == NULL || answers == NULL || steps == NULL) {
    return 1;
  }
  TIMER->reload = UINT32_MAX;
  TIMER->value = UINT32_MAX;
  TIMER->control = 1;
  while (fread(input, sizeof input, 1, from) == 1) {
    const uint32_t before = TIMER->value;
    edgewm_model_infer(input, output);
    const uint32_t taken = before - TIMER->value;
    if (fwrite(output, sizeof output, 1, answers) != 1 || fwrite(&taken, sizeof taken, 1, steps) != 1) {
      return 1;
    }
  }
  return fclose(answers) | fclose(steps);
}
