import type { Flag, FlagGroup } from '../flag-types.ts'
import { checkPortRange } from '../flag-values.ts'

/** Threads are none of this server's: the flag is taken, and does nothing. */
const threads = (name: string): Flag => ({
  name,
  type: 'integer',
  default: '8',
  min: 1,
  effect: 'accepted',
  help: 'Threads that handle requests.',
})

const address = (name: string, host: string): Flag => ({
  name,
  type: 'string',
  default: '0.0.0.0',
  effect: 'served',
  help: `Address to listen on for ${host} requests.`,
})

export const SAGEMAKER_GROUP: FlagGroup = {
  title: 'Sagemaker',
  flags: [
    {
      name: 'allow-sagemaker',
      type: 'boolean',
      default: 'false',
      effect: 'served',
      help: 'Listen for SageMaker requests. SAGEMAKER_TRITON_DEFAULT_MODEL_NAME, SAGEMAKER_TRITON_INFERENCE_TYPE and SAGEMAKER_TRITON_PING_MODE say how they are answered.',
    },
    address('sagemaker-address', 'SageMaker'),
    {
      name: 'sagemaker-port',
      type: 'integer',
      default: '8080',
      min: 0,
      max: 65_535,
      effect: 'served',
      help: 'Port for SageMaker requests; 0 takes any free one.',
    },
    {
      name: 'sagemaker-safe-port-range',
      type: 'string',
      value: '<integer>-<integer>',
      check: checkPortRange,
      effect: 'served',
      help: 'Ports that the other endpoints may have.',
    },
    {
      name: 'sagemaker-models-folder',
      type: 'string',
      default: '/opt/ml/models',
      effect: 'served',
      help: 'Where SageMaker unpacks the archives of a multi-model endpoint; nothing else is loaded for it.',
    },
    threads('sagemaker-thread-count'),
  ],
}

export const VERTEX_GROUP: FlagGroup = {
  title: 'Vertex',
  flags: [
    {
      name: 'allow-vertex-ai',
      type: 'boolean',
      default: 'false',
      effect: 'served',
      help: 'Listen for Vertex AI requests. With AIP_MODE=PREDICTION it is on, and HTTP and GRPC are off, unless flags say otherwise.',
    },
    address('vertex-ai-address', 'Vertex AI'),
    {
      name: 'vertex-ai-port',
      type: 'integer',
      default: '8080',
      min: 0,
      max: 65_535,
      effect: 'served',
      help: 'Port for Vertex AI requests; 0 takes any free one. AIP_HTTP_PORT goes before the default.',
    },
    threads('vertex-ai-thread-count'),
    {
      name: 'vertex-ai-default-model',
      type: 'string',
      effect: 'served',
      help: 'Model of predictions that name none. Without it there must be one model only.',
    },
  ],
}
