// 3×3 convolutions at stride 1, and the gradients of their weights, by Winograd's algorithm F(2×2, 3×3) (S. Winograd, Arithmetic
// Complexity of Computations, 1980; A. Lavin and S. Gray, arXiv 1509.09308): four outputs take 16 products instead of 36,
//
//	Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A          d: 4×4 inputs, g: the 3×3 kernel, Y: 2×2 outputs
//	dg = Gᵀ [Σ (A dY Aᵀ) ⊙ (Bᵀ d B)] G       the sum over all tiles: what is above, turned about
//
// which, over all channels, are 16 matrix products. All coefficients are 0, ±1 and ±1/2.
// Included by kernels_body.h, once per width of vectors.

enum {
  POINTS = 16,                    // of a tile, spread out
  TILES = BLOCK == 16 ? 14 : 6,   // tiles that the inner loop adds up at once, against two blocks of outputs: as many registers as there are
  LINE = 64 / sizeof(float),      // of the cache: points lie a line more than a power of two apart, or they would fall on each other in it
};

// How many tiles an image has.
struct tiling {
  int64_t rows, columns;
};

static inline struct tiling tiling_of(const struct window *w) { return (struct tiling){(w->out_height + 1) / 2, (w->out_width + 1) / 2}; }

// Calls a block for the tiles from first to end: image, row and column are where a tile is, and t counts them from 0.
#define EACH_TILE(first, end, tiling)                                                                                          \
  for (int64_t t = 0, image = (first) / ((tiling).rows * (tiling).columns), row = (first) / (tiling).columns % (tiling).rows,  \
               column = (first) % (tiling).columns;                                                                            \
       t < (end) - (first);                                                                                                    \
       t++, (++column < (tiling).columns) || (column = 0, ++row < (tiling).rows) || (row = 0, ++image))

// Bᵀ d B of the 4×4 pixels from (top, left) on, where what lies outside is 0. Its points are put next apart.
ALWAYS void spread_pixels(float *v, int64_t next, const float *x, int64_t top, int64_t left, int64_t height, int64_t width) {
  vec d[4][4];
  if (top >= 0 && left >= 0 && top + 4 <= height && left + 4 <= width) {
    const float *p = x + (top * width + left) * BLOCK;
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) d[i][j] = at(p + (i * width + j) * BLOCK);
  } else {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        const int there = top + i >= 0 && top + i < height && left + j >= 0 && left + j < width;
        d[i][j] = there ? at(x + ((top + i) * width + left + j) * BLOCK) : (vec){0};
      }
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    const vec a = d[0][j], b = d[1][j], c = d[2][j];
    d[0][j] = a - c, d[1][j] = b + c, d[2][j] = c - b, d[3][j] = b - d[3][j];
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    put(v + (i * 4 + 0) * next, d[i][0] - d[i][2]);
    put(v + (i * 4 + 1) * next, d[i][1] + d[i][2]);
    put(v + (i * 4 + 2) * next, d[i][2] - d[i][1]);
    put(v + (i * 4 + 3) * next, d[i][1] - d[i][3]);
  }
}

// A dY Aᵀ of the 2×2 outputs from (top, left) on, where what lies outside is 0.
ALWAYS void spread_outputs(float *v, int64_t next, const float *dy, int64_t top, int64_t left, int64_t height, int64_t width) {
  const float *p = dy + (top * width + left) * BLOCK;
  const int right = left + 1 < width, below = top + 1 < height;
  const vec a = at(p), b = right ? at(p + BLOCK) : (vec){0};
  const vec c = below ? at(p + width * BLOCK) : (vec){0}, d = right && below ? at(p + (width + 1) * BLOCK) : (vec){0};
  const vec rows[4][2] = {{a, b}, {a + c, b + d}, {a - c, b - d}, {-c, -d}};
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    put(v + (i * 4 + 0) * next, rows[i][0]);
    put(v + (i * 4 + 1) * next, rows[i][0] + rows[i][1]);
    put(v + (i * 4 + 2) * next, rows[i][0] - rows[i][1]);
    put(v + (i * 4 + 3) * next, -rows[i][1]);
  }
}

