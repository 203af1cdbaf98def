//go:build amd64 && (linux || darwin)

// The step's operators as the runtime sees them: what each reads and gives, and how its work is handed to threads.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "onnxruntime_c_api.h"
#include "operators.h"

static const OrtApi *api;

#define TRY(call)                     \
  do {                                \
    OrtStatus *status_ = (call);      \
    if (status_) return status_;      \
  } while (0)

int operators_supported(int block) {
  __builtin_cpu_init();
  if (block == 16) return __builtin_cpu_supports("avx512f") != 0;
  if (block == 8) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return 0;
}

// ---- attributes --------------------------------------------------------------------------------------------------

// What a node says of itself. Operators read those that concern them.
struct node {
  const struct kernels *kernels;
  int64_t threads, group, turned, training, winograd;
  struct window window; // without the sizes that values tell
  int64_t ends[2];      // padding behind
  float epsilon, low, high;
};

static int64_t read_int(const OrtKernelInfo *info, const char *name, int64_t otherwise) {
  int64_t value;
  OrtStatus *status = api->KernelInfoGetAttribute_int64(info, name, &value);
  if (!status) return value;
  api->ReleaseStatus(status);
  return otherwise;
}

static float read_float(const OrtKernelInfo *info, const char *name, float otherwise) {
  float value;
  OrtStatus *status = api->KernelInfoGetAttribute_float(info, name, &value);
  if (!status) return value;
  api->ReleaseStatus(status);
  return otherwise;
}

static void read_pair(const OrtKernelInfo *info, const char *name, int64_t *pair, int64_t otherwise) {
  size_t size = 2;
  OrtStatus *status = api->KernelInfoGetAttributeArray_int64(info, name, pair, &size);
  if (!status && size == 2) return;
  if (status) api->ReleaseStatus(status);
  pair[0] = pair[1] = otherwise;
}

static OrtStatus *ORT_API_CALL create(const OrtCustomOp *op, const OrtApi *unused, const OrtKernelInfo *info, void **kernel) {
  struct node *n = calloc(1, sizeof *n);
  if (!n) return api->CreateStatus(ORT_FAIL, "out of memory");
  int64_t block = read_int(info, "block", 0);
  if ((block != 8 && block != 16) || !operators_supported(block)) {
    free(n);
    return api->CreateStatus(ORT_NOT_IMPLEMENTED, "this processor has no kernels for blocks of that many channels");
  }
  n->kernels = block == 16 ? &kernels_avx512 : &kernels_avx2;
  n->threads = read_int(info, "threads", 1);
  n->group = read_int(info, "group", 1);
  n->turned = read_int(info, "turned", 0);
  n->training = read_int(info, "training", 0);
  n->winograd = read_int(info, "winograd", 0);
  n->epsilon = read_float(info, "epsilon", 1e-5f);
  n->low = read_float(info, "low", -__builtin_inff());
  n->high = read_float(info, "high", __builtin_inff());
  read_pair(info, "kernel_shape", n->window.kernel, 1);
  read_pair(info, "strides", n->window.stride, 1);
  read_pair(info, "dilations", n->window.dilation, 1);
  read_pair(info, "begins", n->window.pad, 0);
  read_pair(info, "ends", n->ends, 0);
  int64_t size[2];
  read_pair(info, "size", size, 0);
  n->window.height = size[0];
  n->window.width = size[1];
  *kernel = n;
  return NULL;
}

static void ORT_API_CALL destroy(void *kernel) { free(kernel); }

// ---- values ------------------------------------------------------------------------------------------------------

// A value and its shape; data is NULL where a node leaves it out.
struct value {
  float *data;
  int64_t dims[4];
  size_t rank;
};

