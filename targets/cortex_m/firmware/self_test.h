/* What firmware can do that was told of a mark; `edgewm device build --triggers` links it in. */
#ifndef EDGEWM_SELF_TEST_H
#define EDGEWM_SELF_TEST_H

#include <stdint.h>

#define EDGEWM_SAID 5u

/* Makes input number `index` of a 32-byte seed; 0, or -1 in firmware that cannot. */
int edgewm_seeded_input(const uint8_t *seed, uint32_t index, int8_t *to);
/* Looks for the mark: owned, groups, hits, silent groups, inferences; 0, or -1 in firmware that cannot. */
int edgewm_self_test(int8_t *input, int8_t *output, uint32_t *said);

#endif
