/* Arm's MPS2 and MPS3 boards: CMSDK UART; time from a CMSDK timer, or from the system counter of SSE-300. */
#include "board.h"

typedef struct {
  volatile uint32_t data, state, control, interrupt, divider;
} uart_registers_t;
#define UART ((uart_registers_t *)EDGEWM_UART)
#define UART_FULL_OUT 1u
#define UART_FULL_IN 2u
#define UART_RECEIVED 2u
#define NVIC_ENABLE ((volatile uint32_t *)0xE000E100u)
#define NVIC_FORGET ((volatile uint32_t *)0xE000E280u)

#ifdef EDGEWM_COUNTER
typedef struct {
  volatile uint32_t control, status, low, high;
} counter_registers_t;
#define COUNTER ((counter_registers_t *)EDGEWM_COUNTER)
#else
typedef struct {
  volatile uint32_t control, value, reload;
} timer_registers_t;
#define TIMER ((timer_registers_t *)EDGEWM_TIMER)
#endif

#define PAINT 0xED6EED6Eu
#define UNPAINTED_BYTES 64u
extern uint32_t edgewm_stack_top, edgewm_bss_end;
static uint32_t *lowest_paint;

void edgewm_board_start(void) {
  /* interrupts stay masked: a pending one wakes the core and no handler runs */
  __asm volatile("cpsid i" ::: "memory");
  UART->divider = 16;
  UART->control = 1u | 2u | 8u;
  NVIC_ENABLE[EDGEWM_UART_INTERRUPT / 32] = 1u << (EDGEWM_UART_INTERRUPT % 32);
#ifdef EDGEWM_COUNTER
  COUNTER->control = 1;
#else
  TIMER->reload = UINT32_MAX;
  TIMER->value = UINT32_MAX;
  TIMER->control = 1;
#endif
}

char edgewm_board_read(void) {
  while ((UART->state & UART_FULL_IN) == 0) {
    __asm volatile("wfi" ::: "memory");
    UART->interrupt = UART_RECEIVED;
    NVIC_FORGET[EDGEWM_UART_INTERRUPT / 32] = 1u << (EDGEWM_UART_INTERRUPT % 32);
  }
  return (char)UART->data;
}

void edgewm_board_write(char character) {
  while ((UART->state & UART_FULL_OUT) != 0) {
  }
  UART->data = (uint8_t)character;
}

uint64_t edgewm_board_ticks(void) {
#ifdef EDGEWM_COUNTER
  const uint32_t now = COUNTER->low;
#else
  const uint32_t now = UINT32_MAX - TIMER->value;
#endif
  static uint32_t last, wraps;
  wraps += now < last;
  last = now;
  return (uint64_t)wraps << 32 | now;
}

void edgewm_paint_stack(void) {
  uint32_t here;
  lowest_paint = &edgewm_bss_end;
  for (uint32_t *at = lowest_paint; at + UNPAINTED_BYTES / 4 < &here; at++) {
    *at = PAINT;
  }
}

uint32_t edgewm_stack_bytes(void) {
  const uint32_t *at = lowest_paint;
  while (at < &edgewm_stack_top && *at == PAINT) {
    at++;
  }
  return (uint32_t)((uintptr_t)&edgewm_stack_top - (uintptr_t)at);
}
