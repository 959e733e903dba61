import type { LoadOverrides } from '../../server-types.ts'
import type { ProtocolLimits } from '../limits.ts'
import { JsonReader } from './json-reader.ts'
import { asBoolean, asString, find, invalid, type JsonValue } from './json-value.ts'

const FILE_PREFIX = 'file:'

/** The body of an index request: whether only ready models are wanted. An empty body says nothing. */
export function parseIndexBody(body: Uint8Array, limits: ProtocolLimits): boolean {
  const ready = find(parseBody(body, limits), 'ready')
  return ready === undefined ? false : asBoolean(ready)
}

/** The body of a load request: a config and files that take the place of the repository's. */
export function parseLoadBody(body: Uint8Array, limits: ProtocolLimits): LoadOverrides {
  const parameters = find(parseBody(body, limits), 'parameters')
  if (parameters === undefined) return {}
  if (!(parameters instanceof Map)) throw invalid('attempt to get members for non-object')
  let config: string | undefined
  const files = new Map<string, Uint8Array>()
  for (const [key, member] of parameters) {
    const value = asString(member)
    if (key === 'config') config = value
    else if (key.startsWith(FILE_PREFIX)) {
      files.set(key.slice(FILE_PREFIX.length), decodeBase64(value, key))
    } else throw invalid('unexpected error on creating Triton parameter')
  }
  return {
    ...(config === undefined ? {} : { config }),
    ...(files.size === 0 ? {} : { files }),
  }
}

/** The body of an unload request: whether the models that this one is made of go with it. */
export function parseUnloadBody(body: Uint8Array, limits: ProtocolLimits): boolean {
  const value = find(find(parseBody(body, limits), 'parameters'), 'unload_dependents')
  return value === undefined ? false : asBoolean(value, "Unable to parse 'unload_dependents'")
}

function parseBody(body: Uint8Array, limits: ProtocolLimits): JsonValue | undefined {
  return body.length === 0 ? undefined : new JsonReader(body, limits).document()
}

function decodeBase64(text: string, key: string): Uint8Array {
  let binary: string
  try {
    binary = atob(text)
  } catch {
    throw invalid(`'${key}' is not valid base64`)
  }
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}
