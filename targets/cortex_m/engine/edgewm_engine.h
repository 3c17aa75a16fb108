/* Kernels of the int8 models that `edgewm device engine` writes. Portable C99: no heap, no floating point,
 * nothing of libc but memcpy and memset. Results equal TensorFlow Lite Micro's reference kernels bit for bit.
 *
 * Tensors are int8, batch 1, in the order height, width, channels. What a kernel needs is in a constant
 * structure; activations come as pointers of any alignment.
 */
#ifndef EDGEWM_ENGINE_H
#define EDGEWM_ENGINE_H

#include <stdint.h>

/* A matrix of weights and what turns its sums back to int8. The input's zero point is folded into `bias`. */
typedef struct {
  const int8_t *weights;      /* channels x depth */
  const int32_t *bias;        /* one a channel */
  const int32_t *multipliers; /* one a channel */
  const int8_t *shifts;       /* one a channel; positive is left */
  int32_t depth;              /* products a sum */
  int32_t channels;           /* of the output */
  int32_t zero_point;         /* of the output */
  int32_t minimum;            /* of the output, with its activation */
  int32_t maximum;
} edgewm_layer_t;

/* Where a window goes over a picture. */
typedef struct {
  int32_t input_height, input_width, channels;
  int32_t output_height, output_width;
  int32_t window_height, window_width;
  int32_t stride_height, stride_width;
  int32_t dilation_height, dilation_width;
  int32_t pad_top, pad_left;
} edgewm_window_t;

/* FULLY_CONNECTED, and CONV_2D of one pixel: `rows` rows of `depth` values to rows of `channels`. */
void edgewm_dense(const edgewm_layer_t *layer, int32_t rows, const int8_t *input, int8_t *output);

/* CONV_2D. `patches` is room for 2 * depth values; `padding` is the input's zero point. */
void edgewm_convolve(const edgewm_layer_t *layer, const edgewm_window_t *window, int8_t padding,
                     const int8_t *input, int8_t *patches, int8_t *output);

/* DEPTHWISE_CONV_2D, weights window x channels of the output; each input channel gives as many output
 * channels as the two numbers say. `patch` is room for a window of input values. */
void edgewm_depthwise(const edgewm_layer_t *layer, const edgewm_window_t *window, int8_t padding,
                      const int8_t *input, int8_t *patch, int8_t *output);

void edgewm_average_pool(const edgewm_window_t *window, int32_t minimum, int32_t maximum,
                         const int8_t *input, int8_t *output);
void edgewm_max_pool(const edgewm_window_t *window, int32_t minimum, int32_t maximum,
                     const int8_t *input, int8_t *output);

/* MEAN over the middle one of three axes; the division is in the multiplier. */
typedef struct {
  int32_t outer, reduced, inner;
  int32_t offset; /* added to each sum: minus the input's zero point, times `reduced` */
  int32_t multiplier, shift;
  int32_t zero_point; /* of the output */
} edgewm_mean_t;
void edgewm_mean(const edgewm_mean_t *mean, const int8_t *input, int8_t *output);

/* ADD, SUB and MUL. The second input is repeated every `period` values. */
typedef struct {
  int32_t count, period;
  int32_t first_offset, second_offset; /* minus the zero points */
  int32_t first_multiplier, first_shift;
  int32_t second_multiplier, second_shift;
  int32_t multiplier, shift;
  int32_t zero_point, minimum, maximum;
} edgewm_pair_t;
void edgewm_add(const edgewm_pair_t *pair, const int8_t *first, const int8_t *second, int8_t *output);
void edgewm_subtract(const edgewm_pair_t *pair, const int8_t *first, const int8_t *second,
                     int8_t *output);
/* Uses neither of the inputs' own multipliers. */
void edgewm_multiply(const edgewm_pair_t *pair, const int8_t *first, const int8_t *second,
                     int8_t *output);

/* What depends on one value alone (QUANTIZE, LOGISTIC, RELU ...): table[x + 128]. */
void edgewm_lookup(const int8_t *table, int32_t count, const int8_t *input, int8_t *output);

/* SOFTMAX over the last axis; differences below `smallest` give the smallest output. */
void edgewm_softmax(int32_t rows, int32_t depth, int32_t multiplier, int32_t shift, int32_t smallest,
                    const int8_t *input, int8_t *output);

/* PAD of four axes: how many values before and behind each. */
typedef struct {
  int32_t shape[4];
  int32_t before[4];
  int32_t after[4];
  int8_t value;
} edgewm_pad_t;
void edgewm_pad(const edgewm_pad_t *pad, const int8_t *input, int8_t *output);

/* One input of CONCATENATION: `rows` pieces of `piece` values, `stride` values apart in the output. */
void edgewm_place(int32_t rows, int32_t piece, int32_t stride, const int8_t *input, int8_t *output);

#endif
