import { headerBlock } from '../../adapters/http2/hpack/encoder.ts'
import { startReferenceHttp2 } from '../../adapters/http2/reference.ts'
import { startHttp2 } from '../../adapters/http2/server.ts'
import type { Http2ServerOptions } from '../../adapters/http2/types.ts'

/** Answers every request with `hello` when its body has ended; `/big` with 600 KB. */
export function helloOptions(): Http2ServerOptions {
  const head = headerBlock([':status', '200', 'content-type', 'text/plain'])
  const none = headerBlock([])
  const hello = [new TextEncoder().encode('hello\n')]
  const big = [new Uint8Array(600_000)]
  return {
    address: '127.0.0.1',
    port: 0,
    onStream: (stream, hasBody) => {
      const answer = (): void => {
        stream.answer(head, stream.head.path === '/big' ? big : hello, none)
      }
      if (!hasBody) answer()
      return {
        data: (chunk, end) => {
          if (end) answer()
          else stream.credit(chunk.length)
        },
        aborted: () => undefined,
      }
    },
    log: { warning: console.error, error: console.error },
  }
}

// As a program: prints its port, `--reference` takes `node:http2`, `--port N` a fixed port.
if (process.argv[1]?.endsWith('h2-hello.ts')) {
  const at = process.argv.indexOf('--port')
  const start = process.argv.includes('--reference') ? startReferenceHttp2 : startHttp2
  const server = await start({
    ...helloOptions(),
    port: at < 0 ? 0 : Number(process.argv[at + 1]),
    // A measuring client is one that does nothing but open and ping.
    ...(process.argv.includes('--many') ? { limits: { maxConcurrentStreams: 1_000 } } : {}),
  })
  console.log(server.port)
  process.once('SIGTERM', () => void server.close(1_000))
}