static OrtStatus *input(OrtKernelContext *context, size_t index, struct value *v) {
  const OrtValue *tensor = NULL;
  size_t count = 0;
  memset(v, 0, sizeof *v);
  TRY(api->KernelContext_GetInputCount(context, &count));
  if (index >= count) return NULL;
  TRY(api->KernelContext_GetInput(context, index, &tensor));
  if (!tensor) return NULL;
  OrtTensorTypeAndShapeInfo *shape;
  TRY(api->GetTensorTypeAndShape(tensor, &shape));
  OrtStatus *status = api->GetDimensionsCount(shape, &v->rank);
  if (!status && v->rank > 4) status = api->CreateStatus(ORT_INVALID_ARGUMENT, "a value has more than four axes");
  if (!status) status = api->GetDimensions(shape, v->dims, v->rank);
  api->ReleaseTensorTypeAndShapeInfo(shape);
  if (status) return status;
  return api->GetTensorMutableData((OrtValue *)tensor, (void **)&v->data);
}

static OrtStatus *output(OrtKernelContext *context, size_t index, const int64_t *dims, size_t rank, float **data) {
  OrtValue *tensor = NULL;
  size_t count = 0;
  *data = NULL;
  TRY(api->KernelContext_GetOutputCount(context, &count));
  if (index >= count) return NULL;
  TRY(api->KernelContext_GetOutput(context, index, dims, rank, &tensor));
  if (!tensor) return NULL;
  return api->GetTensorMutableData(tensor, (void **)data);
}

static int64_t elements(const struct value *v) {
  int64_t n = 1;
  for (size_t i = 0; i < v->rank; i++) n *= v->dims[i];
  return n;
}

// Memory that an operator needs while it works, from where the session's values are, which keeps it for the operators that follow.
struct room {
  OrtAllocator *allocator;
  float *floats;
};

static void leave(struct room *r) {
  if (r->floats) r->allocator->Free(r->allocator, r->floats);
  if (r->allocator) api->ReleaseAllocator(r->allocator);
}

static OrtStatus *enter(OrtKernelContext *context, size_t floats, struct room *r) {
  memset(r, 0, sizeof *r);
  OrtMemoryInfo *where;
  TRY(api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &where));
  OrtStatus *status = api->KernelContext_GetAllocator(context, where, &r->allocator);
  api->ReleaseMemoryInfo(where);
  if (status) {
    r->allocator = NULL;
    return status;
  }
  r->floats = r->allocator->Alloc(r->allocator, floats * sizeof(float));
  if (r->floats) return NULL;
  leave(r);
  return api->CreateStatus(ORT_FAIL, "out of memory");
}

static OrtStatus *wrong(const char *what) { return api->CreateStatus(ORT_INVALID_ARGUMENT, what); }

static int same_shape(const struct value *a, const struct value *b) {
  return a->rank == b->rank && !memcmp(a->dims, b->dims, a->rank * sizeof *a->dims);
}

// ---- BatchNormalization (x, scale, shift, mean, variance, residual) → (y, mean, variance) --------------------------

struct batch_norm_work {
  const struct kernels *kernels;
  struct batch_norm b;
};

static void batch_norm_task(void *work, size_t block) {
  struct batch_norm_work *w = work;
  w->kernels->batch_norm(&w->b, block);
}

static OrtStatus *ORT_API_CALL batch_norm(void *kernel, OrtKernelContext *context) {
  const struct node *n = kernel;
  struct value x, scale, shift, mean, variance, residual;
  TRY(input(context, 0, &x));
  TRY(input(context, 1, &scale));
  TRY(input(context, 2, &shift));
  TRY(input(context, 3, &mean));
  TRY(input(context, 4, &variance));
  TRY(input(context, 5, &residual));
  const int64_t channels = x.dims[1];
  if (x.rank != 4 || channels % n->kernels->block || elements(&scale) != channels || elements(&shift) != channels)
    return wrong("BatchNormalization in blocks: x is not [N,C,H,W] with whole blocks of channels, or scale or shift are not [C]");
  if (residual.data && !same_shape(&residual, &x)) return wrong("BatchNormalization in blocks: the residual's shape is not x's");
  if (!n->training && (elements(&mean) != channels || elements(&variance) != channels || !mean.data || !variance.data))
    return wrong("BatchNormalization in blocks: mean or variance are not [C]");
  struct batch_norm_work w = {n->kernels};
  w.b = (struct batch_norm){.x = x.data, .scale = scale.data, .shift = shift.data, .residual = residual.data, .mean = mean.data, .variance = variance.data,
                            .images = x.dims[0], .channels = channels, .points = x.dims[2] * x.dims[3],
                            .epsilon = n->epsilon, .low = n->low, .high = n->high, .training = n->training};
  TRY(output(context, 0, x.dims, 4, &w.b.y));
  if (n->training) {
    TRY(output(context, 1, &channels, 1, &w.b.mean));
    TRY(output(context, 2, &channels, 1, &w.b.variance));
    if (!w.b.mean || !w.b.variance) return wrong("BatchNormalization in blocks: the batch's statistics are not given out");
  }
  return api->KernelContext_ParallelFor(context, batch_norm_task, channels / n->kernels->block, 0, &w);
}

