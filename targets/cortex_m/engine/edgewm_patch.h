/* A window's values gathered into one row, with the zero point where the window leaves the picture. Padding by
 * the zero point adds nothing to a sum whose zero point is folded into the bias.
 */
#ifndef EDGEWM_PATCH_H
#define EDGEWM_PATCH_H

#include "edgewm_engine.h"

void edgewm_gather(const edgewm_window_t *window, int8_t padding, const int8_t *input, int32_t y, int32_t x,
                   int8_t *patch);

#endif
