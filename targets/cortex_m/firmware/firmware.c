/* MLPerf Tiny's device-under-test verbs around a generated model, with four of our own:
 *   edgewm facts%     m-edgewm-[ticks of the last inference, clock in Hz, deepest stack in bytes, arena in bytes]
 *   edgewm seed HEX%    keeps a 32-byte seed; it takes a command of its own, since with a number it would not fit
 *   edgewm draw I%      input number I of that seed made on the board, instead of loaded
 *   edgewm check%       m-edgewm-check-[owned, groups, hits, silent groups, inferences]: the board tests itself
 * Commands end with '%' and are cut at 80 characters, as the reference firmware cuts them. */
#include <string.h>

#include "board.h"
#include "edgewm_firmware.h"
#include "edgewm_model.h"
#include "self_test.h"

#define COMMAND_CHARACTERS 80u
#define MAXIMUM_WORDS 4u

static int8_t input[EDGEWM_MODEL_INPUT_BYTES], output[EDGEWM_MODEL_OUTPUT_BYTES];
static uint32_t loaded, wanted;
static uint64_t last_ticks;
static uint8_t seed[32];
static int seed_is_there;

/* The checker's code fills this in; without it the verb says that it is missing. */
__attribute__((weak)) int edgewm_seeded_input(const uint8_t *seed, uint32_t index, int8_t *to) {
  (void)seed, (void)index, (void)to;
  return -1;
}

__attribute__((weak)) int edgewm_self_test(int8_t *from, int8_t *to, uint32_t *said) {
  (void)from, (void)to, (void)said;
  return -1;
}

static void print(const char *text) {
  while (*text != '\0') {
    edgewm_board_write(*text++);
  }
}

static void print_number(uint64_t value) {
  char digits[21];
  uint32_t at = sizeof digits - 1;
  digits[at] = '\0';
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  print(digits + at);
}

/* One value of the output as a decimal with six places. */
static void print_value(int8_t step) {
  int64_t nano = ((int64_t)step - EDGEWM_OUTPUT_ZERO_POINT) * EDGEWM_OUTPUT_SCALE_NANO;
  if (nano < 0) {
    print("-");
    nano = -nano;
  }
  const uint64_t micro = ((uint64_t)nano + 500) / 1000;
  print_number(micro / 1000000);
  print(".");
  for (uint32_t place = 100000; place != 0; place /= 10) {
    edgewm_board_write((char)('0' + micro / place % 10));
  }
}

static void print_results(void) {
  print("m-results-[");
  for (uint32_t at = 0; at < EDGEWM_MODEL_OUTPUT_BYTES; at++) {
    print(at == 0 ? "" : ",");
    print_value(output[at]);
  }
  print("]\r\n");
}

static void print_time(void) {
  print("m-lap-us-");
  print_number(edgewm_board_ticks() * 1000000 / EDGEWM_CLOCK_HZ);
  print("\r\n");
}

static int parse_number(const char *text, uint32_t *value) {
  *value = 0;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9' || *value > 99999999u) {
      return -1;
    }
    *value = *value * 10 + (uint32_t)(*text - '0');
  }
  return 0;
}

