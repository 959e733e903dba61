import { parseModelVersion } from '../../../core/protocol/grpc/model-version.ts'
import type { InferenceServer } from '../../../core/server-types.ts'
import type { UnaryMethod } from '../types.ts'
import { INFERENCE_SERVICE } from './answered-method.ts'
import { stringField } from './string-field.ts'

/** `bool = 1` of ServerLiveResponse, ServerReadyResponse and ModelReadyResponse; false is the empty message. */
const YES = new Uint8Array([0x08, 0x01])
const NO = new Uint8Array(0)
/** HealthCheckResponse.status. */
const SERVING = new Uint8Array([0x08, 0x01])
const NOT_SERVING = new Uint8Array([0x08, 0x02])

interface ModelName {
  readonly name: string
  readonly version: string
}

/** Liveness and readiness, which are asked for all the time: written without the generated messages. */
export function healthMethods(server: InferenceServer): readonly UnaryMethod[] {
  const modelReady: UnaryMethod<ModelName, boolean> = {
    path: `${INFERENCE_SERVICE}ModelReady`,
    operation: 'model-ready',
    decode: (message) => ({ name: stringField(message, 1), version: stringField(message, 2) }),
    model: ({ name }) => name,
    // An unknown model is not ready; a version that is no number is an error.
    handle: ({ name, version }) => server.askModelReady(name, parseModelVersion(version)),
    encode: (ready) => (ready ? YES : NO),
  }
  return [
    question(`${INFERENCE_SERVICE}ServerLive`, 'server-live', () => (server.live() ? YES : NO)),
    question(`${INFERENCE_SERVICE}ServerReady`, 'server-ready', () => (server.ready() ? YES : NO)),
    modelReady as UnaryMethod,
    // Any service name: what serves here, serves as a whole.
    question('/grpc.health.v1.Health/Check', 'server-ready', () =>
      server.ready() ? SERVING : NOT_SERVING,
    ),
  ]
}

function question(
  path: string,
  operation: 'server-live' | 'server-ready',
  answer: () => Uint8Array,
): UnaryMethod {
  const method: UnaryMethod<null, Uint8Array> = {
    path,
    operation,
    decode: (message) => {
      stringField(message, 1)
      return null
    },
    handle: answer,
    encode: (output) => output,
  }
  return method as UnaryMethod
}
