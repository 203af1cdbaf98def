// Included once per width of vectors, with BLOCK, TARGET and KERNELS (the table's name) defined. Arithmetic is written with
// the vector types of GCC and Clang, which contract a product and a sum into one instruction.
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

typedef float vec __attribute__((vector_size(BLOCK * 4), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(BLOCK * 4)));
typedef double wide __attribute__((vector_size(BLOCK * 8)));

#define ALWAYS static inline __attribute__((always_inline)) TARGET

ALWAYS vec at(const float *p) { return *(const vec *)p; }
ALWAYS void put(float *p, vec v) { *(vec *)p = v; }
ALWAYS vec all(float f) { return f - (vec){0}; }
ALWAYS vec where(mask m, vec v) { return (vec)(m & (mask)v); }
ALWAYS vec choose(mask m, vec a, vec b) { return (vec)((m & (mask)a) | (~m & (mask)b)); }
ALWAYS vec clip(vec v, vec low, vec high) {
  v = choose(v < low, low, v); // NaN stays
  return choose(v > high, high, v);
}

// ---- the weight's gradient -------------------------------------------------------------------------------------

enum { ROWS = BLOCK / 2 }; // outputs that the inner loop adds up at once, against two blocks of inputs: as many registers as there are

// Tiles so small that a tile's sums and one image's share of both operands stay in a core's second-level cache, and so
// large that they are read from memory few times; halved while there are too few for the threads.
static size_t conv_weight_tasks(struct conv_weight *c, int threads) {
  if (c->inputs == 1) {
    c->tile_outputs = c->tile_inputs = 1;
    return c->groups / BLOCK;
  }
  int64_t outputs = c->outputs / BLOCK, inputs = c->inputs / BLOCK;
  int64_t edge = (c->window.kernel[0] * c->window.kernel[1] > 1 ? 128 : 256) / BLOCK;
  c->tile_outputs = edge < outputs ? edge : outputs;
  c->tile_inputs = edge < inputs ? edge : inputs;
  for (;;) {
    size_t tasks = c->groups * ((outputs + c->tile_outputs - 1) / c->tile_outputs) * ((inputs + c->tile_inputs - 1) / c->tile_inputs);
    if (tasks >= 4 * (size_t)threads || (c->tile_outputs <= 2 && c->tile_inputs <= 2)) return tasks;
    if (c->tile_outputs >= c->tile_inputs) c->tile_outputs = (c->tile_outputs + 1) / 2;
    else c->tile_inputs = (c->tile_inputs + 1) / 2;
  }
}

// The outputs from first to end whose windows see, with an element of the kernel, inputs and not padding.
ALWAYS void seen(const struct window *w, int axis, int64_t element, int64_t *first, int64_t *end) {
  int64_t size = axis ? w->width : w->height, outputs = axis ? w->out_width : w->out_height;
  int64_t offset = element * w->dilation[axis] - w->pad[axis], stride = w->stride[axis];
  *first = offset < 0 ? (-offset + stride - 1) / stride : 0;
  *end = size - offset <= 0 ? 0 : (size - offset + stride - 1) / stride;
  if (*end > outputs) *end = outputs;
}

// sums[o][c] += Σ dy[·][o]·x[·][c] over a rectangle of outputs, for ROWS outputs o and BLOCKS·BLOCK inputs c.
ALWAYS void add_products(const int BLOCKS, float *sums, const float *dy, const float *x, int64_t next_block, const struct window *w,
                         int64_t rows, int64_t columns) {
  vec acc[ROWS][2];
#pragma GCC unroll 8
  for (int o = 0; o < ROWS; o++)
    for (int b = 0; b < BLOCKS; b++) acc[o][b] = at(sums + (o * BLOCKS + b) * BLOCK);
  const int64_t step = w->stride[1] * BLOCK;
  for (int64_t y = 0; y < rows; y++) {
    const float *d = dy + y * w->out_width * BLOCK, *p = x + y * w->stride[0] * w->width * BLOCK;
    for (int64_t i = 0; i < columns; i++, d += BLOCK, p += step) {
      __builtin_prefetch(d + 12 * BLOCK);
      vec first = at(p), second = BLOCKS > 1 ? at(p + next_block) : first;
#pragma GCC unroll 8
      for (int o = 0; o < ROWS; o++) {
        vec one = all(d[o]);
        // acc += one·first; GCC 12 left to itself copies half of the sums in every turn
        asm("vfmadd231ps %2, %1, %0" : "+v"(acc[o][0]) : "v"(one), "v"(first));
        if (BLOCKS > 1) asm("vfmadd231ps %2, %1, %0" : "+v"(acc[o][1]) : "v"(one), "v"(second));
      }
    }
  }
#pragma GCC unroll 8
  for (int o = 0; o < ROWS; o++)
    for (int b = 0; b < BLOCKS; b++) put(sums + (o * BLOCKS + b) * BLOCK, acc[o][b]);
}