// ---- BatchNormalizationGradient (dY, x, scale, shift, mean, variance) → (dX, dScale, dShift) ------------------------

struct batch_norm_gradient_work {
  const struct kernels *kernels;
  struct batch_norm_gradient b;
};

static void batch_norm_gradient_task(void *work, size_t block) {
  struct batch_norm_gradient_work *w = work;
  w->kernels->batch_norm_gradient(&w->b, block);
}

static OrtStatus *ORT_API_CALL batch_norm_gradient(void *kernel, OrtKernelContext *context) {
  const struct node *n = kernel;
  struct value dy, x, channel[4];
  TRY(input(context, 0, &dy));
  TRY(input(context, 1, &x));
  const int64_t channels = x.dims[1];
  if (x.rank != 4 || channels % n->kernels->block || !same_shape(&dy, &x))
    return wrong("BatchNormalizationGradient: x is not [N,C,H,W] with whole blocks of channels, or dY has another shape");
  for (int i = 0; i < 4; i++) {
    TRY(input(context, 2 + i, &channel[i]));
    if (!channel[i].data || elements(&channel[i]) != channels) return wrong("BatchNormalizationGradient: scale, shift, mean or variance are not [C]");
  }
  struct batch_norm_gradient_work w = {n->kernels};
  w.b = (struct batch_norm_gradient){.dy = dy.data, .x = x.data, .scale = channel[0].data, .shift = channel[1].data,
                                     .mean = channel[2].data, .variance = channel[3].data,
                                     .images = x.dims[0], .channels = channels, .points = x.dims[2] * x.dims[3],
                                     .epsilon = n->epsilon, .low = n->low, .high = n->high, .training = n->training};
  TRY(output(context, 0, x.dims, 4, &w.b.dx));
  TRY(output(context, 1, &channels, 1, &w.b.dscale));
  TRY(output(context, 2, &channels, 1, &w.b.dshift));
  return api->KernelContext_ParallelFor(context, batch_norm_gradient_task, channels / n->kernels->block, 0, &w);
}

// ---- ClipGradient (y, dY, more) → dX -------------------------------------------------------------------------------

struct clip_gradient_work {
  const struct kernels *kernels;
  struct clip_gradient c;
};

static void clip_gradient_task(void *work, size_t task) {
  struct clip_gradient_work *w = work;
  w->kernels->clip_gradient(&w->c, task);
}

static OrtStatus *ORT_API_CALL clip_gradient(void *kernel, OrtKernelContext *context) {
  const struct node *n = kernel;
  struct value y, dy, more;
  TRY(input(context, 0, &y));
  TRY(input(context, 1, &dy));
  TRY(input(context, 2, &more));
  if (!same_shape(&y, &dy) || (more.data && !same_shape(&y, &more))) return wrong("ClipGradient: the shapes differ");
  struct clip_gradient_work w = {n->kernels};
  w.c = (struct clip_gradient){.y = y.data, .dy = dy.data, .more = more.data, .size = elements(&y), .low = n->low, .high = n->high};
  TRY(output(context, 0, y.dims, y.rank, &w.c.dx));
  return api->KernelContext_ParallelFor(context, clip_gradient_task, n->kernels->clip_gradient_tasks(&w.c), 0, &w);
}

// Whether Winograd's algorithm computes a convolution: a 3×3 kernel without gaps at stride 1.
static int fits_winograd(const struct window *w) {
  for (int axis = 0; axis < 2; axis++)
    if (w->kernel[axis] != 3 || w->stride[axis] != 1 || w->dilation[axis] != 1) return 0;
  return 1;
}

