import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize, sep } from 'node:path'

const [folder = 'dist/browser', port = '8080'] = process.argv.slice(2)

/** Scripts and WebAssembly of any other type are not run. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.wasm': 'application/wasm',
}
/** What `nginx.conf` beside this file says as well. */
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; worker-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
}
/** Files whose name changes with their content. */
const IMMUTABLE = /-[A-Z0-9]{8}\.(mjs|wasm)$/

const server = createServer((request, response) => {
  answer(request.method ?? '', request.url ?? '/', response).catch(() => {
    if (!response.headersSent) response.writeHead(404, HEADERS)
    response.end()
  })
})
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
})
process.on('SIGTERM', () => process.exit(0))

async function answer(method: string, url: string, response: ServerResponse): Promise<void> {
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { ...HEADERS, Allow: 'GET, HEAD' }).end()
    return
  }
  const { pathname } = new URL(url, 'http://site')
  const wanted = normalize(
    decodeURIComponent(pathname.endsWith('/') ? `${pathname}index.html` : pathname),
  )
  if (wanted.split(sep).some((part) => part.startsWith('.')) || wanted.includes('\0')) {
    throw new Error('not for the public')
  }
  const path = join(folder, wanted)
  const found = await stat(path)
  if (!found.isFile()) throw new Error('no file')
  const tag = `"${found.mtimeMs.toString(36)}-${found.size.toString(36)}"`
  response.writeHead(200, {
    ...HEADERS,
    'Cache-Control': IMMUTABLE.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
    'Content-Length': found.size,
    'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
    ETag: tag,
  })
  if (method === 'HEAD') response.end()
  else
    createReadStream(path)
      .on('error', () => response.destroy())
      .pipe(response)
}