// ---- its weight ------------------------------------------------------------------------------------------------

// G g Gᵀ of each pair of channels: [pairs of outputs' blocks][16 points][inputs][1 or 2 blocks of outputs]. A task is a pair.
static size_t winograd_weight_tasks(const struct lay_weight *l) { return ((l->turned ? l->inputs : l->outputs) / BLOCK + 1) / 2; }

static TARGET void winograd_weight(const struct lay_weight *l, size_t task) {
  const int64_t outputs = l->turned ? l->inputs : l->outputs, inputs = l->turned ? l->outputs : l->inputs;
  const int64_t first = task * 2, pair = first + 1 < outputs / BLOCK ? 2 : 1, next = inputs * pair * BLOCK;
  const int64_t of_output = l->turned ? 9 : l->inputs * 9, of_input = l->turned ? l->inputs * 9 : 9; // how far apart kernels are
  float *laid = l->laid + first * BLOCK * inputs * POINTS;
  for (int64_t i = 0; i < inputs; i++)
    for (int64_t b = 0; b < pair; b++, laid += BLOCK) {
      const float *w = l->w + (first + b) * BLOCK * of_output + i * of_input;
      vec g[4][3];
      for (int k = 0; k < 9; k++) {
        vec lanes;
        for (int j = 0; j < BLOCK; j++) lanes[j] = w[j * of_output + (l->turned ? 8 - k : k)];
        g[k / 3][k % 3] = lanes;
      }
#pragma GCC unroll 3
      for (int k = 0; k < 3; k++) {
        const vec ends = (g[0][k] + g[2][k]) * 0.5f, middle = g[1][k] * 0.5f;
        g[3][k] = g[2][k], g[1][k] = ends + middle, g[2][k] = ends - middle;
      }
#pragma GCC unroll 4
      for (int k = 0; k < 4; k++) {
        const vec ends = (g[k][0] + g[k][2]) * 0.5f, middle = g[k][1] * 0.5f;
        put(laid + (k * 4 + 0) * next, g[k][0]);
        put(laid + (k * 4 + 1) * next, ends + middle);
        put(laid + (k * 4 + 2) * next, ends - middle);
        put(laid + (k * 4 + 3) * next, g[k][2]);
      }
    }
}

// ---- the convolution -------------------------------------------------------------------------------------------

// m[tile][o] = Σ v[tile][c]·u[c][o] over all inputs c, for TILES tiles and BLOCKS blocks of outputs o.
ALWAYS void tile_products(const int BLOCKS, float *m, int64_t next_block, const float *v, int64_t v_block, const float *u, int64_t input_blocks) {
  vec acc[TILES][2];
#pragma GCC unroll 14
  for (int r = 0; r < TILES; r++) acc[r][0] = acc[r][1] = (vec){0};
  for (int64_t c = 0; c < input_blocks; c++, v += v_block)
    for (int i = 0; i < BLOCK; i++, u += BLOCKS * BLOCK) {
      const vec first = at(u), second = BLOCKS > 1 ? at(u + BLOCK) : first;
#pragma GCC unroll 14
      for (int r = 0; r < TILES; r++) {
        const vec one = all(v[r * BLOCK + i]);
        asm("vfmadd231ps %2, %1, %0" : "+v"(acc[r][0]) : "v"(one), "v"(first));
        if (BLOCKS > 1) asm("vfmadd231ps %2, %1, %0" : "+v"(acc[r][1]) : "v"(one), "v"(second));
      }
    }
#pragma GCC unroll 14
  for (int r = 0; r < TILES; r++)
    for (int b = 0; b < BLOCKS; b++) put(m + b * next_block + r * BLOCK, acc[r][b]);
}

static TARGET void tile_products_1(float *m, int64_t next_block, const float *v, int64_t v_block, const float *u, int64_t input_blocks) {
  tile_products(1, m, next_block, v, v_block, u, input_blocks);
}

static TARGET void tile_products_2(float *m, int64_t next_block, const float *v, int64_t v_block, const float *u, int64_t input_blocks) {
  tile_products(2, m, next_block, v, v_block, u, input_blocks);
}

