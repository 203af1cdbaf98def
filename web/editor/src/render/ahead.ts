// The picture that is most likely wanted next, fetched and decoded while the present one is painted.

let ahead: { readonly url: string; readonly picture: HTMLImageElement; readonly decoded: Promise<void> } | null = null;

function begin(url: string): NonNullable<typeof ahead> {
  const picture = new Image();
  picture.src = url;
  return { url, picture, decoded: picture.decode() };
}

/** Fetches and decodes a picture ahead. One at a time: another takes its place. */
export function fetchAhead(url: string): void {
  if (ahead?.url === url) return;
  ahead = begin(url);
  ahead.decoded.catch(() => (ahead = ahead?.url === url ? null : ahead)); // it is asked for again, and its failure told, when it is wanted
}

/** A decoded picture. It rejects where the picture cannot be had. */
export async function pictureAt(url: string): Promise<HTMLImageElement> {
  const { picture, decoded } = ahead?.url === url ? ahead : begin(url);
  await decoded;
  return picture;
}
