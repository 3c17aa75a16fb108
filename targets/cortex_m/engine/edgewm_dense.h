/* What CONV_2D shares with FULLY_CONNECTED: one or two rows of values to all channels. */
#ifndef EDGEWM_DENSE_H
#define EDGEWM_DENSE_H

#include "edgewm_engine.h"

/* Rows lie behind each other, `depth` values in and `channels` values out. */
void edgewm_one_row(const edgewm_layer_t *layer, const int8_t *input, int8_t *output);
void edgewm_two_rows(const edgewm_layer_t *layer, const int8_t *input, int8_t *output);

#endif
