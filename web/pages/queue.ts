// The contact sheets of tasks and of images: arrows move over the cards, x selects, scrolling fetches the next ones.
import { onKey } from "./keys.ts";
import { drawMaps } from "./maps.ts";
import { count as number, t } from "../editor/src/words.ts";

export function contactSheet(): void {
  const sheet = document.querySelector<HTMLElement>("[data-contact]");
  if (!sheet) return;
  const links = () => [...sheet.querySelectorAll<HTMLAnchorElement>(".task-card > a")];
  selection(sheet);
  endless(sheet);
  onKey((key) => {
    const all = links();
    const at = all.findIndex((link) => link === document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(all), ArrowUp: -columns(all) }[key];
    if (step !== undefined) {
      const next = at < 0 ? 0 : at + step;
      if (next < 0 || next >= all.length) return at >= 0;
      all[next]?.focus();
      all[next]?.scrollIntoView({ block: "nearest" });
      return true;
    }
    if (key === "x" && at >= 0) {
      all[at]?.parentElement?.querySelector<HTMLInputElement>("input")?.click();
      return true;
    }
    return false;
  });
}

/** How many cards stand in a row now. */
function columns(links: HTMLElement[]): number {
  const top = links[0]?.offsetTop ?? 0;
  const next = links.findIndex((link) => link.offsetTop > top);
  return next < 0 ? links.length : next;
}

function selection(sheet: HTMLElement): void {
  const bar = document.querySelector<HTMLElement>("[data-selected]");
  const usual = document.querySelector<HTMLElement>("[data-unselected]");
  const count = document.querySelector<HTMLElement>("[data-selected-count]");
  const boxes = () => [...sheet.querySelectorAll<HTMLInputElement>("input[type=checkbox]")];
  const matching = document.querySelector<HTMLElement>("[data-select-match]"); // all of the selection, also what is not shown
  const whole = document.querySelector<HTMLInputElement>("input[data-all]");
  const refresh = () => {
    const n = boxes().filter((box) => box.checked).length;
    if (bar) bar.hidden = n === 0;
    if (usual) usual.hidden = n > 0;
    if (count) count.textContent = whole?.value ? t("All {n} selected", { n: number(Number(matching?.dataset["selectMatch"])) }) : t("{n} selected", { n });
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