// Aᵀ m A: the 2×2 outputs of a tile, as far as there are that many.
ALWAYS void gather_outputs(float *y, const float *m, int64_t next, vec bias, vec low, vec high, int64_t top, int64_t left, int64_t height, int64_t width) {
  vec s[2][4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    const vec a = at(m + j * next), b = at(m + (4 + j) * next), c = at(m + (8 + j) * next), d = at(m + (12 + j) * next);
    s[0][j] = a + b + c, s[1][j] = b - c - d;
  }
  float *p = y + (top * width + left) * BLOCK;
#pragma GCC unroll 2
  for (int i = 0; i < 2; i++) {
    if (top + i >= height) return;
    put(p + i * width * BLOCK, clip(s[i][0] + s[i][1] + s[i][2] + bias, low, high));
    if (left + 1 < width) put(p + (i * width + 1) * BLOCK, clip(s[i][1] - s[i][2] - s[i][3] + bias, low, high));
  }
}

// A task is some groups of TILES tiles: as many as a core's second-level cache holds spread out, where that is many; else so many that
// the weights, which pass by each time, do not count. Each thread has as many tasks.
static size_t winograd_tasks(struct winograd *c, int threads) {
  const struct tiling tiling = tiling_of(&c->window);
  c->groups = (c->images * tiling.rows * tiling.columns + TILES - 1) / TILES;
  const int64_t held = (1 << 19) / (POINTS * (c->inputs + c->outputs) * (int64_t)sizeof(float)), most = (held > 56 ? held : 56) / TILES;
  c->tasks = ((c->groups + most - 1) / most + threads - 1) / threads * threads;
  if (c->tasks > c->groups) c->tasks = c->groups;
  return c->tasks;
}

static size_t winograd_room(const struct winograd *c) {
  return POINTS * ((c->groups + c->tasks - 1) / c->tasks * TILES * (c->inputs + c->outputs) + 2 * LINE);
}

static TARGET void winograd(const struct winograd *c, float *room, size_t task) {
  const struct window *w = &c->window;
  const struct tiling tiling = tiling_of(w);
  const int64_t inputs = c->inputs / BLOCK, outputs = c->outputs / BLOCK, all_tiles = c->images * tiling.rows * tiling.columns;
  const int64_t first = task * c->groups / c->tasks * TILES, behind = (task + 1) * c->groups / c->tasks * TILES, end = behind < all_tiles ? behind : all_tiles;
  const int64_t tiles = behind - first; // the last ones may be none, and are computed all the same
  const int64_t of_block = tiles * BLOCK, v_next = inputs * of_block + LINE, m_next = outputs * of_block + LINE;
  float *v = room, *m = v + POINTS * v_next;
  for (int64_t b = 0; b < inputs; b++) {
    EACH_TILE(first, end, tiling)
      spread_pixels(v + b * of_block + t * BLOCK, v_next, c->x + (image * inputs + b) * w->height * w->width * BLOCK, row * 2 - w->pad[0], column * 2 - w->pad[1], w->height, w->width);
    if (tiles > end - first)
      for (int p = 0; p < POINTS; p++) memset(v + p * v_next + b * of_block + (end - first) * BLOCK, 0, (tiles - (end - first)) * BLOCK * sizeof(float));
  }
  for (int p = 0; p < POINTS; p++)
    for (int64_t o = 0; o < outputs; o += 2) {
      const int64_t pair = o + 1 < outputs ? 2 : 1;
      const float *u = c->u + (o * POINTS + p * pair) * c->inputs * BLOCK;
      for (int64_t t = 0; t < tiles; t += TILES)
        (pair == 2 ? tile_products_2 : tile_products_1)(m + p * m_next + o * of_block + t * BLOCK, of_block, v + p * v_next + t * BLOCK, of_block, u, inputs);
    }
  const vec low = all(c->low), high = all(c->high);
  for (int64_t o = 0; o < outputs; o++) {
    const vec bias = c->bias ? at(c->bias + o * BLOCK) : (vec){0};
    EACH_TILE(first, end, tiling)
      gather_outputs(c->y + (image * outputs + o) * w->out_height * w->out_width * BLOCK, m + o * of_block + t * BLOCK, m_next, bias, low, high, row * 2, column * 2, w->out_height, w->out_width);
  }
}

