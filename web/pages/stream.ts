// The files of a data set as one stream of bytes, as the API takes them (POST /projects/{project}/imports).
import type { Chosen } from "./drop.ts";

/** A data set that was chosen: its files in the order of their bytes. */
export interface DataSet {
  readonly name: string;
  readonly files: readonly Chosen[];
  readonly bytes: number;
}

// What systems put beside pictures.
const litter = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX(\/.*)?|\.git(\/.*)?)$/;

/**
 * A data set of chosen files: by path, so that the same choice is the same stream, whatever order a browser gives. The folder that
 * all of them are in is the set's name, and not part of their paths.
 */
export function dataSet(chosen: readonly Chosen[]): DataSet {
  let files = chosen.filter((c) => !litter.test(c.path));
  const top = files[0]?.path.split("/")[0] ?? "";
  let name = files.length === 1 ? (files[0]?.file.name ?? "") : "images";
  if (files.length > 0 && files.every((c) => c.path.startsWith(`${top}/`))) {
    name = top;
    files = files.map((c) => ({ file: c.file, path: c.path.slice(top.length + 1) }));
  }
  files = files.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return { name: name.slice(0, 255), files, bytes: files.reduce((sum, c) => sum + c.file.size, 0) };
}

/** The bytes of a data set from one offset on, at most so many. Nothing is read before the answer is sent. */
export function chunk(set: DataSet, from: number, most: number): Blob {
  const parts: Blob[] = [];
  let begin = 0;
  let left = most;
  for (const { file } of set.files) {
    const end = begin + file.size;
    if (end > from && left > 0) {
      const start = Math.max(0, from - begin);
      const part = file.slice(start, Math.min(file.size, start + left));
      parts.push(part);
      left -= part.size;
    }
    begin = end;
    if (left === 0) break;
  }
  return new Blob(parts);
}
