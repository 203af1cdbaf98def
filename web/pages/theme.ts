// The switch between light and dark. The choice is a cookie, so that the server writes it into the
// next page and nothing flashes.
export function themeSwitch(): void {
  const button = document.querySelector("[data-theme-switch]");
  button?.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset["theme"]
      ? root.dataset["theme"] === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset["theme"] = dark ? "light" : "dark";
    document.cookie = `theme=${root.dataset["theme"]}; path=/; max-age=31536000; samesite=lax`;
    dispatchEvent(new Event("themechange"));
  });
}
