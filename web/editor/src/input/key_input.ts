/** A key press as the editor reads it. */
export interface KeyInput {
  readonly key: string;
  readonly code: string; // physical key, for what depends on place rather than letter
  readonly ctrl: boolean; // Control, or Command on a Mac
  readonly shift: boolean;
  readonly alt: boolean;
  readonly repeat: boolean;
}
