/** Calls back when the page is idle. Returns a function that cancels it. */
export function whenIdle(call: () => void): () => void {
  // Older versions of Safari don't have it.
  if (!("requestIdleCallback" in window)) {
    const timer = setTimeout(call, 1000);
    return () => clearTimeout(timer);
  }
  const handle = requestIdleCallback(call);
  return () => cancelIdleCallback(handle);
}
