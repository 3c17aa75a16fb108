/* Sums of products, two rows by two channels at a time: each value loaded is used twice. */
#include "edgewm_dense.h"

#include "edgewm_products.h"
#include "edgewm_requantize.h"

void edgewm_two_rows(const edgewm_layer_t *layer, const int8_t *input, int8_t *output) {
  const int32_t channels = layer->channels;
  const int8_t *weights = layer->weights;
  int32_t channel = 0;
  for (; channel + 1 < channels; channel += 2) {
    int32_t sums[4] = {layer->bias[channel], layer->bias[channel + 1], layer->bias[channel],
                       layer->bias[channel + 1]};
    edgewm_products_2x2(input, weights, layer->depth, sums);
    output[channel] = edgewm_finish(layer, channel, sums[0]);
    output[channel + 1] = edgewm_finish(layer, channel + 1, sums[1]);
    output[channels + channel] = edgewm_finish(layer, channel, sums[2]);
    output[channels + channel + 1] = edgewm_finish(layer, channel + 1, sums[3]);
    weights += 2 * layer->depth;
  }
  if (channel < channels) {
    int32_t sum = edgewm_products(input, weights, layer->depth, layer->bias[channel]);
    output[channel] = edgewm_finish(layer, channel, sum);
    sum = edgewm_products(input + layer->depth, weights, layer->depth, layer->bias[channel]);
    output[channels + channel] = edgewm_finish(layer, channel, sum);
  }
}

void edgewm_one_row(const edgewm_layer_t *layer, const int8_t *input, int8_t *output) {
  const int8_t *weights = layer->weights;
  for (int32_t channel = 0; channel < layer->channels; channel++) {
    const int32_t sum = edgewm_products(input, weights, layer->depth, layer->bias[channel]);
    output[channel] = edgewm_finish(layer, channel, sum);
    weights += layer->depth;
  }
}

void edgewm_dense(const edgewm_layer_t *layer, int32_t rows, const int8_t *input, int8_t *output) {
  for (; rows >= 2; rows -= 2) {
    edgewm_two_rows(layer, input, output);
    input += 2 * layer->depth;
    output += 2 * layer->channels;
  }
  if (rows > 0) {
    edgewm_one_row(layer, input, output);
  }
}