// ---- ConvWeightGradient (dY, x) → (dW, dB) -------------------------------------------------------------------------

struct conv_weight_work {
  const struct kernels *kernels;
  struct conv_weight c;
  int failed;
};

static void conv_weight_task(void *work, size_t task) {
  struct conv_weight_work *w = work;
  if (!w->kernels->conv_weight(&w->c, task)) __atomic_store_n(&w->failed, 1, __ATOMIC_RELAXED);
}

struct winograd_gradient_work {
  const struct kernels *kernels;
  struct winograd_gradient g;
};

static void winograd_gradient_spread_task(void *work, size_t task) {
  struct winograd_gradient_work *w = work;
  w->kernels->winograd_gradient_spread(&w->g, task);
}

static void winograd_gradient_add_task(void *work, size_t task) {
  struct winograd_gradient_work *w = work;
  w->kernels->winograd_gradient_add(&w->g, task);
}

static void winograd_gradient_gather_task(void *work, size_t task) {
  struct winograd_gradient_work *w = work;
  w->kernels->winograd_gradient_gather(&w->g, task);
}

static OrtStatus *conv_weight_by_winograd(OrtKernelContext *context, const struct kernels *kernels, const struct conv_weight *c) {
  struct winograd_gradient_work w = {kernels, {.c = *c}};
  struct winograd_gradient *g = &w.g;
  struct room room;
  TRY(enter(context, kernels->winograd_gradient_room(g), &room));
  kernels->winograd_gradient_use(g, room.floats);
  OrtStatus *status = NULL;
  for (g->output = 0; !status && g->output < c->outputs; g->output += g->panel) {
    for (g->first = 0; !status && g->first < g->tiles; g->first += g->chunk) {
      status = api->KernelContext_ParallelFor(context, winograd_gradient_spread_task, kernels->winograd_gradient_spread_tasks(g), 0, &w);
      if (!status) status = api->KernelContext_ParallelFor(context, winograd_gradient_add_task, kernels->winograd_gradient_add_tasks(g), 0, &w);
    }
    if (!status) status = api->KernelContext_ParallelFor(context, winograd_gradient_gather_task, kernels->winograd_gradient_gather_tasks(g), 0, &w);
  }
  leave(&room);
  return status;
}

static OrtStatus *ORT_API_CALL conv_weight(void *kernel, OrtKernelContext *context) {
  const struct node *n = kernel;
  struct value dy, x;
  TRY(input(context, 0, &dy));
  TRY(input(context, 1, &x));
  const int64_t block = n->kernels->block, group = n->group, outputs = dy.dims[1] / group, inputs = x.dims[1] / group;
  const int depthwise = outputs == 1 && inputs == 1 && group % block == 0;
  if (x.rank != 4 || dy.rank != 4 || x.dims[0] != dy.dims[0] || outputs * group != dy.dims[1] || inputs * group != x.dims[1] ||
      (!depthwise && (outputs % block || inputs % block)))
    return wrong("ConvWeightGradient: dY and x are not [N,O,h,w] and [N,C,H,W] with whole blocks of channels in every group");
  struct conv_weight_work w = {n->kernels};
  w.c = (struct conv_weight){.x = x.data, .dy = dy.data, .images = x.dims[0], .groups = group, .inputs = inputs, .outputs = outputs, .window = n->window};
  w.c.window.height = x.dims[2];
  w.c.window.width = x.dims[3];
  w.c.window.out_height = dy.dims[2];
  w.c.window.out_width = dy.dims[3];
  const int64_t dims[4] = {dy.dims[1], inputs, n->window.kernel[0], n->window.kernel[1]};
  TRY(output(context, 0, dims, 4, &w.c.dw));
  TRY(output(context, 1, dims, 1, &w.c.db));
  if (n->winograd) {
    if (!fits_winograd(&n->window) || group != 1) return wrong("ConvWeightGradient: only 3x3 kernels at stride 1 have Winograd's algorithm");
    return conv_weight_by_winograd(context, n->kernels, &w.c);
  }
  TRY(api->KernelContext_ParallelFor(context, conv_weight_task, n->kernels->conv_weight_tasks(&w.c, n->threads), 0, &w));
  return w.failed ? api->CreateStatus(ORT_FAIL, "ConvWeightGradient: out of memory") : NULL;
}

