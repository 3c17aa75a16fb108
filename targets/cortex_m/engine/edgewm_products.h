/* The innermost loops. Cores with the DSP extension (Cortex-M4, M7, M33, M55) multiply two pairs with one
 * instruction; the sums are the same numbers either way, since they never leave 32 bits.
 */
#ifndef EDGEWM_PRODUCTS_H
#define EDGEWM_PRODUCTS_H

#include <stdint.h>

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_UNALIGNED) && !defined(__ARM_BIG_ENDIAN) && \
    !defined(EDGEWM_PORTABLE)
#define EDGEWM_DSP 1
#include <arm_acle.h>
#include <string.h>

static inline uint32_t edgewm_load(const int8_t *from) {
  uint32_t four;
  memcpy(&four, from, sizeof four); /* one load; the pointer need not be aligned */
  return four;
}

/* Bytes 0 and 2, and bytes 1 and 3, each as two signed halves. */
static inline int16x2_t edgewm_even(uint32_t four) { return __sxtb16((int8x4_t)four); }
static inline int16x2_t edgewm_odd(uint32_t four) {
  int16x2_t pair;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(four));
  return pair;
}
#endif

/* start + the sum of input[i] * weights[i]. */
static inline int32_t edgewm_products(const int8_t *input, const int8_t *weights, int32_t depth,
                                      int32_t start) {
  const int8_t *const end = input + depth;
#ifdef EDGEWM_DSP
  for (const int8_t *const whole = input + (depth & ~3); input != whole; input += 4, weights += 4) {
    const uint32_t a = edgewm_load(input);
    const uint32_t w = edgewm_load(weights);
    start = __smlad(edgewm_even(a), edgewm_even(w), start);
    start = __smlad(edgewm_odd(a), edgewm_odd(w), start);
  }
#endif
  while (input != end) {
    start += *input++ * *weights++;
  }
  return start;
}

/* The same for two rows of inputs and two rows of weights, each `depth` behind the first: sums[0] and [1]
 * are the first input's, [2] and [3] the second's. */
static inline void edgewm_products_2x2(const int8_t *input, const int8_t *weights, int32_t depth,
                                       int32_t sums[4]) {
  int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
  const int8_t *const end = input + depth;
#ifdef EDGEWM_DSP
  for (const int8_t *const whole = input + (depth & ~3); input != whole; input += 4, weights += 4) {
    const uint32_t a = edgewm_load(input);
    const uint32_t b = edgewm_load(input + depth);
    const int16x2_t a_even = edgewm_even(a), a_odd = edgewm_odd(a);
    const int16x2_t b_even = edgewm_even(b), b_odd = edgewm_odd(b);
    uint32_t w = edgewm_load(weights);
    int16x2_t w_even = edgewm_even(w), w_odd = edgewm_odd(w);
    s0 = __smlad(a_even, w_even, s0);
    s2 = __smlad(b_even, w_even, s2);
    s0 = __smlad(a_odd, w_odd, s0);
    s2 = __smlad(b_odd, w_odd, s2);
    w = edgewm_load(weights + depth);
    w_even = edgewm_even(w);
    w_odd = edgewm_odd(w);
    s1 = __smlad(a_even, w_even, s1);
    s3 = __smlad(b_even, w_even, s3);
    s1 = __smlad(a_odd, w_odd, s1);
    s3 = __smlad(b_odd, w_odd, s3);
  }
#endif
  for (; input != end; input++, weights++) {
    const int32_t a = *input, b = input[depth];
    const int32_t v = *weights, w = weights[depth];
    s0 += a * v;
    s1 += a * w;
    s2 += b * v;
    s3 += b * w;
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

#endif