static TARGET void add_products_1(float *sums, const float *dy, const float *x, int64_t next_block, const struct window *w, int64_t rows, int64_t columns) {
  add_products(1, sums, dy, x, next_block, w, rows, columns);
}

static TARGET void add_products_2(float *sums, const float *dy, const float *x, int64_t next_block, const struct window *w, int64_t rows, int64_t columns) {
  add_products(2, sums, dy, x, next_block, w, rows, columns);
}

static TARGET void bias_gradient(const struct conv_weight *c, int64_t block) {
  const int64_t points = c->window.out_height * c->window.out_width, channels = c->groups * c->outputs;
  wide total = {0};
  for (int64_t n = 0; n < c->images; n++) {
    const float *d = c->dy + (n * channels + block * BLOCK) * points;
    vec sum = {0};
    for (int64_t i = 0; i < points; i++) sum += at(d + i * BLOCK);
    total += __builtin_convertvector(sum, wide);
  }
  put(c->db + block * BLOCK, __builtin_convertvector(total, vec));
}

static TARGET void conv_weight_depthwise(const struct conv_weight *c, int64_t block) {
  const struct window *w = &c->window;
  const int64_t in_points = w->height * w->width, points = w->out_height * w->out_width, taps = w->kernel[0] * w->kernel[1];
  for (int64_t k = 0; k < w->kernel[0]; k++)
    for (int64_t l = 0; l < w->kernel[1]; l++) {
      int64_t top, bottom, left, right;
      seen(w, 0, k, &top, &bottom);
      seen(w, 1, l, &left, &right);
      wide total = {0};
      for (int64_t n = 0; n < c->images; n++) {
        vec sum[4] = {{0}};
        for (int64_t y = top; y < bottom; y++) {
          const float *d = c->dy + ((n * c->groups + block * BLOCK) * points + (y * w->out_width + left) * BLOCK);
          const float *p = c->x + ((n * c->groups + block * BLOCK) * in_points +
                                   ((y * w->stride[0] + k * w->dilation[0] - w->pad[0]) * w->width + left * w->stride[1] + l * w->dilation[1] - w->pad[1]) * BLOCK);
          const int64_t step = w->stride[1] * BLOCK;
          int64_t i = left;
          for (; i + 4 <= right; i += 4, d += 4 * BLOCK, p += 4 * step)
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) sum[j] += at(d + j * BLOCK) * at(p + j * step);
          for (; i < right; i++, d += BLOCK, p += step) sum[0] += at(d) * at(p);
        }
        total += __builtin_convertvector((sum[0] + sum[1]) + (sum[2] + sum[3]), wide);
      }
      for (int o = 0; o < BLOCK; o++) c->dw[(block * BLOCK + o) * taps + k * w->kernel[1] + l] = (float)total[o];
    }
  if (c->db) bias_gradient(c, block);
}

