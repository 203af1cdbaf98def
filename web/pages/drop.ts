// Reads what is dropped on a page, folders included.

/** A file on its way, with the folders it was dropped with. */
export interface Chosen {
  readonly file: File;
  readonly path: string;
}

/** The files of a drop, at most so many. A browser that shows no folders gives the files alone. */
async function filesOf(transfer: DataTransfer, most: number): Promise<Chosen[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const found: Chosen[] = [];
  for (const entry of entries) await walk(entry, "", most, found);
  return found;
}

/** Calls take with the files that are dropped anywhere on the page, as they are being read, those of folders included. The place shows that they can be. */
export function takeDrops(place: HTMLElement, most: number, take: (reading: Promise<Chosen[]>) => void): void {
  place.hidden = false;
  const over = (yes: boolean) => place.classList.toggle("over", yes);
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over(false);
  });
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    over(false);
    take(filesOf(event.dataTransfer, most));
  });
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
