/**
 * What is read of an event that stands for a request over HTTP: payload 2.0 (function URLs, HTTP APIs), payload 1.0 (REST
 * APIs, HTTP APIs that ask for it) and load balancers. All of it may be missing: anybody may invoke a function with anything.
 */
export interface HttpEvent {
  readonly headers?: Readonly<Record<string, string | undefined>> | null
  /** Payload 1.0, and load balancers whose target group is set so. Goes before `headers`. */
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null
  readonly body?: string | null
  readonly isBase64Encoded?: boolean
  /** Payload 2.0, as is `requestContext.http`. */
  readonly rawPath?: string
  /** Payload 1.0 and load balancers, as is `httpMethod`. */
  readonly path?: string
  readonly httpMethod?: string
  readonly requestContext?: {
    readonly http?: { readonly method?: string; readonly sourceIp?: string }
    readonly stage?: string
    readonly identity?: { readonly sourceIp?: string }
    /** Load balancers have this. */
    readonly elb?: object
  }
}

/** What a handler is told about its invocation. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number
}

/** The answer as API Gateway, function URLs and load balancers take it. */
export interface HttpResult {
  readonly statusCode: number
  /** Load balancers want it. */
  readonly statusDescription?: string
  readonly headers?: Readonly<Record<string, string>>
  /** In place of `headers` where the event had them so: load balancers read no others then. */
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>
  readonly body: string
  readonly isBase64Encoded: boolean
}

/** The part of Node's `Writable` that a streamed answer is written to. */
export type ResponseStream = NodeJS.WritableStream & {
  destroy(error?: Error): void
}

/** What Lambda's runtime puts beside the handlers of Node: how an answer is streamed. */
export interface LambdaStreams {
  streamifyResponse(
    handler: (event: unknown, stream: ResponseStream, context: InvocationContext) => Promise<void>,
  ): unknown
  readonly HttpResponseStream: {
    from(
      stream: ResponseStream,
      head: {
        readonly statusCode: number
        readonly headers: Readonly<Record<string, string>>
      },
    ): ResponseStream
  }
}
