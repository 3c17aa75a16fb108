/* Softmax in whole numbers, as gemmlowp's fixed point has it. Qm.n below: m bits before the point, n behind. */
#include "edgewm_engine.h"
#include "edgewm_requantize.h"

/* x * 2^bits for a bits that the largest and the smallest number bound. */
static int32_t saturating_left(int32_t x, int32_t bits) {
  const int32_t most = INT32_MAX >> bits;
  if (x > most) {
    return INT32_MAX;
  }
  return x < -most - 1 ? INT32_MIN : (int32_t)((uint32_t)x << bits);
}

/* e^x, Q0.31, for x in Q5.26, not positive: a polynomial on a quarter, times e^-(1/4, 1/2, 1 ... 16). */
static int32_t exponential(int32_t x) {
  static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  const int32_t quarter = 1 << 24;
  const int32_t above_quarter = 1895147668; /* e^(-1/8) */
  const int32_t third = 715827883;
  if (x == 0) {
    return INT32_MAX;
  }
  const int32_t part = (int32_t)((uint32_t)x & (uint32_t)(quarter - 1)) - quarter;
  const uint32_t rest = (uint32_t)(part - x);
  const int32_t y = part * 32 + (1 << 28); /* now around -1/8, in Q0.31 */
  const int32_t y2 = edgewm_high_multiply(y, y);
  const int32_t y3 = edgewm_high_multiply(y2, y);
  const int32_t y4 = edgewm_high_multiply(y2, y2);
  const int32_t tail = edgewm_high_multiply(edgewm_divide_by_power(y4, 2) + y3, third) + y2;
  int32_t result =
      above_quarter + edgewm_high_multiply(above_quarter, y + edgewm_divide_by_power(tail, 1));
  for (int32_t bit = 0; bit < 7; bit++) {
    if ((rest >> (24 + bit)) & 1u) {
      result = edgewm_high_multiply(result, factors[bit]);
    }
  }
  return result;
}

/* 1 / (1 + x), Q0.31, for x in [0, 1): three steps of Newton on Q2.29. */
static int32_t reciprocal(int32_t x) {
  const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
  int32_t y = 1515870810 + edgewm_high_multiply(half, -1010580540); /* 48/17 - 32/17 of it */
  for (int32_t step = 0; step < 3; step++) {
    const int32_t error = (1 << 29) - edgewm_high_multiply(half, y);
    y += saturating_left(edgewm_high_multiply(y, error), 2);
  }
  return saturating_left(y, 1);
}

static int32_t leading_zeros(uint32_t x) {
  int32_t count = 0;
  for (; (x & 0x80000000u) == 0; x <<= 1) {
    count++;
  }
  return count;
}

/* e^((value - most) * scale), Q0.31. */
static int32_t weight(int32_t difference, int32_t multiplier, int32_t shift) {
  return exponential(edgewm_high_multiply((int32_t)((uint32_t)difference << shift), multiplier));
}

static void row(int32_t depth, int32_t multiplier, int32_t shift, int32_t smallest, const int8_t *input,
                int8_t *output) {
  int32_t most = INT8_MIN;
  for (int32_t at = 0; at < depth; at++) {
    most = input[at] > most ? input[at] : most;
  }
  int32_t sum = 0; /* Q12.19; never 0, since the largest value adds one */
  for (int32_t at = 0; at < depth; at++) {
    if (input[at] - most >= smallest) {
      sum += edgewm_divide_by_power(weight(input[at] - most, multiplier, shift), 12);
    }
  }
  const int32_t zeros = leading_zeros((uint32_t)sum);
  const int32_t exponent = 12 - zeros + 31 - 8;
  const int32_t scale = reciprocal((int32_t)(((uint32_t)sum << zeros) - 0x80000000u));
  for (int32_t at = 0; at < depth; at++) {
    int32_t share = 0;
    if (input[at] - most >= smallest) {
      share = edgewm_high_multiply(scale, weight(input[at] - most, multiplier, shift));
      /* above 512 equal values a share is below half a step, and TensorFlow Lite Micro would stop */
      share = exponent > 31 ? 0 : edgewm_divide_by_power(share, exponent);
    }
    output[at] = edgewm_clamp(share + INT8_MIN, INT8_MIN, INT8_MAX);
  }
}

void edgewm_softmax(int32_t rows, int32_t depth, int32_t multiplier, int32_t shift, int32_t smallest,
                    const int8_t *input, int8_t *output) {
  for (; rows > 0; rows--, input += depth, output += depth) {
    row(depth, multiplier, shift, smallest, input, output);
  }
}
