#include "edgewm_engine.h"
#include "edgewm_requantize.h"

/* The part of a window that lies in the picture, and its values of one channel. */
typedef struct {
  int32_t first_y, last_y, first_x, last_x;
} part_t;

static part_t inside(const edgewm_window_t *window, int32_t y, int32_t x) {
  const int32_t top = y * window->stride_height - window->pad_top;
  const int32_t left = x * window->stride_width - window->pad_left;
  const int32_t bottom = top + window->window_height;
  const int32_t right = left + window->window_width;
  const part_t part = {top < 0 ? 0 : top, bottom < window->input_height ? bottom : window->input_height,
                       left < 0 ? 0 : left, right < window->input_width ? right : window->input_width};
  return part;
}

static int32_t average(const edgewm_window_t *window, part_t part, const int8_t *input) {
  const int32_t count = (part.last_y - part.first_y) * (part.last_x - part.first_x);
  int32_t sum = 0;
  for (int32_t y = part.first_y; y < part.last_y; y++) {
    const int8_t *values = input + (y * window->input_width + part.first_x) * window->channels;
    for (int32_t x = part.first_x; x < part.last_x; x++, values += window->channels) {
      sum += *values;
    }
  }
  return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

static int32_t largest(const edgewm_window_t *window, part_t part, const int8_t *input) {
  int32_t most = INT8_MIN;
  for (int32_t y = part.first_y; y < part.last_y; y++) {
    const int8_t *values = input + (y * window->input_width + part.first_x) * window->channels;
    for (int32_t x = part.first_x; x < part.last_x; x++, values += window->channels) {
      most = *values > most ? *values : most;
    }
  }
  return most;
}

void edgewm_average_pool(const edgewm_window_t *window, int32_t minimum, int32_t maximum,
                         const int8_t *input, int8_t *output) {
  for (int32_t y = 0; y < window->output_height; y++) {
    for (int32_t x = 0; x < window->output_width; x++) {
      const part_t part = inside(window, y, x);
      for (int32_t channel = 0; channel < window->channels; channel++) {
        *output++ = edgewm_clamp(average(window, part, input + channel), minimum, maximum);
      }
    }
  }
}

void edgewm_max_pool(const edgewm_window_t *window, int32_t minimum, int32_t maximum,
                     const int8_t *input, int8_t *output) {
  for (int32_t y = 0; y < window->output_height; y++) {
    for (int32_t x = 0; x < window->output_width; x++) {
      const part_t part = inside(window, y, x);
      for (int32_t channel = 0; channel < window->channels; channel++) {
        *output++ = edgewm_clamp(largest(window, part, input + channel), minimum, maximum);
      }
    }
  }
}

void edgewm_mean(const edgewm_mean_t *mean, const int8_t *input, int8_t *output) {
  for (int32_t outer = 0; outer < mean->outer; outer++, input += mean->reduced * mean->inner) {
    for (int32_t inner = 0; inner < mean->inner; inner++) {
      const int8_t *values = input + inner;
      int32_t sum = 0;
      for (int32_t at = 0; at < mean->reduced; at++, values += mean->inner) {
        sum += *values;
      }
      sum = edgewm_scale(sum + mean->offset, mean->multiplier, mean->shift) + mean->zero_point;
      *output++ = edgewm_clamp(sum, INT8_MIN, INT8_MAX);
    }
  }
}
