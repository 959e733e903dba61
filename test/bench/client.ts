/**
 * A closed-loop HTTP client for machines without `wrk`: each connection sends its request again as soon as the answer is
 * there. `client.ts URL CONNECTIONS SECONDS BODY_FILE HEADER_LENGTH` prints the same RESULT line as `infer.lua`.
 */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'

const [url = '', connections, seconds, file = '', headerLength] = process.argv.slice(2)
const { hostname, port, pathname, host } = new URL(url)
const body = readFileSync(file)
const request = Buffer.concat([
  Buffer.from(
    `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/octet-stream\r\n` +
      `Inference-Header-Content-Length: ${headerLength}\r\nContent-Length: ${body.length}\r\n\r\n`,
  ),
  body,
])
const HEAD_END = Buffer.from('\r\n\r\n')
const begin = performance.now()
const end = begin + Number(seconds) * 1000
const latencies: number[] = []
let bad = 0
let broken = 0

function loop(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    socket.setNoDelay(true)
    let head: Buffer = Buffer.alloc(0)
    let left = -1
    let sent = 0
    const send = (): void => {
      sent = performance.now()
      socket.write(request)
    }
    socket.on('connect', send)
    socket.on('error', () => {
      broken++
      resolve()
    })
    socket.on('data', (chunk: Buffer) => {
      let rest = chunk
      if (left < 0) {
        head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
        const stop = head.indexOf(HEAD_END)
        if (stop < 0) return
        const text = head.subarray(0, stop).toString('latin1')
        if (!text.startsWith('HTTP/1.1 200')) bad++
        left = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0)
        rest = head.subarray(stop + HEAD_END.length)
        head = Buffer.alloc(0)
      }
      left -= rest.length
      if (left > 0) return
      left = -1
      const now = performance.now()
      latencies.push((now - sent) * 1000)
      if (now < end) return send()
      socket.destroy()
      resolve()
    })
  })
}

await Promise.all(Array.from({ length: Number(connections) }, loop))
const micros = Math.round((performance.now() - begin) * 1000)
latencies.sort((a, b) => a - b)
const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0
const result = { requests: latencies.length, micros, p50: at(0.5), p99: at(0.99), bad, broken }
console.log(`RESULT ${JSON.stringify(result)}`)
