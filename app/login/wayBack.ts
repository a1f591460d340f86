/**
 * Where to go after signing in: the page that `from` names, if it's one of this site. As a browser reads it, so that
 * neither `//host` nor `/\t/host` leads anybody elsewhere.
 */
export function wayBack(from: string | null, origin: string): string {
  if (from === null || !URL.canParse(from, origin)) return "/";
  const { origin: named, pathname, search, hash } = new URL(from, origin);
  // Resolved, a path may begin with two slashes, which would be a host again.
  return named === origin && !pathname.startsWith("//") ? `${pathname}${search}${hash}` : "/";
}
