/** `--http-cors-origin`: which pages in browsers may ask this server. */
export interface Cors {
  /** Headers of every answer to a page that may ask; null for a page that may not. */
  answer(origin: string): Readonly<Record<string, string>> | null
  /** The answer to the question that a browser asks first. */
  preflight(request: Request): Response
}

const METHODS = 'GET, POST, DELETE, OPTIONS'
const EXPOSED = 'Inference-Header-Content-Length, Content-Encoding, Retry-After'
/** Seconds a browser may go by the answer. */
const MAX_AGE = '600'
const HEADER_NAMES = /^[\w!#$%&'*+.^`|~, -]{1,1024}$/

/** Undefined where no origin is given: then nothing about origins is ever said. */
export function createCors(origins: readonly string[]): Cors | undefined {
  if (origins.length === 0) return undefined
  const any = origins.includes('*')
  const known = new Set(origins)
  const answer = (origin: string): Readonly<Record<string, string>> | null => {
    if (!any && !known.has(origin)) return null
    return {
      'Access-Control-Allow-Origin': any ? '*' : origin,
      'Access-Control-Expose-Headers': EXPOSED,
      ...VARY,
    }
  }
  return {
    answer,
    preflight({ headers }) {
      const allowed = answer(headers.get('origin') ?? '')
      if (allowed === null) return new Response(null, { status: 204, headers: VARY })
      const asked = headers.get('access-control-request-headers') ?? ''
      return new Response(null, {
        status: 204,
        headers: {
          ...allowed,
          'Access-Control-Allow-Methods': METHODS,
          'Access-Control-Max-Age': MAX_AGE,
          // Restricted APIs have keys of any name, so that all of them are allowed.
          ...(HEADER_NAMES.test(asked) ? { 'Access-Control-Allow-Headers': asked } : {}),
        },
      })
    },
  }
}

const VARY = { Vary: 'Origin' }

/** Whether `request` asks what a page may do, rather than for anything. */
export function isPreflight({ method, headers }: Request): boolean {
  return (
    method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method')
  )
}
