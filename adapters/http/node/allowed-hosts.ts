/** Takes the port off a `Host`, and nothing of an address in brackets. */
const PORT = /:\d*$/

/**
 * Whether a request's `Host` is one of `hosts`, whatever its port: a page that made its own name point at this server asks
 * under that name. Undefined where every name will do.
 */
export function createHostCheck(
  hosts: readonly string[],
): ((host: string | undefined) => boolean) | undefined {
  if (hosts.length === 0) return undefined
  const known = new Set(hosts.map((host) => host.toLowerCase()))
  return (host) => host !== undefined && known.has(host.toLowerCase().replace(PORT, ''))
}
