#include "edgewm_check.h"

#include <string.h>

#define SEED_BYTES 32u
#define LANES 25u
#define BLOCK_BYTES 136u
#define LONG_AXIS 5u

/* ---- SHAKE-256 (FIPS 202), for messages of less than one block */

/* 0 < by < 64 */
static uint64_t rotated(uint64_t value, unsigned by) {
  return (value << by) | (value >> (64u - by));
}

static void permute(uint64_t *lane) {
  uint64_t column[5];
  unsigned x, y, at, next, register_ = 1;
  for (unsigned round = 0; round < 24u; round++) {
    for (x = 0; x < 5u; x++) {
      column[x] = 0;
      for (at = x; at < LANES; at += 5u) {
        column[x] ^= lane[at];
      }
    }
    for (at = 0; at < LANES; at++) {
      lane[at] ^= column[(at + 4u) % 5u] ^ rotated(column[(at + 1u) % 5u], 1);
    }
    /* every lane but the first moves one place along a single cycle of 24 and is turned on the way */
    uint64_t moving = lane[1];
    at = 1;
    for (unsigned step = 1; step <= 24u; step++) {
      y = at / 5u;
      next = y + (10u * at + 15u * y) % 25u; /* column y, row 2 x + 3 y */
      const uint64_t kept = lane[next];
      lane[next] = rotated(moving, (step * (step + 1u) / 2u) % 64u);
      moving = kept;
      at = next;
    }
    for (y = 0; y < LANES; y += 5u) {
      memcpy(column, lane + y, sizeof column);
      for (x = 0; x < 5u; x++) {
        lane[y + x] = column[x] ^ (~column[(x + 1u) % 5u] & column[(x + 2u) % 5u]);
      }
    }
    /* the round's constant has bits at 2^k - 1, each from the next step of a shift register */
    for (unsigned bit = 1; bit <= 64u; bit *= 2u) {
      lane[0] ^= (uint64_t)(register_ & 1u) << (bit - 1u);
      register_ = (register_ << 1) ^ ((register_ >> 7) * 0x171u);
    }
  }
}

/* SHAKE-256 of the encoded parts "abstract", seed, index; each part follows its length in 8 bytes. */
static void squeeze_lattice(uint64_t *lane, const uint8_t *seed, uint32_t index, uint8_t *to, uint32_t bytes) {
  unsigned at;
  memset(lane, 0, LANES * sizeof *lane);
  lane[0] = 8;
  lane[1] = 0x7463617274736261u; /* "abstract" */
  lane[2] = SEED_BYTES;
  for (at = 0; at < SEED_BYTES; at++) {
    lane[3u + at / 8u] |= (uint64_t)seed[at] << (8u * (at % 8u));
  }
  lane[7] = 8;
  lane[8] = index;
  lane[9] = 0x1f; /* SHAKE's padding, from here to the end of the block */
  lane[16] = (uint64_t)1 << 63;
  for (uint32_t done = 0; done < bytes; done++) {
    at = done % BLOCK_BYTES;
    if (at == 0) {
      permute(lane);
    }
    to[done] = (uint8_t)(lane[at / 8u] >> (8u * (at % 8u)));
  }
}

/* ---- fields */

typedef struct {
  uint16_t sample, left, fraction;
} place_t;

static void move_to(const edgewm_pattern_t *pattern, unsigned axis, uint32_t sample, place_t *place) {
  const uint32_t length = pattern->lengths[axis];
  uint32_t left = sample, fraction = 0;
  if (length >= LONG_AXIS) {
    const uint32_t cells = pattern->points[axis] - 1u;
    fraction = sample * cells * 256u / (length - 1u);
    left = sample == length - 1u ? cells - 1u : fraction / 256u;
    fraction -= left * 256u;
  }
  place->sample = (uint16_t)sample;
  place->left = (uint16_t)left;
  place->fraction = (uint16_t)fraction;
}

