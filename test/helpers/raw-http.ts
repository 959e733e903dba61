import { connect, type Socket } from 'node:net'

/** A connection that sends bytes as they are and reads whole HTTP/1.1 answers. */
export interface RawConnection {
  readonly socket: Socket
  send(bytes: string | Uint8Array): void
  /** The next whole answer; rejects when the connection ends before it. */
  answer(): Promise<RawHttpAnswer>
  /** Resolves when the other side closed the connection. */
  readonly closed: Promise<void>
}

export interface RawHttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export async function rawConnection(port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1')
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  socket.on('error', () => {})
  let received = Buffer.alloc(0)
  let ended = false
  let wake = (): void => {}
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    wake()
  })
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      ended = true
      wake()
      resolve()
    })
  })

  return {
    socket,
    closed,
    send: (bytes) => {
      socket.write(bytes)
    },
    async answer() {
      for (;;) {
        const taken = takeAnswer(received)
        if (taken !== null) {
          received = received.subarray(taken.size)
          // 100 Continue is not an answer.
          if (taken.answer.status !== 100) return taken.answer
          continue
        }
        if (ended) throw new Error(`connection ended after: ${received.toString('latin1')}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

function takeAnswer(bytes: Buffer): { answer: RawHttpAnswer; size: number } | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return null
  const [first, ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const length = Number(headers['content-length'] ?? 0)
  const size = end + 4 + length
  if (bytes.length < size) return null
  const body = Buffer.from(bytes.subarray(end + 4, size))
  return { answer: { status: Number(first?.split(' ')[1]), headers, body }, size }
}

/** An infer request with one FP32 input `INPUT0` as bytes. */
export function inferBytes(
  model: string,
  values: readonly number[],
  options: { readonly id?: string; readonly shape?: readonly number[] } = {},
): Buffer {
  const json = Buffer.from(
    JSON.stringify({
      ...(options.id === undefined ? {} : { id: options.id }),
      inputs: [
        {
          name: 'INPUT0',
          datatype: 'FP32',
          shape: options.shape ?? [1, values.length],
          parameters: { binary_data_size: values.length * 4 },
        },
      ],
      outputs: [{ name: 'OUTPUT0', parameters: { binary_data: true } }],
    }),
  )
  const tail = Buffer.from(new Float32Array(values).buffer)
  return Buffer.concat([
    Buffer.from(
      `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: x\r\nInference-Header-Content-Length: ${json.length}\r\nContent-Length: ${json.length + tail.length}\r\n\r\n`,
    ),
    json,
    tail,
  ])
}

/** The FP32 values of the one binary output of `answer`, and its JSON. */
export function inferAnswer(answer: RawHttpAnswer): {
  readonly json: Record<string, unknown>
  readonly values: readonly number[]
} {
  const length = Number(answer.headers['inference-header-content-length'])
  const json = JSON.parse(answer.body.toString('utf8', 0, length))
  const tail = new Uint8Array(answer.body.subarray(length))
  return { json, values: [...new Float32Array(tail.buffer)] }
}
