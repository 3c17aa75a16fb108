/* Each channel has its own window of weights, so nothing loaded is used twice: four channels at a time where
 * the core has the DSP extension. */
#include "edgewm_patch.h"
#include "edgewm_products.h"
#include "edgewm_requantize.h"

/* One output pixel. Rows of the window are `row` values apart in `input`. */
static void pixel(const edgewm_layer_t *layer, const edgewm_window_t *window, const int8_t *input, int32_t row,
                  int8_t *output) {
  const int32_t channels = layer->channels;
  const int32_t line = window->window_width * channels;
  int32_t channel = 0;
#ifdef EDGEWM_DSP
  for (; channel + 4 <= channels; channel += 4) {
    int32_t s0 = layer->bias[channel], s1 = layer->bias[channel + 1];
    int32_t s2 = layer->bias[channel + 2], s3 = layer->bias[channel + 3];
    const int8_t *weights = layer->weights + channel;
    const int8_t *values = input + channel;
    for (int32_t y = 0; y < window->window_height; y++, values += row - line) {
      for (const int8_t *const end = values + line; values != end; values += channels, weights += channels) {
        const uint32_t a = edgewm_load(values);
        const uint32_t w = edgewm_load(weights);
        const int16x2_t a_even = edgewm_even(a), w_even = edgewm_even(w);
        const int16x2_t a_odd = edgewm_odd(a), w_odd = edgewm_odd(w);
        s0 = __smlabb(a_even, w_even, s0);
        s1 = __smlabb(a_odd, w_odd, s1);
        s2 = __smlatt(a_even, w_even, s2);
        s3 = __smlatt(a_odd, w_odd, s3);
      }
    }
    output[channel] = edgewm_finish(layer, channel, s0);
    output[channel + 1] = edgewm_finish(layer, channel + 1, s1);
    output[channel + 2] = edgewm_finish(layer, channel + 2, s2);
    output[channel + 3] = edgewm_finish(layer, channel + 3, s3);
  }
#endif
  for (; channel < channels; channel++) {
    int32_t sum = layer->bias[channel];
    const int8_t *weights = layer->weights + channel;
    const int8_t *values = input + channel;
    for (int32_t y = 0; y < window->window_height; y++, values += row - line) {
      for (const int8_t *const end = values + line; values != end; values += channels, weights += channels) {
        sum += *values * *weights;
      }
    }
    output[channel] = edgewm_finish(layer, channel, sum);
  }
}

/* One output pixel where an input channel gives several: `patch` is the gathered window. */
static void pixel_of_several(const edgewm_layer_t *layer, const edgewm_window_t *window, const int8_t *patch,
                             int8_t *output) {
  const int32_t each = layer->channels / window->channels;
  const int32_t positions = window->window_height * window->window_width;
  for (int32_t channel = 0; channel < layer->channels; channel++) {
    const int8_t *weights = layer->weights + channel;
    const int8_t *values = patch + channel / each;
    int32_t sum = layer->bias[channel];
    for (int32_t at = 0; at < positions; at++) {
      sum += *values * *weights;
      values += window->channels;
      weights += layer->channels;
    }
    output[channel] = edgewm_finish(layer, channel, sum);
  }
}

void edgewm_depthwise(const edgewm_layer_t *layer, const edgewm_window_t *window, int8_t padding,
                      const int8_t *input, int8_t *patch, int8_t *output) {
  const int32_t channels = window->channels;
  const int simple = layer->channels == channels;
  for (int32_t y = 0; y < window->output_height; y++) {
    const int32_t top = y * window->stride_height - window->pad_top;
    const int rows_inside = top >= 0 && top + window->window_height <= window->input_height &&
                            window->dilation_height == 1 && window->dilation_width == 1;
    for (int32_t x = 0; x < window->output_width; x++, output += layer->channels) {
      const int32_t left = x * window->stride_width - window->pad_left;
      if (simple && rows_inside && left >= 0 && left + window->window_width <= window->input_width) {
        const int32_t row = window->input_width * channels;
        pixel(layer, window, input + top * row + left * channels, row, output);
        continue;
      }
      edgewm_gather(window, padding, input, top, left, patch);
      if (simple) {
        pixel(layer, window, patch, window->window_width * channels, output);
      } else {
        pixel_of_several(layer, window, patch, output);
      }
    }
  }
}
