#include "edgewm_engine.h"
#include "edgewm_requantize.h"

/* The first plus `sign` times the second, whose scaled value is rounded before its sign is changed. */
static inline void join(const edgewm_pair_t *pair, const int8_t *first, const int8_t *second, int8_t *output,
                        int32_t sign) {
  for (int32_t start = 0; start < pair->count; start += pair->period) {
    for (int32_t at = 0; at < pair->period; at++) {
      /* 20 bits of room below the point, as TensorFlow Lite has */
      const int32_t a = (*first++ + pair->first_offset) * (1 << 20);
      const int32_t b = (second[at] + pair->second_offset) * (1 << 20);
      const int32_t sum = edgewm_scale(a, pair->first_multiplier, pair->first_shift) +
                          sign * edgewm_scale(b, pair->second_multiplier, pair->second_shift);
      const int32_t scaled = edgewm_scale(sum, pair->multiplier, pair->shift) + pair->zero_point;
      *output++ = edgewm_clamp(scaled, pair->minimum, pair->maximum);
    }
  }
}

void edgewm_add(const edgewm_pair_t *pair, const int8_t *first, const int8_t *second, int8_t *output) {
  join(pair, first, second, output, 1);
}

void edgewm_subtract(const edgewm_pair_t *pair, const int8_t *first, const int8_t *second, int8_t *output) {
  join(pair, first, second, output, -1);
}

void edgewm_multiply(const edgewm_pair_t *pair, const int8_t *first, const int8_t *second,
                     int8_t *output) {
  for (int32_t start = 0; start < pair->count; start += pair->period) {
    for (int32_t at = 0; at < pair->period; at++) {
      const int32_t product = (*first++ + pair->first_offset) * (second[at] + pair->second_offset);
      const int32_t scaled = edgewm_scale(product, pair->multiplier, pair->shift) + pair->zero_point;
      *output++ = edgewm_clamp(scaled, pair->minimum, pair->maximum);
    }
  }
}

void edgewm_lookup(const int8_t *table, int32_t count, const int8_t *input, int8_t *output) {
  for (int32_t at = 0; at < count; at++) {
    output[at] = table[input[at] + 128];
  }
}
