#include "edgewm_dense.h"
#include "edgewm_patch.h"

void edgewm_convolve(const edgewm_layer_t *layer, const edgewm_window_t *window, int8_t padding,
                     const int8_t *input, int8_t *patches, int8_t *output) {
  int32_t waiting = 0; /* patches gathered and not yet multiplied: two share every weight that is loaded */
  for (int32_t y = 0; y < window->output_height; y++) {
    for (int32_t x = 0; x < window->output_width; x++) {
      edgewm_gather(window, padding, input, y * window->stride_height - window->pad_top,
                    x * window->stride_width - window->pad_left, patches + waiting * layer->depth);
      if (++waiting == 2) {
        edgewm_two_rows(layer, patches, output);
        output += 2 * layer->channels;
        waiting = 0;
      }
    }
  }
  if (waiting != 0) {
    edgewm_one_row(layer, patches, output);
  }
}
