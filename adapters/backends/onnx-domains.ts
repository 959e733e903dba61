/** Field numbers on the way from an ONNX model to the domain of a node's operator. */
const GRAPH = 7
const NODE = 1
const DOMAIN = 7
const BYTES = 2

/** A field of a protobuf message that holds bytes. */
interface Field {
  readonly number: number
  readonly start: number
  readonly end: number
}

/**
 * The domains of the operators in a model's main graph; '' is ONNX's own. Empty for what is not well-formed: whoever opens it says
 * what is wrong.
 */
export function nodeDomains(model: Uint8Array): ReadonlySet<string> {
  const domains = new Set<string>()
  try {
    for (const graph of fieldsOf(model, { number: 0, start: 0, end: model.length })) {
      if (graph.number !== GRAPH) continue
      for (const node of fieldsOf(model, graph)) {
        if (node.number === NODE) domains.add(domainOf(model, node))
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    domains.clear()
  }
  return domains
}

function domainOf(model: Uint8Array, node: Field): string {
  let domain = ''
  for (const { number, start, end } of fieldsOf(model, node)) {
    if (number === DOMAIN) domain = new TextDecoder().decode(model.subarray(start, end))
  }
  return domain
}

function* fieldsOf(model: Uint8Array, message: Field): Generator<Field> {
  let at = message.start
  while (at < message.end) {
    const [tag, afterTag] = varint(model, at, message.end)
    const wire = tag % 8
    let end = afterTag
    if (wire === BYTES) {
      const [length, start] = varint(model, afterTag, message.end)
      end = start + length
      if (end > message.end) throw new RangeError('a field is longer than its message')
      yield { number: Math.floor(tag / 8), start, end }
    } else if (wire === 0) end = varint(model, afterTag, message.end)[1]
    else if (wire === 1) end = afterTag + 8
    else if (wire === 5) end = afterTag + 4
    else throw new RangeError(`wire type ${wire}`)
    at = end
  }
}

function varint(model: Uint8Array, from: number, end: number): [value: number, end: number] {
  let value = 0
  let scale = 1
  for (let at = from; at < end && at < from + 10; at++) {
    const byte = model[at] ?? 0
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return [value, at + 1]
    scale *= 128
  }
  throw new RangeError('truncated varint')
}
