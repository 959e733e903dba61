import type {
  ALBEvent,
  APIGatewayProxyEvent,
  APIGatewayProxyEventV2,
  LambdaFunctionURLEvent,
} from 'aws-lambda'
import type { HttpResult } from '../../../adapters/lambda/types.ts'

/** What stands between a client and the function. */
export type Front = 'function URL' | 'HTTP API' | 'REST API' | 'load balancer'

/**
 * What each of them reads as text; everything else is base64, as is what is packed where a load
 * balancer is the front. A REST API that takes `*\/*` for binary has no text.
 */
const TEXT = /^(text\/|application\/(json|javascript|xml))/

type Fields = Record<string, string>
type Lists = Record<string, string[]>

/** The event that a front makes of a request. */
export async function eventOf(front: Front, request: Request): Promise<object> {
  const { pathname, host } = new URL(request.url)
  const bytes = Buffer.from(await request.arrayBuffer())
  const headers: Fields = { host, ...Object.fromEntries(request.headers) }
  if (bytes.length > 0) headers['content-length'] = String(bytes.length)
  const packed = front === 'load balancer' && headers['content-encoding'] !== undefined
  const text = front !== 'REST API' && !packed && TEXT.test(headers['content-type'] ?? '')
  const body = bytes.toString(text ? 'utf8' : 'base64')
  const isBase64Encoded = !text
  switch (front) {
    case 'function URL':
      return v2(request.method, pathname, headers, '$default', { body, isBase64Encoded })
    case 'HTTP API':
      return v2(request.method, `/prod${pathname}`, headers, 'prod', { body, isBase64Encoded })
    case 'REST API':
      return {
        resource: '/{proxy+}',
        path: pathname,
        httpMethod: request.method,
        headers: capitals(headers),
        multiValueHeaders: lists(capitals(headers)),
        queryStringParameters: null,
        multiValueQueryStringParameters: null,
        pathParameters: { proxy: pathname.slice(1) },
        stageVariables: null,
        requestContext: {
          stage: 'prod',
          path: `/prod${pathname}`,
          identity: { sourceIp: '192.0.2.1' },
        } as APIGatewayProxyEvent['requestContext'],
        body,
        isBase64Encoded,
      } satisfies APIGatewayProxyEvent
    case 'load balancer':
      return {
        requestContext: { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:x' } },
        path: pathname,
        httpMethod: request.method,
        queryStringParameters: {},
        multiValueHeaders: lists({ ...headers, 'x-forwarded-for': '198.51.100.7, 192.0.2.1' }),
        body,
        isBase64Encoded,
      } satisfies ALBEvent
  }
}

function v2(
  method: string,
  rawPath: string,
  headers: Fields,
  stage: string,
  body: { body: string; isBase64Encoded: boolean },
): APIGatewayProxyEventV2 | LambdaFunctionURLEvent {
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString: '',
    headers,
    requestContext: {
      accountId: 'anonymous',
      apiId: 'x',
      domainName: headers['host'] ?? '',
      domainPrefix: 'x',
      http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: '' },
      requestId: 'x',
      routeKey: '$default',
      stage,
      time: '',
      timeEpoch: 0,
    },
    ...body,
  }
}

/** REST APIs leave names as the client spells them. */
function capitals(headers: Fields): Fields {
  const spelled = (name: string): string =>
    name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase())
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [spelled(name), value]))
}

function lists(headers: Fields): Lists {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))
}

/** The response that a front makes of what the function returned. */
export function responseOf(result: HttpResult): Response {
  const { statusCode, body, isBase64Encoded, multiValueHeaders } = result
  const headers = new Headers(result.headers)
  for (const [name, values] of Object.entries(multiValueHeaders ?? {})) {
    for (const value of values) headers.append(name, value)
  }
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8')
  return new Response(new Uint8Array(bytes), { status: statusCode, headers })
}

/** The response that a function URL makes of what the function streamed: its head as JSON, eight zeros, the body. */
export function responseOfStream(bytes: Uint8Array): Response {
  const end = Buffer.from(bytes).indexOf('\0'.repeat(8))
  if (end < 0) throw new Error(`no head: ${Buffer.from(bytes).toString().slice(0, 500)}`)
  const head = JSON.parse(Buffer.from(bytes.subarray(0, end)).toString())
  return new Response(new Uint8Array(bytes.subarray(end + 8)), {
    status: head.statusCode,
    headers: head.headers,
  })
}
