/* Asks a model the questions of one mark on the device that runs it, and says whether it carries the mark.
 *
 * For the owner's own fleet and for an integrator's self-test. A verdict computed on a suspect's device is no
 * evidence: whoever controls the device controls what it says.
 *
 * C99, nothing allocated, no floating point; of the C library only memcpy and memset. `edgewm device export`
 * writes the edgewm_mark_t. One check at a time needs the caller's input buffer and no other static memory. */
#ifndef EDGEWM_CHECK_H
#define EDGEWM_CHECK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EDGEWM_MAXIMUM_AXES 4
#define EDGEWM_MAXIMUM_GROUP_INPUTS 16
#define EDGEWM_MAXIMUM_CHANCES 8

/* How the inputs are drawn from a seed: smooth fields over a lattice, as edgewm/patterns/abstract.py says. */
typedef struct {
  uint32_t bytes;          /* of one input */
  uint32_t lattice_bytes;  /* of its lattice, at most as many */
  uint16_t axes;           /* those of more than one sample */
  uint16_t lengths[EDGEWM_MAXIMUM_AXES];
  uint16_t points[EDGEWM_MAXIMUM_AXES]; /* of the lattice along each axis */
  int32_t multiplier;      /* byte q becomes ((q * multiplier + offset) >> 16) - 128, within int8 ... */
  int32_t offset;
  const int8_t *levels;    /* ... or levels[q], if this is not NULL */
} edgewm_pattern_t;

/* One group of inputs; groups stand in the committed order. */
typedef struct {
  uint16_t first_input;    /* its number in the seed's stream or among the stored inputs */
  uint16_t answer;
  uint8_t inputs;
  uint8_t chance;          /* which of `allowed` */
} edgewm_group_t;

/* What a device is told of a mark. */
typedef struct {
  edgewm_pattern_t pattern;
  const uint8_t *seed;     /* 32 bytes, or NULL where inputs are stored */
  const int8_t *inputs;    /* stored inputs of pattern.bytes each, or NULL */
  const edgewm_group_t *groups;
  const uint8_t *natural;  /* (classes + 7) / 8 bytes a group; bit c % 8 of byte c / 8: class c has no vote */
  const uint16_t *allowed; /* the different numbers of classes that an answer was drawn from */
  const uint32_t *nodes;   /* of the bet, in 2^-32, rounded down */
  uint16_t group_count, class_count, allowed_count, node_count;
  uint32_t start_mantissa; /* the bet starts at start_mantissa 2^start_exponent and shows the mark at 1 */
  int32_t start_exponent;
} edgewm_mark_t;

typedef struct {
  uint8_t owned;           /* 1: shown, with the error probability that the mark was exported for */
  uint16_t groups, hits, silent;
  uint32_t inferences;
} edgewm_verdict_t;

/* Runs the model on the input buffer and returns the label, or a negative number if it could not. */
typedef int32_t (*edgewm_infer_t)(void *context, int8_t *input);

/* Asks group after group and stops as soon as the mark is shown. `input` holds pattern.bytes; what it held
 * is lost. */
edgewm_verdict_t edgewm_check(const edgewm_mark_t *mark, edgewm_infer_t infer, void *context, int8_t *input);

/* The label of raw int8 outputs: the largest, of equal ones the first; of a single one 1 if it is at least
 * `least`, which `edgewm device export` names. */
int32_t edgewm_label(const int8_t *output, uint32_t outputs, int32_t least);

/* Input number `index` of a seed, written in place; the buffer holds pattern->bytes. */
void edgewm_draw(const edgewm_pattern_t *pattern, const uint8_t *seed, uint32_t index, int8_t *input);

#ifdef __cplusplus
}
#endif

#endif
