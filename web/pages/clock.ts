// Keeps "5 min ago" true while a page stays open; the server wrote the first one.
export function ago(seconds: number): string | null {
  if (seconds < 45) return "just now";
  if (seconds < 90 * 60) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  if (seconds < 14 * 86400) return `${Math.round(seconds / 86400)} days ago`;
  return null; // a date, which does not age
}

export function keepTime(): void {
  setInterval(() => {
    for (const element of document.querySelectorAll("time")) {
      const text = ago((Date.now() - Date.parse(element.dateTime)) / 1000);
      if (text && !element.textContent.startsWith("in ")) element.textContent = text;
    }
  }, 30_000);
}

/** A duration as people say it: 45 s, 3 min, 1 h 20 min. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