static TARGET int conv_weight(const struct conv_weight *c, size_t task) {
  if (c->inputs == 1) {
    conv_weight_depthwise(c, task);
    return 1;
  }
  const struct window *w = &c->window;
  const int64_t outputs = c->outputs / BLOCK, inputs = c->inputs / BLOCK; // blocks of a group
  const int64_t output_tiles = (outputs + c->tile_outputs - 1) / c->tile_outputs, input_tiles = (inputs + c->tile_inputs - 1) / c->tile_inputs;
  const int64_t group = task / (output_tiles * input_tiles);
  const int64_t o0 = task / input_tiles % output_tiles * c->tile_outputs, c0 = task % input_tiles * c->tile_inputs;
  const int64_t o1 = o0 + c->tile_outputs < outputs ? o0 + c->tile_outputs : outputs;
  const int64_t c1 = c0 + c->tile_inputs < inputs ? c0 + c->tile_inputs : inputs;
  const int64_t in_points = w->height * w->width, points = w->out_height * w->out_width, taps = w->kernel[0] * w->kernel[1];
  const int64_t square = BLOCK * BLOCK;
  // [outputs][pairs of inputs][taps][BLOCK outputs][1 or 2 blocks of inputs][BLOCK]
  const size_t size = (o1 - o0) * (c1 - c0) * taps * square * sizeof(float);
  float *sums = NULL;
  if (posix_memalign((void **)&sums, 64, size)) return 0;
  memset(sums, 0, size);
  const int plain = taps == 1 && !w->pad[0] && !w->pad[1] && w->stride[0] == 1 && w->stride[1] == 1 && w->out_height == w->height && w->out_width == w->width;
  struct window flat = *w;
  flat.width = flat.out_width = points;
  for (int64_t n = 0; n < c->images; n++) {
    const float *dy = c->dy + (n * c->groups + group) * outputs * points * BLOCK;
    const float *x = c->x + (n * c->groups + group) * inputs * in_points * BLOCK;
    for (int64_t i = c0; i < c1; i += 2) {
      const int64_t pair = i + 1 < c1 ? 2 : 1;
      for (int64_t o = o0; o < o1; o++)
        for (int64_t k = 0; k < w->kernel[0]; k++)
          for (int64_t l = 0; l < w->kernel[1]; l++) {
            float *to = sums + (((o - o0) * (c1 - c0) + (i - c0)) * taps + (k * w->kernel[1] + l) * pair) * square;
            int64_t top = 0, bottom = 1, left = 0, right = points;
            const float *p = x + i * in_points * BLOCK;
            if (!plain) {
              seen(w, 0, k, &top, &bottom);
              seen(w, 1, l, &left, &right);
              p += ((top * w->stride[0] + k * w->dilation[0] - w->pad[0]) * w->width + left * w->stride[1] + l * w->dilation[1] - w->pad[1]) * BLOCK;
            }
            const float *d = dy + (o * points + (plain ? 0 : top * w->out_width + left)) * BLOCK;
            for (int half = 0; half < BLOCK; half += ROWS)
              (pair == 2 ? add_products_2 : add_products_1)(to + half * pair * BLOCK, d + half, p, in_points * BLOCK, plain ? &flat : w, bottom - top, right - left);
          }
    }
  }
  for (int64_t o = o0; o < o1; o++)
    for (int row = 0; row < BLOCK; row++) {
      float *to = c->dw + ((group * outputs + o) * BLOCK + row) * c->inputs * taps;
      for (int64_t i = c0; i < c1; i += 2) {
        const int64_t pair = i + 1 < c1 ? 2 : 1;
        const float *from = sums + ((o - o0) * (c1 - c0) + (i - c0)) * taps * square;
        for (int64_t b = 0; b < pair; b++) {
          float *p = to + (i + b) * BLOCK * taps;
          if (taps == 1) put(p, at(from + (row * pair + b) * BLOCK));
          else
            for (int64_t t = 0; t < taps; t++)
              for (int j = 0; j < BLOCK; j++) p[j * taps + t] = from[t * pair * square + (row * pair + b) * BLOCK + j];
        }
      }
    }
  free(sums);
  if (c->db && c0 == 0)
    for (int64_t o = o0; o < o1; o++) bias_gradient(c, group * outputs + o);
  return 1;
}

// ---- the input's gradient --------------------------------------------------------------------------------------

