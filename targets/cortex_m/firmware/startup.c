/* From reset to main: data copied, the rest zeroed, the stack painted so that its deepest use can be read later. */
#include "board.h"

extern uint32_t edgewm_stack_top, edgewm_data_start, edgewm_data_end, edgewm_data_stored, edgewm_bss_start,
    edgewm_bss_end;

int main(void);
void edgewm_reset(void);
void edgewm_fault(void);

__attribute__((section(".vectors"), used)) static const struct {
  uint32_t *stack;
  void (*handlers[15])(void);
} vectors = {&edgewm_stack_top,
             {edgewm_reset, edgewm_fault, edgewm_fault, edgewm_fault, edgewm_fault, edgewm_fault, edgewm_fault,
              edgewm_fault, edgewm_fault, edgewm_fault, edgewm_fault, edgewm_fault, edgewm_fault, edgewm_fault,
              edgewm_fault}};

void edgewm_fault(void) {
  for (;;) {
  }
}

void edgewm_reset(void) {
  const uint32_t *from = &edgewm_data_stored;
  for (uint32_t *to = &edgewm_data_start; to < &edgewm_data_end;) {
    *to++ = *from++;
  }
  for (uint32_t *to = &edgewm_bss_start; to < &edgewm_bss_end;) {
    *to++ = 0;
  }
  edgewm_paint_stack();
  (void)main();
  edgewm_fault();
}
