/** The sum of a metric over its series, of all or of those with a label of this value; 0 when there are none. */
export function metric(text: string, name: string, label?: string): number {
  let sum = 0
  for (const line of text.split('\n')) {
    if (!line.startsWith(name) || !/[{ ]/.test(line.charAt(name.length))) continue
    if (label !== undefined && !line.includes(`="${label}"`)) continue
    sum += Number(line.slice(line.lastIndexOf(' ') + 1))
  }
  return sum
}

/** The text of a server's metrics. */
export async function metrics(url: string): Promise<string> {
  return (await fetch(url, { headers: { connection: 'close' } })).text()
}

/** What a server holds for its requests: requests that wait, requests that were let in, bytes of their bodies. */
const HELD = [
  'nv_inference_pending_request_count',
  'nereid_inflight_requests',
  'nereid_request_bytes',
] as const

/** The sum of {@link HELD} when it is 0, or after `ms`; NaN when the server does not tell all of them. */
export function held(metricsUrl: string, ms: number): Promise<number> {
  const now = async (): Promise<number> => {
    const text = await metrics(metricsUrl)
    if (HELD.some((name) => !text.includes(`\n${name}`))) return Number.NaN
    return HELD.reduce((sum, name) => sum + metric(text, name), 0)
  }
  return settled(now, 0, ms)
}

/** Asks `value` until it is `wanted`, for at most `ms`; returns the last value. */
export async function settled(
  value: () => number | Promise<number>,
  wanted: number,
  ms: number,
): Promise<number> {
  const end = performance.now() + ms
  for (;;) {
    const now = await value()
    if (now === wanted || performance.now() > end) return now
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
