// Three coordinate spaces, as three types that cannot be mixed up:
//
//   ScreenPoint  CSS pixels from the top left corner of the canvas
//   ImagePoint   pixels of the oriented original picture
//   MapPoint     cells of the attention grid, x over columns and y over rows; cell (r, c) covers
//                [c, c+1) × [r, r+1)
//
// A Viewport joins the first two (pan and zoom), a Placement the last two (the model's view).

declare const space: unique symbol;

interface Point<Space extends string> {
  readonly x: number;
  readonly y: number;
  readonly [space]: Space;
}

export type ScreenPoint = Point<"screen">;
export type ImagePoint = Point<"image">;
export type MapPoint = Point<"map">;

export const screenPoint = (x: number, y: number): ScreenPoint => ({ x, y }) as ScreenPoint;
export const imagePoint = (x: number, y: number): ImagePoint => ({ x, y }) as ImagePoint;
export const mapPoint = (x: number, y: number): MapPoint => ({ x, y }) as MapPoint;

/** A rectangle in the pixels of the oriented original. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The least rectangle around both; either may be nothing. */
export function around(a: Region | null, b: Region | null): Region | null {
  if (!a || !b) return a ?? b;
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  return { x, y, width: Math.max(a.x + a.width, b.x + b.width) - x, height: Math.max(a.y + a.height, b.y + b.height) - y };
}

/** The least rectangle around points; null without any. */
export function bounds(points: Iterable<{ readonly x: number; readonly y: number }>): Region | null {
  let all: Region | null = null;
  for (const { x, y } of points) all = around(all, { x, y, width: 0, height: 0 });
  return all;
}

export const grown = ({ x, y, width, height }: Region, by: number): Region => ({ x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by });

/** Where the attention grid lies over the picture: it covers exactly the model's view. */
export class Placement {
  constructor(
    readonly region: Region,
    readonly rows: number,
    readonly columns: number,
  ) {}

  /** Image pixels per cell, across. */
  get cellWidth(): number {
    return this.region.width / this.columns;
  }

  /** Image pixels per cell, down. */
  get cellHeight(): number {
    return this.region.height / this.rows;
  }

  /**
   * Radii, in cells, of a brush `size` cells across. The brush is a circle on the picture, so it is
   * an ellipse on a grid whose cells are not square; size counts cells of the mean side.
   */
  radii(size: number): { rx: number; ry: number } {
    const pixels = (size / 2) * Math.sqrt(this.cellWidth * this.cellHeight);
    return { rx: pixels / this.cellWidth, ry: pixels / this.cellHeight };
  }

  toMap(p: ImagePoint): MapPoint {
    return mapPoint((p.x - this.region.x) / this.cellWidth, (p.y - this.region.y) / this.cellHeight);
  }

  toImage(p: MapPoint): ImagePoint {
    return imagePoint(this.region.x + p.x * this.cellWidth, this.region.y + p.y * this.cellHeight);
  }

  /** Index of the cell under a point, or -1 outside the grid. */
  cellAt(p: MapPoint): number {
    const column = Math.floor(p.x);
    const row = Math.floor(p.y);
    if (row < 0 || column < 0 || row >= this.rows || column >= this.columns) return -1;
    return row * this.columns + column;
  }
}

const minZoom = 0.02;
const maxZoom = 64;

/** Pan and zoom: screen = image · scale + offset. Immutable; every change makes a new one. */
export class Viewport {
  constructor(
    readonly width: number, // CSS pixels of the canvas
    readonly height: number,
    readonly scale: number, // CSS pixels per image pixel
    readonly offsetX: number,
    readonly offsetY: number,
  ) {}

  /** The viewport that shows `region` whole, with a margin of CSS pixels around it. */
  static fit(width: number, height: number, region: Region, margin = 12): Viewport {
    const scale = Math.max(
      minZoom,
      Math.min((width - 2 * margin) / region.width, (height - 2 * margin) / region.height),
    );
    return new Viewport(
      width,
      height,
      scale,
      width / 2 - (region.x + region.width / 2) * scale,
      height / 2 - (region.y + region.height / 2) * scale,
    );
  }

  toScreen(p: ImagePoint): ScreenPoint {
    return screenPoint(p.x * this.scale + this.offsetX, p.y * this.scale + this.offsetY);
  }

  toImage(p: ScreenPoint): ImagePoint {
    return imagePoint((p.x - this.offsetX) / this.scale, (p.y - this.offsetY) / this.scale);
  }

  panned(dx: number, dy: number): Viewport {
    return new Viewport(this.width, this.height, this.scale, this.offsetX + dx, this.offsetY + dy);
  }

  /** Zoomed by `factor` so that what lies under `at` stays there. */
  zoomed(factor: number, at: ScreenPoint): Viewport {
    const scale = Math.min(maxZoom, Math.max(minZoom, this.scale * factor));
    const k = scale / this.scale;
    return new Viewport(this.width, this.height, scale, at.x - (at.x - this.offsetX) * k, at.y - (at.y - this.offsetY) * k);
  }

  /** The same view in a canvas of another size: what was in the middle stays in the middle. */
  resized(width: number, height: number): Viewport {
    const dx = (width - this.width) / 2;
    const dy = (height - this.height) / 2;
    return new Viewport(width, height, this.scale, this.offsetX + dx, this.offsetY + dy);
  }
}

/**
 * The oriented original's rectangle. An image stores its size before EXIF orientation. The model's view lies in the
 * middle of the picture, however it is cut or padded: where it lies in the middle of the turned one, that was turned.
 */
export function oriented({ width, height }: { readonly width: number; readonly height: number }, view: Region): Region {
  const x = view.x + view.width / 2;
  const y = view.y + view.height / 2;
  const off = (w: number, h: number) => Math.abs(x - w / 2) + Math.abs(y - h / 2);
  const turned = off(height, width) < off(width, height);
  return { x: 0, y: 0, width: turned ? height : width, height: turned ? width : height };
}