/* The value at a place, from the lattice points around it: the first axis is filled first. */
static uint8_t value_at(const edgewm_pattern_t *pattern, const place_t *places, const uint8_t *lattice,
                        const uint8_t *first_points) {
  uint8_t corners[1u << EDGEWM_MAXIMUM_AXES];
  unsigned axis, count = 1, corner = 0;
  for (axis = 0; axis < pattern->axes; axis++) {
    count <<= places[axis].fraction != 0;
  }
  do {
    uint32_t at = 0;
    unsigned beyond = corner;
    for (axis = 0; axis < pattern->axes; axis++) {
      at = at * pattern->points[axis] + places[axis].left;
      /* a neighbour that counts for nothing is not looked at: it may lie outside, or be written over */
      if (places[axis].fraction != 0) {
        at += beyond & 1u;
        beyond >>= 1;
      }
    }
    corners[corner] = at < LANES * 8u ? first_points[at] : lattice[at];
  } while (++corner < count);
  for (axis = 0; count > 1u; axis++) {
    const uint32_t fraction = places[axis].fraction;
    if (fraction != 0) {
      count /= 2u;
      for (unsigned pair = 0; pair < count; pair++) {
        const uint32_t sum = corners[2u * pair] * (256u - fraction) + corners[2u * pair + 1u] * fraction;
        corners[pair] = (uint8_t)((sum + 128u) >> 8);
      }
    }
  }
  return corners[0];
}

static int8_t level_of(const edgewm_pattern_t *pattern, uint32_t q) {
  if (pattern->levels != NULL) {
    return pattern->levels[q];
  }
  const int32_t scaled = (int32_t)q * pattern->multiplier + pattern->offset;
  const uint32_t step = scaled < 0 ? 0u : (uint32_t)scaled >> 16;
  return (int8_t)((int32_t)(step > 255u ? 255u : step) - 128);
}

void edgewm_draw(const edgewm_pattern_t *pattern, const uint8_t *seed, uint32_t index, int8_t *input) {
  uint64_t lane[LANES];
  place_t places[EDGEWM_MAXIMUM_AXES];
  uint8_t *const field = (uint8_t *)input;
  uint32_t at, low = 255, high = 0;
  unsigned axis;
  squeeze_lattice(lane, seed, index, field, pattern->lattice_bytes);
  /* The field is written over its own lattice, last value first. What the last values need lies near the
   * lattice's start, so its first points move to where the hash was; export checks that this is enough. */
  memcpy(lane, field, pattern->lattice_bytes < sizeof lane ? pattern->lattice_bytes : sizeof lane);
  for (axis = 0; axis < pattern->axes; axis++) {
    move_to(pattern, axis, pattern->lengths[axis] - 1u, &places[axis]);
  }
  for (at = pattern->bytes; at-- > 0;) {
    const uint8_t value = value_at(pattern, places, field, (const uint8_t *)lane);
    low = value < low ? value : low;
    high = value > high ? value : high;
    field[at] = value;
    for (axis = pattern->axes; axis-- > 0;) {
      const uint32_t sample = places[axis].sample;
      move_to(pattern, axis, (sample > 0 ? sample : pattern->lengths[axis]) - 1u, &places[axis]);
      if (sample > 0) {
        break;
      }
    }
  }
  for (at = 0; at < pattern->bytes; at++) {
    input[at] = level_of(pattern, high > low ? (field[at] - low) * 255u / (high - low) : 0u);
  }
}

/* ---- evidence: edgewm/evidence.py in whole numbers, everything rounded down */

/* mantissa 2^exponent with the highest bit of the mantissa set */
typedef struct {
  uint32_t mantissa;
  int32_t exponent;
} real_t;

static real_t rounded_down(uint64_t value, int32_t exponent) {
  real_t real;
  while (value >> 32 != 0) {
    value >>= 1;
    exponent++;
  }
  while (value >> 31 == 0) {
    value <<= 1;
    exponent--;
  }
  real.mantissa = (uint32_t)value;
  real.exponent = exponent;
  return real;
}

static real_t product(real_t a, real_t b) {
  return rounded_down((uint64_t)a.mantissa * b.mantissa, a.exponent + b.exponent);
}

/* `value` times the power of a factor of `factor` 2^-32. */
static real_t with_power(real_t value, uint64_t factor, uint32_t power) {
  real_t square = rounded_down(factor, -32);
  for (; power != 0; power /= 2u) {
    if (power % 2u != 0) {
      value = product(value, square);
    }
    square = product(square, square);
  }
  return value;
}