static int digit_of(char character) {
  if (character >= '0' && character <= '9') {
    return character - '0';
  }
  character = (char)(character | 0x20);
  return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

/* Bytes of two digits each to `to`, at most `room`; how many, or -1. */
static int32_t parse_hex(const char *text, uint8_t *to, uint32_t room) {
  const size_t length = strlen(text);
  if (length % 2 != 0) {
    return -1;
  }
  uint32_t count = 0;
  for (size_t at = 0; at < length && count < room; at += 2, count++) {
    const int high = digit_of(text[at]), low = digit_of(text[at + 1]);
    if (high < 0 || low < 0) {
      return -1;
    }
    to[count] = (uint8_t)(high * 16 + low);
  }
  return (int32_t)count;
}

static void begin_load(const char *size) {
  uint32_t bytes;
  wanted = loaded = 0;
  if (parse_number(size, &bytes) != 0 || bytes > sizeof input) {
    print("m-[Supplied buffer size exceeds the maximum of ");
    print_number(sizeof input);
    print("]\r\n");
    return;
  }
  wanted = bytes;
  print("m-[Expecting ");
  print_number(bytes);
  print(" bytes]\r\n");
}

static void load(const char *hex) {
  if (wanted == 0) {
    print("e-[Buffer not allocated]\r\n");
    return;
  }
  const int32_t taken = parse_hex(hex, (uint8_t *)input + loaded, wanted - loaded);
  if (taken < 0) {
    print("e-[Invalid or odd hex digits]\r\n");
    return;
  }
  loaded += (uint32_t)taken;
  if (taken > 0 && loaded == wanted) {
    print("m-load-done\r\n");
  }
}

static void infer(uint32_t runs, uint32_t warm_ups) {
  print("m-warmup-start-");
  print_number(warm_ups);
  print("\r\n");
  while (warm_ups-- > 0) {
    edgewm_model_infer(input, output);
  }
  print("m-warmup-done\r\nm-infer-start-");
  print_number(runs);
  print("\r\n");
  print_time();
  for (uint32_t left = runs; left > 0; left--) {
    const uint64_t before = edgewm_board_ticks();
    edgewm_model_infer(input, output);
    last_ticks = edgewm_board_ticks() - before;
  }
  print_time();
  print("m-infer-done\r\n");
  print_results();
}

static void print_facts(void) {
  print("m-edgewm-[");
  print_number(last_ticks);
  print(",");
  print_number(EDGEWM_CLOCK_HZ);
  print(",");
  print_number(edgewm_stack_bytes());
  print(",");
  print_number(EDGEWM_MODEL_ARENA_BYTES);
  print("]\r\n");
}

static void take_seed(const char *hex) {
  seed_is_there = strlen(hex) == 2 * sizeof seed && parse_hex(hex, seed, sizeof seed) == (int32_t)sizeof seed;
  print(seed_is_there ? "m-edgewm-seed-done\r\n" : "e-[Expected 64 hex digits]\r\n");
}

static void draw_input(const char *index) {
  uint32_t number;
  if (!seed_is_there) {
    print("e-[No seed]\r\n");
  } else if (parse_number(index, &number) != 0) {
    print("e-[Expected a number]\r\n");
  } else if (edgewm_seeded_input(seed, number, input) != 0) {
    print("e-[This firmware makes no inputs]\r\n");
  } else {
    print("m-load-done\r\n");
  }
}

static void check(void) {
  uint32_t said[EDGEWM_SAID];
  const uint64_t before = edgewm_board_ticks();
  if (edgewm_self_test(input, output, said) != 0) {
    print("e-[This firmware knows no mark]\r\n");
    return;
  }
  last_ticks = edgewm_board_ticks() - before;
  print("m-edgewm-check-[");
  for (uint32_t at = 0; at < EDGEWM_SAID; at++) {
    print(at == 0 ? "" : ",");
    print_number(said[at]);
  }
  print("]\r\n");
}

static void obey(char *command) {
  char *words[MAXIMUM_WORDS] = {0};
  uint32_t count = 0;
  for (char *at = command; *at != '\0' && count < MAXIMUM_WORDS;) {
    while (*at == ' ') {
      *at++ = '\0';
    }
    if (*at != '\0') {
      words[count++] = at;
    }
    while (*at != '\0' && *at != ' ') {
      at++;
    }
  }
  uint32_t runs = 1, warm_ups = 10;
  if (count == 0) {
    return;
  }
  if (strcmp(words[0], "name") == 0) {
    print("m-name-" EDGEWM_BOARD_NAME "-[unspecified]\r\n");
  } else if (strcmp(words[0], "profile") == 0) {
    print("m-profile-[EEMBC energy benchmark firmware interface]\r\nm-model-[" EDGEWM_BOARD_NAME "]\r\n");
  } else if (strcmp(words[0], "timestamp") == 0) {
    print_time();
  } else if (strcmp(words[0], "db") == 0 && count == 3 && strcmp(words[1], "load") == 0) {
    begin_load(words[2]);
  } else if (strcmp(words[0], "db") == 0 && count == 2) {
    load(words[1]);
  } else if (strcmp(words[0], "infer") == 0) {
    if ((count > 1 && parse_number(words[1], &runs) != 0) || (count > 2 && parse_number(words[2], &warm_ups) != 0)) {
      print("e-[Expected numbers]\r\n");
    } else {
      infer(runs, warm_ups);
    }
  } else if (strcmp(words[0], "results") == 0) {
    print_results();
  } else if (strcmp(words[0], "edgewm") == 0 && count == 2 && strcmp(words[1], "facts") == 0) {
    print_facts();
  } else if (strcmp(words[0], "edgewm") == 0 && count == 2 && strcmp(words[1], "check") == 0) {
    check();
  } else if (strcmp(words[0], "edgewm") == 0 && count == 3 && strcmp(words[1], "seed") == 0) {
    take_seed(words[2]);
  } else if (strcmp(words[0], "edgewm") == 0 && count == 3 && strcmp(words[1], "draw") == 0) {
    draw_input(words[2]);
  } else {
    print("e-[Unknown command: ");
    print(words[0]);
    print("]\r\n");
  }
}

int main(void) {
  static char command[COMMAND_CHARACTERS + 1];
  uint32_t length = 0;
  edgewm_board_start();
  print("m-timestamp-mode-performance\r\n");
  print_time();
  print("m-init-done\r\nm-ready\r\n");
  for (;;) {
    const char character = edgewm_board_read();
    if (character == '%') {
      command[length] = '\0';
      length = 0;
      obey(command);
      print("m-ready\r\n");
    } else if (character != '\r' && character != '\n' && length < COMMAND_CHARACTERS) {
      command[length++] = character;
    }
  }
}
