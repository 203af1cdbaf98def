// Reads what is dropped on a page, folders included.

/** A file on its way, with the folders it was dropped with. */
export interface Chosen {
  readonly file: File;
  readonly path: string;
}

/** The files of a drop, at most so many. A browser that shows no folders gives the files alone. */
export async function filesOf(transfer: DataTransfer, most: number): Promise<Chosen[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const found: Chosen[] = [];
  for (const entry of entries) await walk(entry, "", most, found);
  return found;
}

async function walk(entry: FileSystemEntry, below: string, most: number, found: Chosen[]): Promise<void> {
  if (found.length >= most) return;
  const path = below + entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => { (entry as FileSystemFileEntry).file(resolve, reject); });
    found.push({ file, path });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) { // it gives a hundred at a time
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (entries.length === 0) return;
    for (const inner of entries) await walk(inner, `${path}/`, most, found);
  }
}