/* Whether the bet over all nodes has reached 1, which is 1 / alpha of a bet that starts at 1. */
static int shown(const edgewm_mark_t *mark, const uint16_t *hits, uint32_t misses) {
  uint64_t sum = 0;
  for (unsigned node = 0; node < mark->node_count; node++) {
    real_t bet;
    bet.mantissa = mark->start_mantissa;
    bet.exponent = mark->start_exponent;
    /* nodes lie evenly around one half: the node opposite is what a miss leaves */
    bet = with_power(bet, mark->nodes[mark->node_count - 1u - node], misses);
    for (unsigned chance = 0; chance < mark->allowed_count; chance++) {
      const uint64_t gain = (uint64_t)mark->nodes[node] * (mark->allowed[chance] - 1u);
      bet = with_power(bet, ((uint64_t)1 << 32) + gain, hits[chance]);
    }
    if (bet.exponent > -32) {
      return 1;
    }
    sum += bet.exponent > -64 ? bet.mantissa >> (-32 - bet.exponent) : 0u;
  }
  return sum >> 32 != 0;
}

/* ---- asking */

typedef enum { MISS, HIT, SILENT } outcome_t;

static outcome_t outcome_of(const edgewm_mark_t *mark, const edgewm_group_t *group, const uint8_t *natural,
                            edgewm_infer_t infer, void *context, int8_t *input) {
  uint16_t labels[EDGEWM_MAXIMUM_GROUP_INPUTS];
  unsigned most = 0, named = 0, failed = 0;
  outcome_t outcome = SILENT;
  for (unsigned asked = 0; asked < group->inputs; asked++) {
    const uint32_t number = group->first_input + asked;
    if (mark->inputs != NULL) {
      memcpy(input, mark->inputs + number * mark->pattern.bytes, mark->pattern.bytes);
    } else {
      edgewm_draw(&mark->pattern, mark->seed, number, input);
    }
    const int32_t label = infer(context, input);
    failed |= label < 0;
    labels[asked] = (uint16_t)(label < mark->class_count ? label : mark->class_count);
  }
  for (unsigned asked = 0; asked < group->inputs; asked++) {
    const unsigned label = labels[asked];
    unsigned votes = 0;
    if (label >= mark->class_count || ((natural[label / 8u] >> (label % 8u)) & 1u) != 0) {
      continue; /* a natural class has no vote, nor has one that the owner does not have */
    }
    for (unsigned other = 0; other < group->inputs; other++) {
      votes += labels[other] == label;
    }
    if (votes > most) {
      most = votes;
      named = label;
      outcome = label == group->answer ? HIT : MISS;
    } else if (votes == most && label != named) {
      outcome = SILENT;
    }
  }
  return failed ? MISS : outcome;
}

edgewm_verdict_t edgewm_check(const edgewm_mark_t *mark, edgewm_infer_t infer, void *context, int8_t *input) {
  edgewm_verdict_t verdict;
  uint16_t hits[EDGEWM_MAXIMUM_CHANCES];
  const uint8_t *natural = mark->natural;
  memset(&verdict, 0, sizeof verdict);
  memset(hits, 0, sizeof hits);
  while (!verdict.owned && verdict.groups < mark->group_count) {
    const edgewm_group_t *group = &mark->groups[verdict.groups++];
    const outcome_t outcome = outcome_of(mark, group, natural, infer, context, input);
    natural += (mark->class_count + 7u) / 8u;
    verdict.inferences += group->inputs;
    verdict.silent = (uint16_t)(verdict.silent + (outcome == SILENT));
    if (outcome == HIT) { /* nothing else makes the bet grow */
      verdict.hits++;
      hits[group->chance]++;
      verdict.owned = (uint8_t)shown(mark, hits, (uint32_t)(verdict.groups - verdict.hits - verdict.silent));
    }
  }
  return verdict;
}

int32_t edgewm_label(const int8_t *output, uint32_t outputs, int32_t least) {
  uint32_t best = 0;
  if (outputs == 1u) {
    return output[0] >= least;
  }
  for (uint32_t at = 1; at < outputs; at++) {
    best = output[at] > output[best] ? at : best;
  }
  return (int32_t)best;
}
