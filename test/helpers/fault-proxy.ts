import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A wire to a real server that breaks when it is told to. */
export interface FaultProxy {
  readonly port: number
  /** Connections made so far, and bytes that came from the server. */
  readonly seen: { connections: number; bytes: number }
  /** Ends the connection that brings this byte of all from now on; once. */
  cutAt(bytes: number): void
  /** Connections made now are reset at once. */
  refuse(yes: boolean): void
  /** Resets every connection there is. */
  dropAll(): void
  close(): Promise<void>
}

export async function faultProxy(target: number): Promise<FaultProxy> {
  const seen = { connections: 0, bytes: 0 }
  const sockets = new Set<Socket>()
  let cut = Number.POSITIVE_INFINITY
  let refused = false

  const server = createServer((client) => {
    seen.connections++
    if (refused) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect(target, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    upstream.on('data', (chunk) => {
      seen.bytes += chunk.length
      cut -= chunk.length
      if (cut <= 0) {
        cut = Number.POSITIVE_INFINITY
        client.end(chunk.subarray(0, 1))
        return
      }
      if (!client.write(chunk)) {
        upstream.pause()
        client.once('drain', () => upstream.resume())
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    cutAt: (bytes) => {
      cut = bytes
    },
    refuse: (yes) => {
      refused = yes
    },
    dropAll: () => {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
