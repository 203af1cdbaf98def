// Colour maps: tables of 256 colours made from a few anchors. Viridis, inferno and magma are the CC0 maps of
// van der Walt and Smith, cividis that of Nuñez, Anderton and Renslow, turbo Mikhailov's, each interpolated linearly
// between a part of its colours (within 4/255 of the originals); jet is its usual piecewise linear formula, there to
// compare with papers.

export const colorMapNames = ["viridis", "cividis", "inferno", "magma", "turbo", "jet", "grey"] as const;
export type ColorMapName = (typeof colorMapNames)[number];

/** 256 colours, three bytes each. */
export type ColorTable = Uint8Array;

const anchors = {
  viridis: "44015448186a472d7b4240863b528b33638d2c728e26828e21918c1fa08828ae803fbc735ec96284d44baddc30d8e219fde725",
  magma:
    "000004030312090720120d311a10422512553111653f0f724a107957157e6219806e1e81792282862781912b819e2f7faa337db73779" +
    "c23b75cf4070d9466be44f64ec5860f3655cf7725cfa815ffc8e64fe9d6cfeaa74feb97ffec68afed597fde2a3fcf0b2fcfdbf",
  inferno:
    "0000040403120a0722140b341e0c452b0b57380962450a69510e6c5d126e69166e751b6e801f6c8d2369982766a52c60b0315bbc3754" +
    "c63d4dd04545d94d3de25734e9612bef6e21f47918f8870efa9407fca309fcb014fac026f8cd37f4dd4ff2ea69f3f68afcffa4",
  cividis:
    "00224e002656002a5f002d68003070083370163770203a6f273e6e2e416d34456c3a486c3f4c6c444f6c49536c4e566c535a6d575d6d" +
    "5c616e60646f656870696b716d6f727272747676767a7a787e7d788381798885788d8878928c789690779b9476a09875a59c74aaa073" +
    "afa471b5a86fbaac6dbfb06bc4b468c9b965cfbd62d4c15fdac65bdfca57e5cf52ead34cf0d846f6dd3ffce236fee838",
  turbo:
    "30123b392a734040a24456c7466be34680f64294ff37a8fa28bceb1ccdd818ddc21fe9af32f2984ef97d6dfe628bff4ba4fc3cb7f735" +
    "cbed34dde037ecd13af7c13afdae35fe992cfb8122f56918ec530fe14109d23105c12302ac1701950d017a0403",
  grey: "000000ffffff",
  // Differences: lowered blue, unchanged grey, raised orange.
  difference: "1b4f9c3f7cc48db4dc8a8a8ae8b07ad97f2cad4a06",
} as const;

function interpolated(hex: string): ColorTable {
  const colors = hex.length / 6;
  const channel = (color: number, k: number) => parseInt(hex.slice(color * 6 + k * 2, color * 6 + k * 2 + 2), 16);
  return Uint8Array.from({ length: 768 }, (_, i) => {
    const t = (Math.floor(i / 3) / 255) * (colors - 1);
    const a = Math.min(colors - 2, Math.floor(t));
    return Math.round(channel(a, i % 3) + (t - a) * (channel(a + 1, i % 3) - channel(a, i % 3)));
  });
}

function jet(): ColorTable {
  return Uint8Array.from({ length: 768 }, (_, i) => {
    const v = Math.floor(i / 3) / 255;
    const center = 3 - (i % 3); // red peaks at 3/4, green at 2/4, blue at 1/4
    return Math.round(255 * Math.min(1, Math.max(0, 1.5 - Math.abs(4 * v - center))));
  });
}

const tables = new Map<ColorMapName | "difference", ColorTable>();

/** The table of a colour map; "difference" is the diverging one, with no change in the middle. */
export function colorTable(name: ColorMapName | "difference"): ColorTable {
  let table = tables.get(name);
  if (!table) tables.set(name, (table = name === "jet" ? jet() : interpolated(anchors[name])));
  return table;
}

/** Index into a table of a value in [0,1]. */
export const shade = (value: number): number => Math.min(255, Math.max(0, Math.round(value * 255)));

/** Index into the difference table of a difference in [−1,1]. */
export const differenceShade = (difference: number): number => shade((difference + 1) / 2);
