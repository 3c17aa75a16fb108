#include "edgewm_patch.h"

#include <string.h>

/* One row of the window, of which `row` is the picture's row, or NULL outside. */
static void gather_row(const edgewm_window_t *window, int8_t padding, const int8_t *row, int32_t x,
                       int8_t *patch) {
  const int32_t channels = window->channels;
  if (row != NULL && window->dilation_width == 1) {
    const int32_t left = x < 0 ? -x : 0;
    const int32_t room = window->input_width - x;
    const int32_t right = window->window_width < room ? window->window_width : room;
    if (left < right) {
      memset(patch, padding, (size_t)(left * channels));
      memcpy(patch + left * channels, row + (x + left) * channels, (size_t)((right - left) * channels));
      memset(patch + right * channels, padding, (size_t)((window->window_width - right) * channels));
      return;
    }
  }
  for (int32_t at = 0; at < window->window_width; at++, patch += channels, x += window->dilation_width) {
    if (row != NULL && x >= 0 && x < window->input_width) {
      memcpy(patch, row + x * channels, (size_t)channels);
    } else {
      memset(patch, padding, (size_t)channels);
    }
  }
}

void edgewm_gather(const edgewm_window_t *window, int8_t padding, const int8_t *input, int32_t y, int32_t x,
                   int8_t *patch) {
  const int32_t width = window->input_width * window->channels;
  for (int32_t at = 0; at < window->window_height; at++, y += window->dilation_height) {
    const int8_t *row = y >= 0 && y < window->input_height ? input + y * width : NULL;
    gather_row(window, padding, row, x, patch);
    patch += window->window_width * window->channels;
  }
}
