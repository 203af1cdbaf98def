// The kernels of the step's operators. A value [N,C,H,W] is kept as [N,C/BLOCK,H,W,BLOCK], as the runtime's own blocked
// convolutions keep it, so that a vector register holds the same pixel of BLOCK channels.
#ifndef STUDIO_BLOCKED_KERNELS_H
#define STUDIO_BLOCKED_KERNELS_H

#include <stddef.h>
#include <stdint.h>

// What a window of a convolution sees.
struct window {
  int64_t height, width;         // of the input
  int64_t out_height, out_width; // of the output
  int64_t kernel[2], stride[2], dilation[2], pad[2];
};

// dW [groups·outputs, inputs, k, l] in the standard order and dB [groups·outputs], which may be NULL, from x
// [images, groups·inputs, …] and dy [images, groups·outputs, …] in blocks. Depthwise: inputs and outputs are 1.
struct conv_weight {
  const float *x, *dy;
  float *dw, *db;
  int64_t images, groups, inputs, outputs; // channels of a group
  struct window window;
  int64_t tile_outputs, tile_inputs; // blocks that a task adds up at once; set by conv_weight_tasks
};

// dx [images, groups·inputs, …] from dy [images, groups·outputs, …], both in blocks, and w as lay_weight turns it. Any
// stride; with stride 1 the runtime's convolution does the same. Depthwise: inputs and outputs are 1.
struct conv_input {
  const float *dy, *w;
  float *dx;
  int64_t images, groups, inputs, outputs; // channels of a group
  struct window window;
};

// y = clip((x−mean)·scale/√(variance+epsilon) + shift + residual, low, high), residual perhaps NULL. Where training,
// mean and variance are the batch's own, and written; else they are read.
struct batch_norm {
  const float *x, *scale, *shift, *residual;
  float *y, *mean, *variance;
  int64_t images, channels, points;
  float epsilon, low, high;
  int training;
};

// The gradients of batch_norm without a residual.
struct batch_norm_gradient {
  const float *dy, *x, *scale, *shift, *mean, *variance;
  float *dx, *dscale, *dshift;
  int64_t images, channels, points;
  float epsilon, low, high;
  int training;
};

// dx = dy + more where low < y < high, 0 elsewhere; more may be NULL. Any layout.
struct clip_gradient {
  const float *y, *dy, *more;
  float *dx;
  int64_t size;
  float low, high;
};

// A convolution's weight w [groups·outputs, inputs, k, l] as the runtime's blocked convolution reads it, per group
// [outputs/B, inputs/B, k, l, B inputs, B outputs], or, turned, the weight of the convolution that leads back from its
// output to its input: outputs and inputs of a group exchanged, the kernel turned by half a turn. Where a group has
// fewer than B inputs (pixels; depthwise) the laid weight is [groups·outputs/B, inputs, k, l, B outputs].
struct lay_weight {
  const float *w;
  float *laid;
  int64_t groups, outputs, inputs, points;
  int turned;
};

// y [images, outputs, …] = clip(x ∗ g + bias, low, high) from x [images, inputs, …], both in blocks, at stride 1 and with a 3×3
// kernel g, which is u as winograd_weight lays it; bias [outputs] may be NULL. winograd.h says how.
struct winograd {
  const float *x, *u, *bias;
  float *y;
  int64_t images, inputs, outputs;
  float low, high;
  struct window window;
  int64_t groups, tasks; // of tiles; set by winograd_tasks
};

// conv_weight of such a convolution, panel by panel of outputs from output on: each chunk of tiles from first on is spread and then added;
// last the sums are gathered into dW.
struct winograd_gradient {
  struct conv_weight c;
  int64_t output, first;       // set by the caller; the others by room and use
  int64_t panel, chunk, tiles; // tiles: of all images
  int64_t v_next, d_next;      // how far apart the points of v and of d are
  float *v, *d, *sums;
};

// The kernels of one width of vectors. Work is cut into tasks that may run side by side; which task does what never
// changes a sum's order, so results do not depend on threads.
struct kernels {
  int64_t block;
  size_t (*conv_weight_tasks)(struct conv_weight *, int threads);
  int (*conv_weight)(const struct conv_weight *, size_t task); // 0: no memory
  size_t (*conv_input_tasks)(const struct conv_input *);
  void (*conv_input)(const struct conv_input *, size_t task);
  void (*batch_norm)(const struct batch_norm *, size_t channel_block);
  void (*batch_norm_gradient)(const struct batch_norm_gradient *, size_t channel_block);
  size_t (*clip_gradient_tasks)(const struct clip_gradient *);
  void (*clip_gradient)(const struct clip_gradient *, size_t task);
  size_t (*lay_weight_tasks)(const struct lay_weight *);
  void (*lay_weight)(const struct lay_weight *, size_t task);
  size_t (*winograd_weight_tasks)(const struct lay_weight *);
  void (*winograd_weight)(const struct lay_weight *, size_t task); // laid: 16 numbers for each kernel's 9
  size_t (*winograd_tasks)(struct winograd *, int threads);
  size_t (*winograd_room)(const struct winograd *); // floats that a task needs meanwhile
  void (*winograd)(const struct winograd *, float *room, size_t task);
  size_t (*winograd_gradient_room)(struct winograd_gradient *); // floats that it needs meanwhile
  void (*winograd_gradient_use)(struct winograd_gradient *, float *room);
  size_t (*winograd_gradient_spread_tasks)(const struct winograd_gradient *);
  void (*winograd_gradient_spread)(const struct winograd_gradient *, size_t task);
  size_t (*winograd_gradient_add_tasks)(const struct winograd_gradient *);
  void (*winograd_gradient_add)(const struct winograd_gradient *, size_t task);
  size_t (*winograd_gradient_gather_tasks)(const struct winograd_gradient *);
  void (*winograd_gradient_gather)(const struct winograd_gradient *, size_t task);
};

extern const struct kernels kernels_avx512, kernels_avx2;

#endif
