/* From 32-bit sums back to int8, rounded twice as TensorFlow Lite Micro's reference kernels do.
 *
 * A real factor is multiplier * 2^(shift - 31) with multiplier in [2^30, 2^31). The product is rounded to
 * 32 bits, then shifted right and rounded again: ties go up in the first step, away from zero in the second.
 */
#ifndef EDGEWM_REQUANTIZE_H
#define EDGEWM_REQUANTIZE_H

#include "edgewm_engine.h"

/* Shifting a negative number right is left to the compiler by C99; every kernel here needs the sign kept. */
typedef char edgewm_right_shift_keeps_the_sign[((int32_t)-3 >> 1) == -2 ? 1 : -1];

/* a * b / 2^31, rounded. Not for a = b = INT32_MIN, which no caller can have: one of the two is positive. */
static inline int32_t edgewm_high_multiply(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^exponent, rounded, exponent in [0, 31]; x is not INT32_MIN. */
static inline int32_t edgewm_divide_by_power(int32_t x, int32_t exponent) {
  if (exponent == 0) {
    return x;
  }
  return (((x - (x < 0)) >> (exponent - 1)) + 1) >> 1;
}

static inline int32_t edgewm_scale(int32_t x, int32_t multiplier, int32_t shift) {
  if (shift >= 0) {
    return edgewm_high_multiply((int32_t)((uint32_t)x << shift), multiplier);
  }
  return edgewm_divide_by_power(edgewm_high_multiply(x, multiplier), -shift);
}

static inline int8_t edgewm_clamp(int32_t x, int32_t minimum, int32_t maximum) {
  x = x < minimum ? minimum : x;
  return (int8_t)(x > maximum ? maximum : x);
}

/* A layer's sum as the value of its output. */
static inline int8_t edgewm_finish(const edgewm_layer_t *layer, int32_t channel, int32_t sum) {
  const int32_t scaled = edgewm_scale(sum, layer->multipliers[channel], layer->shifts[channel]);
  return edgewm_clamp(scaled + layer->zero_point, layer->minimum, layer->maximum);
}

#endif