// The pixels of a row that are a stride apart see, with one element of the kernel, neighbouring outputs. So the inner loop is a
// product: PIXELS of them, of one or two blocks of inputs, add up w·dy over all outputs.
ALWAYS void spread_product(const int PIXELS, const int BLOCKS, float *dx, int64_t pixel, int64_t next_block, const float *dy, int64_t dy_block,
                           const float *w, int64_t w_block, int64_t next_w, int64_t output_blocks) {
  vec acc[7][2];
#pragma GCC unroll 8
  for (int p = 0; p < PIXELS; p++)
    for (int b = 0; b < BLOCKS; b++) acc[p][b] = at(dx + p * pixel + b * next_block);
  for (int64_t o = 0; o < output_blocks; o++, dy += dy_block, w += w_block)
    for (int i = 0; i < BLOCK; i++) {
      vec first = at(w + i * BLOCK), second = BLOCKS > 1 ? at(w + next_w + i * BLOCK) : first;
#pragma GCC unroll 8
      for (int p = 0; p < PIXELS; p++) {
        vec one = all(dy[p * BLOCK + i]);
        asm("vfmadd231ps %2, %1, %0" : "+v"(acc[p][0]) : "v"(one), "v"(first));
        if (BLOCKS > 1) asm("vfmadd231ps %2, %1, %0" : "+v"(acc[p][1]) : "v"(one), "v"(second));
      }
    }
#pragma GCC unroll 8
  for (int p = 0; p < PIXELS; p++)
    for (int b = 0; b < BLOCKS; b++) put(dx + p * pixel + b * next_block, acc[p][b]);
}

#define SPREAD(pixels, blocks)                                                                                                       \
  static TARGET void spread_product_##pixels##_##blocks(float *dx, int64_t pixel, int64_t next_block, const float *dy, int64_t dy_block, \
                                                        const float *w, int64_t w_block, int64_t next_w, int64_t output_blocks) {    \
    spread_product(pixels, blocks, dx, pixel, next_block, dy, dy_block, w, w_block, next_w, output_blocks);                          \
  }
SPREAD(1, 1) SPREAD(2, 1) SPREAD(4, 1) SPREAD(1, 2) SPREAD(2, 2) SPREAD(4, 2)
#if BLOCK == 16
SPREAD(7, 1) SPREAD(7, 2)
#endif
#undef SPREAD

typedef void spread(float *, int64_t, int64_t, const float *, int64_t, const float *, int64_t, int64_t, int64_t);

// How many pixels at once, of so many, and what adds them up. Seven, since maps are 7, 14, 28 or 56 wide.
ALWAYS int64_t spread_of(int64_t pixels, int64_t blocks, spread **add) {
#if BLOCK == 16
  if (pixels >= 7) return *add = blocks > 1 ? spread_product_7_2 : spread_product_7_1, 7;
#endif
  if (pixels >= 4) return *add = blocks > 1 ? spread_product_4_2 : spread_product_4_1, 4;
  if (pixels >= 2) return *add = blocks > 1 ? spread_product_2_2 : spread_product_2_1, 2;
  return *add = blocks > 1 ? spread_product_1_2 : spread_product_1_1, 1;
}

// The first output that the pixels at first + i·stride see with an element of the kernel, negative where it is padding's; not ok if they see none.
ALWAYS int first_output(const struct window *w, int axis, int64_t element, int64_t first, int64_t *output) {
  int64_t at = first + w->pad[axis] - element * w->dilation[axis];
  *output = at >= 0 ? at / w->stride[axis] : -((-at) / w->stride[axis]);
  return *output * w->stride[axis] == at;
}

static size_t conv_input_tasks(const struct conv_input *c) {
  if (c->inputs == 1) return c->images * (c->groups / BLOCK);
  return c->images * c->groups * ((c->inputs / BLOCK + 1) / 2);
}

