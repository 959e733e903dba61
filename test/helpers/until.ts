/** Resolves when `holds` does, which is looked at once per turn of the event loop. Rejects after `timeoutMs`. */
export async function until(holds: () => boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`still not so: ${holds}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
