// The contact sheets of tasks, of images and of maps in review: arrows move over the cards, x selects, Shift selects from the last one on,
// scrolling fetches the next ones. Where cards are there to be chosen from (data-choose), a click chooses once one is chosen.
import { onKey } from "./keys.ts";
import { drawMaps } from "./maps.ts";
import { count as number, t } from "../editor/src/words.ts";

export function contactSheet(): void {
  const sheet = document.querySelector<HTMLElement>("[data-contact]");
  if (!sheet) return;
  const links = () => [...sheet.querySelectorAll<HTMLAnchorElement>(".task-card > a")];
  selection(sheet);
  endless(sheet);
  const boxOf = (link: HTMLElement | undefined) => link?.parentElement?.querySelector<HTMLInputElement>("input");
  onKey((key, event) => {
    const all = links();
    const card = document.activeElement?.closest(".task-card"); // its link or its box
    const at = card ? all.findIndex((link) => link.parentElement === card) : -1;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(all), ArrowUp: -columns(all) }[key];
    if (step !== undefined) {
      const next = at < 0 ? 0 : at + step;
      if (next < 0 || next >= all.length) return at >= 0;
      if (event.shiftKey && at >= 0) for (const link of all.slice(Math.min(at, next), Math.max(at, next) + 1)) check(boxOf(link));
      all[next]?.focus();
      all[next]?.scrollIntoView({ block: "nearest" });
      return true;
    }
    if ((key === "x" || (key === " " && sheet.dataset["choose"] !== undefined)) && at >= 0) {
      boxOf(all[at])?.click();
      return true;
    }
    return false;
  });
}

function check(box: HTMLInputElement | null | undefined): void {
  if (box && !box.checked) box.click();
}

/** How many cards stand in a row now. */
function columns(links: HTMLElement[]): number {
  const top = (link: HTMLElement | undefined) => link?.getBoundingClientRect().top ?? 0; // offsetTop is within the card
  const first = top(links[0]);
  const next = links.findIndex((link) => top(link) > first + 1);
  return next < 0 ? links.length : next;
}

function selection(sheet: HTMLElement): void {
  const bar = document.querySelector<HTMLElement>("[data-selected]");
  const usual = document.querySelector<HTMLElement>("[data-unselected]");
  const header = bar?.closest<HTMLElement>(".sheet-bar");
  const count = document.querySelector<HTMLElement>("[data-selected-count]");
  const boxes = () => [...sheet.querySelectorAll<HTMLInputElement>("input[type=checkbox]")];
  const matching = document.querySelector<HTMLElement>("[data-select-match]"); // all of the selection, also what is not shown
  const whole = document.querySelector<HTMLInputElement>("input[data-all]");
  const refresh = () => {
    const n = boxes().filter((box) => box.checked).length;
    const before = header?.offsetHeight ?? 0;
    if (bar) bar.hidden = n === 0;
    if (usual) usual.hidden = n > 0;
    // The bar of the selection may take one line more: the cards stay under the hand.
    scrollBy({ top: (header?.offsetHeight ?? 0) - before, behavior: "instant" });
    const match = matching?.dataset["selectMatch"]; // how many, where they are counted
    if (count && !whole?.value) count.textContent = t("{n} selected", { n });
    else if (count) count.textContent = match ? t("All {n} selected", { n: number(Number(match)) }) : t("All that match are selected");
    sheet.classList.toggle("selecting", n > 0);
  };
  const all = (checked: boolean, also = "") => {
    for (const box of boxes()) box.checked = checked;
    if (whole) whole.value = also;
    refresh();
  };
  sheet.addEventListener("change", () => {
    if (whole) whole.value = ""; // a card was let go
    refresh();
  });
  let last: HTMLInputElement | null = null; // that was chosen last
  sheet.addEventListener("click", (event) => {
    const card = (event.target as Element).closest(".task-card");
    if (!card || event.ctrlKey || event.metaKey) return;
    const box = card.querySelector<HTMLInputElement>("input[type=checkbox]");
    const choosing = event.shiftKey || (sheet.dataset["choose"] !== undefined && sheet.classList.contains("selecting"));
    if (event.target !== box) {
      if (!choosing) return;
      event.preventDefault();
      if (!box) return;
      box.checked = event.shiftKey || !box.checked;
    }
    if (event.shiftKey && last && box) {
      const shown = boxes();
      const [from, to] = [shown.indexOf(last), shown.indexOf(box)].sort((a, b) => a - b);
      for (const between of shown.slice(from, (to ?? 0) + 1)) between.checked = box.checked;
    }
    last = box;
    if (whole) whole.value = "";
    refresh();
  });
  matching?.addEventListener("click", () => all(true, "1"));
  document.querySelector("[data-clear]")?.addEventListener("click", () => all(false));
  document.querySelector("[data-select-all]")?.addEventListener("click", () => all(true));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && bar && !bar.hidden) all(false);
  });
  refresh(); // a browser may restore ticks on its way back
}

/** Fetches the next cards before the last ones are reached. */
function endless(sheet: HTMLElement): void {
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) void more(entry.target as HTMLAnchorElement);
    },
    { rootMargin: "800px" },
  );
  const watch = () => {
    const link = sheet.querySelector("[data-more]");
    if (link) observer.observe(link);
  };
  const more = async (link: HTMLAnchorElement) => {
    observer.unobserve(link);
    const address = new URL(link.href);
    address.searchParams.set("part", "cards");
    link.textContent = t("Fetching more…");
    const answer = await fetch(address).catch(() => null);
    if (!answer?.ok) {
      link.textContent = t("Show more"); // as a plain link it still works
      return;
    }
    const page = new DOMParser().parseFromString(`<ul>${await answer.text()}</ul>`, "text/html");
    link.parentElement?.replaceWith(...page.querySelectorAll("ul > li"));
    drawMaps(sheet);
    watch();
  };
  watch();
}