static TARGET void conv_input(const struct conv_input *c, size_t task) {
  const struct window *w = &c->window;
  const int depthwise = c->inputs == 1;
  const int64_t in_points = w->height * w->width, points = w->out_height * w->out_width, taps = w->kernel[0] * w->kernel[1], square = BLOCK * BLOCK;
  const int64_t blocks = depthwise ? c->groups / BLOCK : c->inputs / BLOCK, outputs = depthwise ? 1 : c->outputs / BLOCK; // of a group
  const int64_t groups = depthwise ? 1 : c->groups, share = depthwise ? 1 : 2, shares = (blocks + share - 1) / share;
  const int64_t image = task / shares / groups, group = task / shares % groups, block = task % shares * share;
  const int64_t both = block + share <= blocks ? share : 1;
  float *dx = c->dx + ((image * groups + group) * blocks + block) * in_points * BLOCK;
  const float *dy = c->dy + (depthwise ? image * blocks + block : (image * groups + group) * outputs) * points * BLOCK;
  const float *weight = c->w + (depthwise ? block * taps * BLOCK : (group * blocks + block) * outputs * taps * square);
  memset(dx, 0, both * in_points * BLOCK * sizeof(float));
  for (int64_t y = 0; y < w->height; y++)
    for (int64_t phase = 0; phase < w->stride[1] && phase < w->width; phase++)
      for (int64_t k = 0; k < w->kernel[0]; k++) {
        int64_t row;
        if (!first_output(w, 0, k, y, &row) || row < 0 || row >= w->out_height) continue;
        for (int64_t l = 0; l < w->kernel[1]; l++) {
          int64_t column;
          if (!first_output(w, 1, l, phase, &column)) continue;
          const int64_t seen_by = (w->width - phase + w->stride[1] - 1) / w->stride[1];
          const int64_t end = seen_by < w->out_width - column ? seen_by : w->out_width - column;
          const int64_t tap = (taps - 1 - (k * w->kernel[1] + l)), pixel = w->stride[1] * BLOCK;
          int64_t i = column < 0 ? -column : 0;
          float *to = dx + (y * w->width + phase + i * w->stride[1]) * BLOCK;
          const float *from = dy + (row * w->out_width + column + i) * BLOCK;
          if (depthwise) {
            const vec one = at(weight + tap * BLOCK);
            for (; i < end; i++, to += pixel, from += BLOCK) put(to, at(to) + one * at(from));
            continue;
          }
          while (i < end) {
            spread *add;
            const int64_t pixels = spread_of(end - i, both, &add);
            add(to, pixel, in_points * BLOCK, from, points * BLOCK, weight + tap * square, taps * square, outputs * taps * square, outputs);
            i += pixels, to += pixels * pixel, from += pixels * BLOCK;
          }
        }
      }
}

// ---- batch normalisation ---------------------------------------------------------------------------------------
//
// A task is a block of channels. Its pixels of all images fit a core's second-level cache at the sizes that branches
// have, so that all passes but the first read them from there.

// Σ of f(i) over the points of all images, in pieces of single precision added up in double.
#define SUM_OVER(total, images, points, image_step, start, expression)                 \
  do {                                                                                 \
    for (int64_t n_ = 0; n_ < (images); n_++) {                                        \
      const int64_t from_ = (start) + n_ * (image_step);                               \
      vec sum_[4] = {{0}};                                                             \
      int64_t i_ = 0;                                                                  \
      for (; i_ + 4 <= (points); i_ += 4)                                              \
        _Pragma("GCC unroll 4") for (int j_ = 0; j_ < 4; j_++) {                       \
          const int64_t i = from_ + (i_ + j_) * BLOCK;                                 \
          sum_[j_] += (expression);                                                    \
        }                                                                              \
      for (; i_ < (points); i_++) {                                                    \
        const int64_t i = from_ + i_ * BLOCK;                                          \
        sum_[0] += (expression);                                                       \
      }                                                                                \
      total += __builtin_convertvector((sum_[0] + sum_[1]) + (sum_[2] + sum_[3]), wide); \
    }                                                                                  \
  } while (0)

// 1/√(variance+epsilon)
ALWAYS vec inverse_deviation(vec variance, float epsilon) {
  vec r;
  for (int j = 0; j < BLOCK; j++) r[j] = 1 / __builtin_sqrtf(variance[j] + epsilon);
  return r;
}

