// Makes elements. Nothing is made from HTML strings and no style attribute is written: the page's content
// security policy forbids both.

type Child = Node | string | null | undefined | false;
type Handlers = { [K in keyof HTMLElementEventMap as `on${K}`]?: (e: HTMLElementEventMap[K]) => void };
type Attributes = Handlers & { [name: string]: string | number | boolean | null | undefined | ((e: never) => void) };

/** h("button.tool", { type: "button" }, "Undo"): tag, classes, attributes or on… handlers, children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  selector: K | `${K}.${string}`, attributes: Attributes = {}, ...children: Child[]
): HTMLElementTagNameMap[K] {
  const [tag, ...classes] = selector.split(".");
  const element = document.createElement(tag as K);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  fill(element, ...children);
  return element;
}

/** Replaces an element's children. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter((c): c is Node | string => c !== null && c !== undefined && c !== false));
}

/** Sets a text only where it changed, so that screen readers are not told the same twice. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A button that leaves the focus where it is when it is pressed with a pointer. */
export function button(selector: `button` | `button.${string}`, attributes: Attributes, ...children: Child[]): HTMLButtonElement {
  return h(selector, { type: "button", onmousedown: (e: MouseEvent) => e.preventDefault(), ...attributes }, ...children);
}
