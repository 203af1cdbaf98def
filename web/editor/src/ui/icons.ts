// Line icons, 16 px, made by DOM; they are decoration, and words or a label stand beside them.

const paths = {
  brush: "M13.5 2.5 7 9M6.5 8.5c-2 0-3 1.3-3 3 0 1-.6 1.6-1.5 2 3.500.8 6-.5 6-3 0-1.200-.5-2-1.500-2Z",
  eraser: "M6.500 13.500 2.500 9.500 9 3l4.500 4.500-6 6h-1M5.500 6.500l4.500 4.500M9 13.500h4.500",
  smooth: "M2 5c2-2 4-2 6 0s4 2 6 0M2 8.500c2-2 4-2 6 0s4 2 6 0M2 12c2-2 4-2 6 0s4 2 6 0",
  box: "M3 5V3h2M7 3h2M11 3h2v2M13 7v2M13 11v2h-2M9 13H7M5 13H3v-2M3 9V7",
  ellipse: "M8 3.500c3 0 5.500 2 5.500 4.500S11 12.500 8 12.500 2.500 10.500 2.500 8 5 3.500 8 3.500Z",
  more: "M3.500 8v.1M8 8v.1M12.500 8v.1",
  segment: "M2.500 8a5.500 5.500 0 1 1 11 0 5.500 5.500 0 1 1-11 0M8 5.500v5M5.500 8h5",
  wand: "M2.500 13.500 9.500 6.500M11 5l.5-.5M11.500 1.500v1.500M14.500 4.500H13M13.500 2.500l-.7.7M8.500 2.500l.7.7M13.500 7.500l-.7-.7",
  lasso: "M8 3c3.300 0 5.500 1.500 5.500 3.700S11.300 10.500 8 10.500 2.500 9 2.500 6.700 4.700 3 8 3ZM5 10c-1.200.7-1 2.300.3 2.500 1 .1 1.700.4 1.200 1.500",
  flood: "M6.500 2.500 12.500 8.500 7.500 13 2.500 8ZM2.800 8h9.200M14 10.500c.6.9 1 1.600 1 2.100a1 1 0 0 1-2 0c0-.5.4-1.200 1-2.100Z",
  pick: "M9.500 4.500 11.500 2.500a1.400 1.400 0 0 1 2 2L11.500 6.500M8.500 3.500l4 4M10 5.500 4 11.500l-1.500 2 2-1.500 6-6",
  pan: "M8 2v12M2 8h12M8 2 6.500 3.500M8 2l1.500 1.500M8 14l-1.500-1.500M8 14l1.500-1.500M2 8l1.500-1.500M2 8l1.500 1.500M14 8l-1.500-1.500M14 8l-1.500 1.500",
  clear: "M3 3h10v10H3ZM5.500 10.500l5-5",
  invert: "M8 2.500a5.500 5.500 0 1 1 0 11ZM8 2.500a5.500 5.500 0 1 0 0 11",
  blur: "M8 2.500c2.500 3 4 4.800 4 7a4 4 0 0 1-8 0c0-2.200 1.500-4 4-7ZM6.500 10a1.700 1.700 0 0 0 1.500 1.500",
  keep: "M3 5V3h2M7 3h2M11 3h2v2M13 7v2M13 11v2h-2M9 13H7M5 13H3v-2M3 9V7M6.500 6.500h3v3h-3Z",
  reset: "M3 3.500v3.500h3.500M3.300 7A5 5 0 1 1 3 9.500",
  model: "M3 3h10v10H3ZM5.500 8.300 7.200 10l3.300-4",
  undo: "M5.500 3 2.500 6l3 3M2.500 6h7a4 4 0 0 1 0 8H6",
  tray: "M4 3h8l2 6v4H2V9ZM2 9h3.500l1 2h3l1-2H14",
  redo: "M10.500 3l3 3-3 3M13.500 6h-7a4 4 0 0 0 0 8H10",
  chevron: "M6 3.500 10.500 8 6 12.500",
  up: "M3.500 10 8 5.500l4.500 4.500",
  fit: "M2.500 6V2.500H6M10 2.500h3.500V6M13.500 10v3.500H10M6 13.500H2.500V10",
  help: "M6 6a2 2 0 1 1 2.800 1.800c-.6.300-.8.700-.8 1.400M8 11.700v.1M8 1.800a6.200 6.200 0 1 1 0 12.400A6.200 6.200 0 0 1 8 1.800Z",
  tag: "M2.500 2.500h5l6 6-5 5-6-6ZM5.500 5.500v.1",
  check: "M3 8.500 6.500 12 13 4.500",
  comment: "M2.500 3.500h11v7.500H8l-3 2.500V11H2.500Z",
  mark: "M4.500 1.500h7a3 3 0 0 1 3 3v7a3 3 0 0 1-3 3h-7a3 3 0 0 1-3-3v-7a3 3 0 0 1 3-3ZM8 4.600a3.400 3.400 0 1 1 0 6.800 3.400 3.400 0 0 1 0-6.800Z",
  eye: "M1.500 8c1.700-3 3.900-4.500 6.500-4.500s4.800 1.500 6.500 4.500c-1.700 3-3.900 4.500-6.500 4.500S3.200 11 1.500 8ZM8 6a2 2 0 1 1 0 4 2 2 0 0 1 0-4Z",
  whole: "M2 3.500h12v9H2ZM5 5.500h6v5H5Z",
} as const;

export type IconName = keyof typeof paths;

const svg = "http://www.w3.org/2000/svg";

export function icon(name: IconName): SVGSVGElement {
  const element = document.createElementNS(svg, "svg");
  const attributes = {
    class: "icon", viewBox: "0 0 16 16", width: "16", height: "16", fill: "none", stroke: "currentColor",
    "stroke-width": "1.4", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true",
  };
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  const path = document.createElementNS(svg, "path");
  path.setAttribute("d", paths[name]);
  element.append(path);
  return element;
}