// ---- ConvInputGradient (dY, laid) → dX -----------------------------------------------------------------------------

struct conv_input_work {
  const struct kernels *kernels;
  struct conv_input c;
};

static void conv_input_task(void *work, size_t task) {
  struct conv_input_work *w = work;
  w->kernels->conv_input(&w->c, task);
}

static OrtStatus *ORT_API_CALL conv_input(void *kernel, OrtKernelContext *context) {
  const struct node *n = kernel;
  struct value dy, laid;
  TRY(input(context, 0, &dy));
  TRY(input(context, 1, &laid));
  const int64_t block = n->kernels->block, group = n->group, outputs = dy.dims[1] / group, inputs = laid.dims[0] / group;
  const int depthwise = outputs == 1 && inputs == 1 && group % block == 0;
  if (dy.rank != 4 || laid.rank != 4 || outputs * group != dy.dims[1] || inputs * group != laid.dims[0] || laid.dims[1] != outputs ||
      laid.dims[2] != n->window.kernel[0] || laid.dims[3] != n->window.kernel[1] || n->window.height < 1 || n->window.width < 1 || (!depthwise && (outputs % block || inputs % block)))
    return wrong("ConvInputGradient: dY and the weight are not [N,O,h,w] and [C,O/g,k,l] with whole blocks of channels in every group");
  struct conv_input_work w = {n->kernels};
  w.c = (struct conv_input){.dy = dy.data, .w = laid.data, .images = dy.dims[0], .groups = group, .inputs = inputs, .outputs = outputs, .window = n->window};
  w.c.window.out_height = dy.dims[2];
  w.c.window.out_width = dy.dims[3];
  const int64_t dims[4] = {dy.dims[0], laid.dims[0], n->window.height, n->window.width};
  TRY(output(context, 0, dims, 4, &w.c.dx));
  return api->KernelContext_ParallelFor(context, conv_input_task, n->kernels->conv_input_tasks(&w.c), 0, &w);
}

// ---- LayWeight (w, after) → laid -----------------------------------------------------------------------------------

struct lay_weight_work {
  const struct kernels *kernels;
  struct lay_weight l;
};

static void lay_weight_task(void *work, size_t task) {
  struct lay_weight_work *w = work;
  w->kernels->lay_weight(&w->l, task);
}

// after is not looked at: the runtime lays a weight out no sooner than that is there, and so keeps it no longer than needed.
static OrtStatus *ORT_API_CALL lay_weight(void *kernel, OrtKernelContext *context) {
  const struct node *n = kernel;
  struct value v;
  TRY(input(context, 0, &v));
  const int64_t block = n->kernels->block, outputs = v.dims[0] / n->group, inputs = v.dims[1];
  const int rows = inputs < block; // laid as rows of outputs
  if (v.rank != 4 || v.dims[0] % n->group || v.dims[0] % block || (!rows && (inputs % block || outputs % block)) || (rows && n->turned && (inputs != 1 || outputs != 1)))
    return wrong("LayWeight: the weight is not [O,C,k,l] with whole blocks of channels in every group");
  struct lay_weight_work w = {n->kernels};
  w.l = (struct lay_weight){.w = v.data, .groups = n->group, .outputs = outputs, .inputs = inputs, .points = v.dims[2] * v.dims[3], .turned = n->turned};
  const int64_t turned[4] = {n->group * inputs, outputs, v.dims[2], v.dims[3]};
  TRY(output(context, 0, n->turned ? turned : v.dims, 4, &w.l.laid));
  return api->KernelContext_ParallelFor(context, lay_weight_task, n->kernels->lay_weight_tasks(&w.l), 0, &w);
}

// ---- WinogradWeight (w, after) → u ---------------------------------------------------------------------------------

static void winograd_weight_task(void *work, size_t task) {
  struct lay_weight_work *w = work;
  w->kernels->winograd_weight(&w->l, task);
}

