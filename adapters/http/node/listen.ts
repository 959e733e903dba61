import type { ListenOptions } from 'node:net'

/** `listen` options; SO_REUSEPORT exists as an option from Node 23.1 on, older ones ignore it. */
export function listenOptions(options: {
  readonly address: string
  readonly port: number
  readonly reusePort?: boolean
}): ListenOptions {
  const listen: ListenOptions & { reusePort?: boolean } = {
    host: options.address,
    port: options.port,
    backlog: 1024,
    exclusive: true,
  }
  if (options.reusePort) listen.reusePort = true
  return listen
}