// ---- its weight's gradient -------------------------------------------------------------------------------------

// Outputs are taken in panels, and their tiles in chunks: points are spread out (a task is a block of inputs or of outputs), then multiplied
// and added to the sums [16 points][pairs of outputs' blocks][inputs][1 or 2 blocks of outputs] (a task is a point and a pair); when
// all tiles are, the sums are gathered into dW (a task is a pair). None of this depends on threads.

// Sets what g consists of, and returns the room it needs.
static size_t winograd_gradient_room(struct winograd_gradient *g) {
  const struct tiling tiling = tiling_of(&g->c.window);
  g->tiles = g->c.images * tiling.rows * tiling.columns;
  const int64_t blocks = g->c.outputs / BLOCK, panels = (g->c.inputs * g->c.outputs + (1 << 16) - 1) >> 16; // of 4 MB of sums
  g->panel = ((blocks + panels - 1) / panels + 1) / 2 * 2 * BLOCK;
  if (g->panel > g->c.outputs) g->panel = g->c.outputs;
  g->chunk = (1 << 20) / ((g->c.inputs + g->panel) * POINTS); // 4 MB of points
  if (g->chunk < 64) g->chunk = 64;
  const int64_t chunks = (g->tiles + g->chunk - 1) / g->chunk;
  g->chunk = (g->tiles + chunks - 1) / chunks;
  g->v_next = g->c.inputs * g->chunk + LINE;
  g->d_next = g->panel * g->chunk + LINE;
  return POINTS * (g->v_next + g->d_next + g->c.inputs * g->panel);
}

static void winograd_gradient_use(struct winograd_gradient *g, float *room) {
  g->v = room;
  g->d = g->v + POINTS * g->v_next;
  g->sums = g->d + POINTS * g->d_next;
}

ALWAYS int64_t winograd_gradient_end(const struct winograd_gradient *g) { return g->first + g->chunk < g->tiles ? g->first + g->chunk : g->tiles; }

// Outputs of the panel at hand.
static int64_t winograd_gradient_outputs(const struct winograd_gradient *g) {
  return g->output + g->panel < g->c.outputs ? g->panel : g->c.outputs - g->output;
}

static size_t winograd_gradient_spread_tasks(const struct winograd_gradient *g) { return (g->c.inputs + winograd_gradient_outputs(g)) / BLOCK; }

static TARGET void winograd_gradient_spread(const struct winograd_gradient *g, size_t task) {
  const struct window *w = &g->c.window;
  const struct tiling tiling = tiling_of(w);
  const int64_t inputs = g->c.inputs / BLOCK, outputs = g->c.outputs / BLOCK, end = winograd_gradient_end(g);
  if ((int64_t)task < inputs) {
    EACH_TILE(g->first, end, tiling)
      spread_pixels(g->v + (task * g->chunk + t) * BLOCK, g->v_next, g->c.x + (image * inputs + task) * w->height * w->width * BLOCK, row * 2 - w->pad[0], column * 2 - w->pad[1], w->height, w->width);
    return;
  }
  const int64_t o = task - inputs, block = g->output / BLOCK + o;
  EACH_TILE(g->first, end, tiling)
    spread_outputs(g->d + (o * g->chunk + t) * BLOCK, g->d_next, g->c.dy + (image * outputs + block) * w->out_height * w->out_width * BLOCK, row * 2, column * 2, w->out_height, w->out_width);
}

