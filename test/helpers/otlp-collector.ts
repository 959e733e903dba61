import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

interface AnyValue {
  readonly stringValue?: string
  readonly intValue?: number | string
  readonly boolValue?: boolean
}
interface Attribute {
  readonly key: string
  readonly value: AnyValue
}

/** A span as OTLP's JSON has it. */
export interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly traceState?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
  readonly events: readonly { readonly name: string; readonly timeUnixNano: string }[]
  readonly status: { readonly code?: number; readonly message?: string }
}

interface OtlpBody {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[]
  }[]
}

export interface OtlpCollector {
  readonly url: string
  readonly port: number
  readonly spans: readonly OtlpSpan[]
  /** Attributes of the last resource. */
  readonly resource: Readonly<Record<string, unknown>>
  /** What posts are answered with; 200 takes their spans. */
  status: number
  readonly posts: number
  close(): Promise<void>
}

export function attributesOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}

/** A collector that takes OTLP over HTTP, in JSON, on 127.0.0.1. `port` 0 = any free one. */
export async function startCollector(port = 0): Promise<OtlpCollector> {
  const spans: OtlpSpan[] = []
  let resource: Record<string, unknown> = {}
  let posts = 0
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      posts++
      if (collector.status === 200) {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as OtlpBody
        for (const one of body.resourceSpans) {
          resource = attributesOf(one.resource.attributes)
          for (const scope of one.scopeSpans) spans.push(...scope.spans)
        }
      }
      response.writeHead(collector.status, { 'content-type': 'application/json' })
      response.end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const bound = (server.address() as AddressInfo).port
  const collector: OtlpCollector = {
    url: `http://127.0.0.1:${bound}/v1/traces`,
    port: bound,
    spans,
    get resource() {
      return resource
    },
    status: 200,
    get posts() {
      return posts
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return collector
}
