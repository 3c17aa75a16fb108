/* The least that a Cortex-M needs to reach newlib's own start: two vectors. The emulator loads the program with
 * its data in place; semihosting gives it files and the command line. */
#include <stdint.h>

extern uint32_t __stack;
void _start(void);

__attribute__((section(".vectors"), used)) static const struct {
  uint32_t *stack;
  void (*reset)(void);
} vectors = {&__stack, _start};
