/** Calls when the page has nothing else to do. Returns what takes that back. */
export function whenIdle(call: () => void): () => void {
  // Safari has learned it late.
  if (!("requestIdleCallback" in window)) {
    const timer = setTimeout(call, 1000);
    return () => clearTimeout(timer);
  }
  const handle = requestIdleCallback(call);
  return () => cancelIdleCallback(handle);
}