static TARGET void batch_norm(const struct batch_norm *b, size_t block) {
  const int64_t image = b->channels * b->points, start = block * b->points * BLOCK, first = block * BLOCK;
  const double count = (double)(b->images * b->points);
  if (b->training) {
    wide total = {0};
    SUM_OVER(total, b->images, b->points, image, start, at(b->x + i));
    const vec mean = __builtin_convertvector(total / count, vec);
    total = (wide){0};
    SUM_OVER(total, b->images, b->points, image, start, (at(b->x + i) - mean) * (at(b->x + i) - mean));
    put(b->mean + first, mean);
    put(b->variance + first, __builtin_convertvector(total / count, vec));
  }
  const vec slope = at(b->scale + first) * inverse_deviation(at(b->variance + first), b->epsilon);
  const vec offset = at(b->shift + first) - at(b->mean + first) * slope;
  const vec low = all(b->low), high = all(b->high);
  for (int64_t n = 0; n < b->images; n++) {
    const int64_t from = start + n * image, end = from + b->points * BLOCK;
    if (b->residual)
      for (int64_t i = from; i < end; i += BLOCK) put(b->y + i, clip(at(b->x + i) * slope + offset + at(b->residual + i), low, high));
    else
      for (int64_t i = from; i < end; i += BLOCK) put(b->y + i, clip(at(b->x + i) * slope + offset, low, high));
  }
}

// dX = slope·(d − Σd/m − (x−mean)·r²·Σd(x−mean)/m), where d is dY at the pixels that were not clipped, and without the
// sums where the statistics were not the batch's.
static TARGET void batch_norm_gradient(const struct batch_norm_gradient *b, size_t block) {
  const int64_t image = b->channels * b->points, start = block * b->points * BLOCK, first = block * BLOCK;
  const vec mean = at(b->mean + first), r = inverse_deviation(at(b->variance + first), b->epsilon);
  const vec slope = at(b->scale + first) * r, offset = at(b->shift + first) - mean * slope;
  const vec low = all(b->low), high = all(b->high);
  const int clips = b->low > -__builtin_inff() || b->high < __builtin_inff();
#define PASSED(i)                                                            \
  ({                                                                         \
    vec z_ = at(b->x + (i)) * slope + offset;                                \
    where((z_ > low) & (z_ < high), at(b->dy + (i)));                        \
  })
  wide sum = {0}, moment = {0};
  for (int64_t n = 0; n < b->images; n++) {
    const int64_t from = start + n * image, end = from + b->points * BLOCK;
    vec s[2] = {{0}}, m[2] = {{0}};
    int64_t i = from;
    if (clips) {
      for (; i + BLOCK < end; i += 2 * BLOCK)
        for (int j = 0; j < 2; j++) {
          vec d = PASSED(i + j * BLOCK);
          s[j] += d;
          m[j] += d * (at(b->x + i + j * BLOCK) - mean);
        }
      if (i < end) {
        vec d = PASSED(i);
        s[0] += d;
        m[0] += d * (at(b->x + i) - mean);
      }
    } else
      for (; i < end; i += BLOCK) {
        vec d = at(b->dy + i);
        s[0] += d;
        m[0] += d * (at(b->x + i) - mean);
      }
    sum += __builtin_convertvector(s[0] + s[1], wide);
    moment += __builtin_convertvector(m[0] + m[1], wide);
  }
  put(b->dshift + first, __builtin_convertvector(sum, vec));
  put(b->dscale + first, __builtin_convertvector(moment, vec) * r);
  const double count = (double)(b->images * b->points);
  vec level = {0}, lean = {0};
  if (b->training) {
    level = __builtin_convertvector(sum / count, vec);
    lean = __builtin_convertvector(moment / count, vec) * r * r;
  }
  // slope·d − (slope·lean)·x + slope·(lean·mean − level)
  const vec tilt = slope * lean, rest = slope * (lean * mean - level);
  for (int64_t n = 0; n < b->images; n++) {
    const int64_t from = start + n * image, end = from + b->points * BLOCK;
    if (clips)
      for (int64_t i = from; i < end; i += BLOCK) put(b->dx + i, slope * PASSED(i) - (tilt * at(b->x + i) - rest));
    else
      for (int64_t i = from; i < end; i += BLOCK) put(b->dx + i, slope * at(b->dy + i) - (tilt * at(b->x + i) - rest));
  }
#undef PASSED
}