static OrtStatus *ORT_API_CALL winograd_weight(void *kernel, OrtKernelContext *context) {
  const struct node *n = kernel;
  struct value v;
  TRY(input(context, 0, &v));
  if (v.rank != 4 || v.dims[0] % n->kernels->block || v.dims[1] % n->kernels->block || v.dims[2] != 3 || v.dims[3] != 3)
    return wrong("WinogradWeight: the weight is not [O,C,3,3] with whole blocks of channels");
  struct lay_weight_work w = {n->kernels};
  w.l = (struct lay_weight){.w = v.data, .groups = 1, .outputs = v.dims[0], .inputs = v.dims[1], .points = 9, .turned = n->turned};
  const int64_t dims[3] = {16, v.dims[!n->turned], v.dims[n->turned != 0]};
  TRY(output(context, 0, dims, 3, &w.l.laid));
  return api->KernelContext_ParallelFor(context, winograd_weight_task, n->kernels->winograd_weight_tasks(&w.l), 0, &w);
}

// ---- WinogradConv (x, u, bias) → y ---------------------------------------------------------------------------------

struct winograd_work {
  const struct kernels *kernels;
  struct winograd c;
  float *room;
  size_t tasks, next;
};

// One of the threads: it has room of its own, and takes tasks while there are any.
static void winograd_thread(void *work, size_t thread) {
  struct winograd_work *w = work;
  float *room = w->room + thread * w->kernels->winograd_room(&w->c);
  for (size_t task; (task = __atomic_fetch_add(&w->next, 1, __ATOMIC_RELAXED)) < w->tasks;) w->kernels->winograd(&w->c, room, task);
}

static OrtStatus *ORT_API_CALL winograd(void *kernel, OrtKernelContext *context) {
  const struct node *n = kernel;
  struct value x, u, bias;
  TRY(input(context, 0, &x));
  TRY(input(context, 1, &u));
  TRY(input(context, 2, &bias));
  const int64_t block = n->kernels->block;
  if (x.rank != 4 || u.rank != 3 || u.dims[0] != 16 || u.dims[1] != x.dims[1] || u.dims[1] % block || u.dims[2] % block)
    return wrong("WinogradConv: x and u are not [N,C,H,W] and [16,C,O] with whole blocks of channels");
  if (bias.data && elements(&bias) != u.dims[2]) return wrong("WinogradConv: the bias is not [O]");
  struct winograd_work w = {n->kernels};
  w.c = (struct winograd){.x = x.data, .u = u.data, .bias = bias.data, .images = x.dims[0], .inputs = u.dims[1], .outputs = u.dims[2],
                          .low = n->low, .high = n->high, .window = n->window};
  w.c.window.height = x.dims[2];
  w.c.window.width = x.dims[3];
  w.c.window.out_height = x.dims[2] + n->window.pad[0] + n->ends[0] - 2;
  w.c.window.out_width = x.dims[3] + n->window.pad[1] + n->ends[1] - 2;
  if (!fits_winograd(&n->window) || w.c.window.out_height < 1 || w.c.window.out_width < 1) return wrong("WinogradConv: not a 3x3 kernel at stride 1 that fits the image");
  const int64_t dims[4] = {x.dims[0], u.dims[2], w.c.window.out_height, w.c.window.out_width};
  TRY(output(context, 0, dims, 4, &w.c.y));
  w.tasks = n->kernels->winograd_tasks(&w.c, n->threads);
  const size_t threads = w.tasks < (size_t)n->threads ? w.tasks : n->threads;
  struct room room;
  TRY(enter(context, threads * n->kernels->winograd_room(&w.c), &room));
  w.room = room.floats;
  OrtStatus *status = api->KernelContext_ParallelFor(context, winograd_thread, threads, 0, &w);
  leave(&room);
  return status;
}

// ---- registration --------------------------------------------------------------------------------------------------

// An operator: OrtCustomOp first, so that the runtime's pointer to it is one to this.
struct operator{
  OrtCustomOp op;
  const char *name;
  size_t inputs, required, outputs; // inputs from required on, and outputs from the second on, may be left out
};

