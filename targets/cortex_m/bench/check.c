/* What the checker takes by itself on a perfect mark (argument "marked") or on none: a network that costs nothing
 * answers. Prints owned, groups, inferences, steps of 25 MHz, steps of one drawn input, deepest stack in bytes. */
#include <stdio.h>

#include "edgewm_device.h"

typedef struct {
  volatile uint32_t control, value, reload;
} timer_registers_t;
#define TIMER ((timer_registers_t *)0x40000000)
#define PAINTED 1024u
#define PAINT 0xEDu

static uint32_t asked;

static int32_t infer(void *context, int8_t *input) {
  (void)input;
  const uint16_t answer = edgewm_device_groups[asked++].answer;
  return answer ^ (context == NULL);
}

int main(int count, char **arguments) {
  static int8_t input[EDGEWM_DEVICE_INPUT_BYTES];
  (void)arguments;
  TIMER->reload = UINT32_MAX;
  TIMER->value = UINT32_MAX;
  TIMER->control = 1;
  /* whatever main calls uses the stack below its own, which is painted beforehand */
  volatile uint8_t *top;
  __asm volatile("mov %0, sp" : "=r"(top));
  for (uint32_t below = 1; below <= PAINTED; below++) {
    top[-(int32_t)below] = PAINT;
  }
  const uint32_t before = TIMER->value;
  const edgewm_verdict_t verdict = edgewm_check(&edgewm_device_mark, infer, count > 1 ? input : NULL, input);
  const uint32_t taken = before - TIMER->value;
  uint32_t stack = PAINTED;
  while (stack > 0 && top[-(int32_t)stack] == PAINT) {
    stack--;
  }
  const uint32_t start = TIMER->value;
  edgewm_draw(&edgewm_device_mark.pattern, edgewm_device_mark.seed, 0, input);
  const uint32_t drawn = start - TIMER->value;
  printf("%u %u %u %lu %lu %lu\n", (unsigned)verdict.owned, (unsigned)verdict.groups, (unsigned)verdict.inferences,
         (unsigned long)taken, (unsigned long)drawn, (unsigned long)stack);
  return 0;
}