// ---- what was clipped ------------------------------------------------------------------------------------------

enum { CHUNK = 1 << 14 };

static size_t clip_gradient_tasks(const struct clip_gradient *c) { return (c->size + CHUNK - 1) / CHUNK; }

static TARGET void clip_gradient(const struct clip_gradient *c, size_t task) {
  const int64_t from = task * CHUNK, end = from + CHUNK < c->size ? from + CHUNK : c->size;
  const vec low = all(c->low), high = all(c->high);
  int64_t i = from;
#define CLIPPED(sum)                                      \
  for (; i + BLOCK <= end; i += BLOCK) {                  \
    const vec y = at(c->y + i);                           \
    put(c->dx + i, where((y > low) & (y < high), (sum))); \
  }
  if (c->more) CLIPPED(at(c->dy + i) + at(c->more + i))
  else CLIPPED(at(c->dy + i))
#undef CLIPPED
  for (; i < end; i++) {
    float sum = c->more ? c->dy[i] + c->more[i] : c->dy[i];
    c->dx[i] = c->y[i] > c->low && c->y[i] < c->high ? sum : 0;
  }
}

// ---- the layout of weights -------------------------------------------------------------------------------------

static size_t lay_weight_tasks(const struct lay_weight *l) {
  return l->groups * (l->turned && l->inputs > 1 ? l->inputs : l->outputs) / BLOCK;
}

static TARGET void lay_weight(const struct lay_weight *l, size_t task) {
  const int64_t points = l->points, last = points - 1;
  if (l->inputs < BLOCK) {
    float *to = l->laid + task * BLOCK * l->inputs * points;
    for (int64_t i = 0; i < l->inputs; i++)
      for (int64_t t = 0; t < points; t++)
        for (int b = 0; b < BLOCK; b++) *to++ = l->w[((task * BLOCK + b) * l->inputs + i) * points + (l->turned ? last - t : t)];
    return;
  }
  const int64_t outer = (l->turned ? l->inputs : l->outputs) / BLOCK, inner = (l->turned ? l->outputs : l->inputs) / BLOCK;
  const int64_t group = task / outer, block = task % outer;
  float *to = l->laid + task * inner * points * BLOCK * BLOCK;
  for (int64_t i = 0; i < inner; i++)
    for (int64_t t = 0; t < points; t++)
      for (int a = 0; a < BLOCK; a++)     // of the laid weight's inputs
        for (int b = 0; b < BLOCK; b++) { // of its outputs
          const int64_t o = l->turned ? i * BLOCK + a : block * BLOCK + b, c = l->turned ? block * BLOCK + b : i * BLOCK + a;
          *to++ = l->w[((group * l->outputs + o) * l->inputs + c) * points + (l->turned ? last - t : t)];
        }
}

#include "winograd.h"

const struct kernels KERNELS = {
    .block = BLOCK,
    .conv_weight_tasks = conv_weight_tasks,
    .conv_weight = conv_weight,
    .conv_input_tasks = conv_input_tasks,
    .conv_input = conv_input,
    .batch_norm = batch_norm,
    .batch_norm_gradient = batch_norm_gradient,
    .clip_gradient_tasks = clip_gradient_tasks,
    .clip_gradient = clip_gradient,
    .lay_weight_tasks = lay_weight_tasks,
    .lay_weight = lay_weight,
    .winograd_weight_tasks = winograd_weight_tasks,
    .winograd_weight = winograd_weight,
    .winograd_tasks = winograd_tasks,
    .winograd_room = winograd_room,
    .winograd = winograd,
    .winograd_gradient_room = winograd_gradient_room,
    .winograd_gradient_use = winograd_gradient_use,
    .winograd_gradient_spread_tasks = winograd_gradient_spread_tasks,
    .winograd_gradient_spread = winograd_gradient_spread,
    .winograd_gradient_add_tasks = winograd_gradient_add_tasks,
    .winograd_gradient_add = winograd_gradient_add,
    .winograd_gradient_gather_tasks = winograd_gradient_gather_tasks,
    .winograd_gradient_gather = winograd_gradient_gather,
};
