/** The header fields the infer route reads. '' or -1 = absent. */
export interface InferHead {
  /** Bytes of the JSON part; -1 when the field is absent, NaN when it is not a decimal number. */
  headerLength: number
  /** -1 for a chunked body. */
  contentLength: number
  contentEncoding: string
  acceptEncoding: string
}

/**
 * Reads what the infer route needs from the raw header list, without building Node's header object (about 1 µs). Field
 * lengths tell the few names apart before any text is compared.
 */
export function readInferHead(raw: readonly string[], into: InferHead): void {
  into.headerLength = -1
  into.contentLength = -1
  into.contentEncoding = ''
  into.acceptEncoding = ''
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    switch (name.length) {
      case 14:
        if (is(name, 'Content-Length', 'content-length')) {
          into.contentLength = decimal(raw[i + 1] as string)
        }
        break
      case 15:
        if (is(name, 'Accept-Encoding', 'accept-encoding')) {
          into.acceptEncoding = raw[i + 1] as string
        }
        break
      case 16:
        if (is(name, 'Content-Encoding', 'content-encoding')) {
          into.contentEncoding = raw[i + 1] as string
        }
        break
      case 31:
        if (is(name, 'Inference-Header-Content-Length', 'inference-header-content-length')) {
          into.headerLength = decimal(raw[i + 1] as string)
        }
        break
    }
  }
}

function is(name: string, usual: string, lower: string): boolean {
  return name === usual || name === lower || name.toLowerCase() === lower
}

/** A decimal number without sign, at most 15 digits; NaN otherwise. */
function decimal(text: string): number {
  if (text.length === 0 || text.length > 15) return Number.NaN
  let value = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}