// sums[c][o] += Σ v[tile][c]·d[tile][o] over tiles, for ROWS inputs c and BLOCKS blocks of outputs o.
ALWAYS void add_tiles(const int BLOCKS, float *sums, const float *v, const float *d, int64_t next_block, int64_t tiles, int fresh) {
  vec acc[ROWS][2];
#pragma GCC unroll 8
  for (int r = 0; r < ROWS; r++)
    for (int b = 0; b < BLOCKS; b++) acc[r][b] = fresh ? (vec){0} : at(sums + (r * BLOCKS + b) * BLOCK);
  for (int64_t t = 0; t < tiles; t++, v += BLOCK, d += BLOCK) {
    const vec first = at(d), second = BLOCKS > 1 ? at(d + next_block) : first;
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
      const vec one = all(v[r]);
      asm("vfmadd231ps %2, %1, %0" : "+v"(acc[r][0]) : "v"(one), "v"(first));
      if (BLOCKS > 1) asm("vfmadd231ps %2, %1, %0" : "+v"(acc[r][1]) : "v"(one), "v"(second));
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < ROWS; r++)
    for (int b = 0; b < BLOCKS; b++) put(sums + (r * BLOCKS + b) * BLOCK, acc[r][b]);
}

static TARGET void add_tiles_1(float *sums, const float *v, const float *d, int64_t next_block, int64_t tiles, int fresh) {
  add_tiles(1, sums, v, d, next_block, tiles, fresh);
}

static TARGET void add_tiles_2(float *sums, const float *v, const float *d, int64_t next_block, int64_t tiles, int fresh) {
  add_tiles(2, sums, v, d, next_block, tiles, fresh);
}

static size_t winograd_gradient_gather_tasks(const struct winograd_gradient *g) { return (winograd_gradient_outputs(g) / BLOCK + 1) / 2; }

static size_t winograd_gradient_add_tasks(const struct winograd_gradient *g) { return winograd_gradient_gather_tasks(g) * POINTS; }

static TARGET void winograd_gradient_add(const struct winograd_gradient *g, size_t task) {
  const int64_t outputs = winograd_gradient_outputs(g), pairs = winograd_gradient_gather_tasks(g), of_block = g->chunk * BLOCK;
  const int64_t p = task / pairs, o = task % pairs * 2, pair = o + 1 < outputs / BLOCK ? 2 : 1, tiles = winograd_gradient_end(g) - g->first;
  float *sums = g->sums + (p * outputs + o * BLOCK) * g->c.inputs;
  const float *d = g->d + p * g->d_next + o * of_block;
  for (int64_t c = 0; c < g->c.inputs; c += ROWS)
    (pair == 2 ? add_tiles_2 : add_tiles_1)(sums + c * pair * BLOCK, g->v + p * g->v_next + c / BLOCK * of_block + c % BLOCK, d, of_block, tiles, g->first == 0);
}

static TARGET void winograd_gradient_gather(const struct winograd_gradient *g, size_t task) {
  const int64_t outputs = winograd_gradient_outputs(g), first = task * 2, pair = first + 1 < outputs / BLOCK ? 2 : 1;
  const int64_t inputs = g->c.inputs, next = outputs * inputs, block = g->output / BLOCK + first;
  const float *sums = g->sums + first * BLOCK * inputs;
  for (int64_t c = 0; c < inputs; c++)
    for (int64_t b = 0; b < pair; b++, sums += BLOCK) {
      vec k[3][4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        const vec u1 = at(sums + (4 + j) * next), u2 = at(sums + (8 + j) * next), half = (u1 + u2) * 0.5f;
        k[0][j] = at(sums + j * next) + half, k[1][j] = (u1 - u2) * 0.5f, k[2][j] = half + at(sums + (12 + j) * next);
      }
      float *to = g->c.dw + ((block + b) * BLOCK * inputs + c) * 9;
#pragma GCC unroll 3
      for (int i = 0; i < 3; i++) {
        const vec half = (k[i][1] + k[i][2]) * 0.5f, row[3] = {k[i][0] + half, (k[i][1] - k[i][2]) * 0.5f, half + k[i][3]};
#pragma GCC unroll 3
        for (int l = 0; l < 3; l++)
          for (int lane = 0; lane < BLOCK; lane++) to[lane * inputs * 9 + i * 3 + l] = row[l][lane];
      }
    }
  if (g->c.db)
    for (int64_t b = 0; b < pair; b++) bias_gradient(&g->c, block + b);
}
