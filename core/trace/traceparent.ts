import type { TraceParent } from './types.ts'

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
/** Characters of a `tracestate` that are passed on; W3C asks for 512 at least. */
const MAX_STATE = 512

/** What the headers `traceparent` and `tracestate` of W3C Trace Context say; null where there is none or it is not valid. */
export function parseTraceParent(
  text: string | undefined,
  state: string | undefined,
): TraceParent | null {
  if (text === undefined) return null
  const [, version, traceId = '', spanId = '', flags = '', rest] =
    TRACEPARENT.exec(text.trim()) ?? []
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined)) {
    return null
  }
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null
  const given = state !== undefined && state.length <= MAX_STATE ? state : ''
  return { traceId, spanId, flags: Number.parseInt(flags, 16), state: given }
}