static const struct operator*self(const OrtCustomOp *op) { return (const struct operator*)op; }
static const char *ORT_API_CALL name_of(const OrtCustomOp *op) { return self(op)->name; }
static const char *ORT_API_CALL provider_of(const OrtCustomOp *op) { return NULL; }
static ONNXTensorElementDataType ORT_API_CALL type_of(const OrtCustomOp *op, size_t index) { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; }
static size_t ORT_API_CALL inputs_of(const OrtCustomOp *op) { return self(op)->inputs; }
static size_t ORT_API_CALL outputs_of(const OrtCustomOp *op) { return self(op)->outputs; }
static OrtCustomOpInputOutputCharacteristic ORT_API_CALL input_kind(const OrtCustomOp *op, size_t index) {
  return index < self(op)->required ? INPUT_OUTPUT_REQUIRED : INPUT_OUTPUT_OPTIONAL;
}
static OrtCustomOpInputOutputCharacteristic ORT_API_CALL output_kind(const OrtCustomOp *op, size_t index) {
  return index < 1 ? INPUT_OUTPUT_REQUIRED : INPUT_OUTPUT_OPTIONAL;
}
static OrtMemType ORT_API_CALL memory_of(const OrtCustomOp *op, size_t index) { return OrtMemTypeDefault; }
static int ORT_API_CALL first_version(const OrtCustomOp *op) { return 1; }

#define OPERATOR(label, compute, inputs_, required_, outputs_)                                                                          \
  {                                                                                                                                     \
    .op = {.version = ORT_API_VERSION, .GetName = name_of, .GetExecutionProviderType = provider_of, .GetInputType = type_of,            \
           .GetInputTypeCount = inputs_of, .GetOutputType = type_of, .GetOutputTypeCount = outputs_of, .GetInputCharacteristic = input_kind, \
           .GetOutputCharacteristic = output_kind, .GetInputMemoryType = memory_of, .CreateKernelV2 = create, .KernelComputeV2 = compute, \
           .KernelDestroy = destroy, .GetStartVersion = first_version, .GetEndVersion = first_version},                                 \
    .name = label, .inputs = inputs_, .required = required_, .outputs = outputs_,                                                       \
  }

static const struct operator operators[] = {
    OPERATOR("BatchNormalization", batch_norm, 6, 3, 3),
    OPERATOR("BatchNormalizationGradient", batch_norm_gradient, 6, 6, 3),
    OPERATOR("ClipGradient", clip_gradient, 3, 2, 1),
    OPERATOR("ConvWeightGradient", conv_weight, 2, 2, 2),
    OPERATOR("ConvInputGradient", conv_input, 2, 2, 1),
    OPERATOR("LayWeight", lay_weight, 2, 1, 1),
    OPERATOR("WinogradWeight", winograd_weight, 2, 1, 1),
    OPERATOR("WinogradConv", winograd, 3, 2, 1),
};

static OrtCustomOpDomain *known; // the domain, made once; sessions refer to it for as long as they live

static char *message(OrtStatus *status) {
  char *text = strdup(api->GetErrorMessage(status));
  api->ReleaseStatus(status);
  return text;
}

char *operators_add(const char *library, const char *domain, void *options) {
  OrtStatus *status;
  if (!api) {
    void *handle = dlopen(library, RTLD_LAZY);
    const OrtApiBase *(*base)(void) = handle ? (const OrtApiBase *(*)(void))dlsym(handle, "OrtGetApiBase") : NULL;
    const OrtApi *found = base ? base()->GetApi(ORT_API_VERSION) : NULL;
    if (!found) return strdup("the loaded ONNX Runtime does not have the interface that operators are added through");
    api = found;
  }
  if (!known) {
    OrtCustomOpDomain *made;
    if ((status = api->CreateCustomOpDomain(domain, &made))) return message(status);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
      if ((status = api->CustomOpDomain_Add(made, &operators[i].op))) {
        api->ReleaseCustomOpDomain(made);
        return message(status);
      }
    known = made;
  }
  if ((status = api->AddCustomOpDomain(options, known))) return message(status);
  return NULL;
}
