export type Theme = "system" | "light" | "dark";
const key = "spawner-theme";

/** Sets the theme before the page is painted: the kept choice, else the system's. */
export const themeScript = `(() => {
  const apply = () => {
    let kept = null;
    try { kept = localStorage.getItem(${JSON.stringify(key)}); } catch {}
    const dark = kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  addEventListener("spawner-theme", apply);
})()`;

export function chooseTheme(theme: Theme): void {
  if (theme === "system") localStorage.removeItem(key);
  else localStorage.setItem(key, theme);
  dispatchEvent(new Event("spawner-theme"));
}
