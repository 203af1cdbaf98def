// Explains a term where the pointer or the focus rests. One element, placed by script, so that no
// scrolling panel cuts it off.
export function explainTerms(): void {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true"); // the term carries its own description
  document.body.append(tip);
  const show = (term: HTMLElement) => {
    tip.textContent = term.dataset["tip"] ?? "";
    tip.hidden = false;
    const at = term.getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    const below = at.bottom + 6 + size.height <= innerHeight;
    tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
    tip.style.top = `${below ? at.bottom + 6 : at.top - 6 - size.height}px`;
  };
  const term = (event: Event) => (event.target instanceof Element ? event.target.closest<HTMLElement>(".term") : null);
  for (const kind of ["pointerover", "focusin"]) {
    document.addEventListener(kind, (event) => {
      const found = term(event);
      if (found) show(found);
    });
  }
  for (const kind of ["pointerout", "focusout", "scroll"]) {
    document.addEventListener(kind, () => (tip.hidden = true), { capture: true, passive: true });
  }
}
