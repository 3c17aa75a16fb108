/* What the firmware asks of a board; board.c has it for Arm's MPS2 and MPS3. */
#ifndef EDGEWM_BOARD_H
#define EDGEWM_BOARD_H

#include <stdint.h>

void edgewm_board_start(void);
/* Waits for a character; the core sleeps meanwhile. */
char edgewm_board_read(void);
void edgewm_board_write(char character);
/* Ticks of EDGEWM_CLOCK_HZ since the start; to be called at least once a minute. */
uint64_t edgewm_board_ticks(void);

/* Fills the unused stack with a pattern; deepest use of it in bytes so far. */
void edgewm_paint_stack(void);
uint32_t edgewm_stack_bytes(void);

#endif
