import type { Flag, FlagGroup } from '../flag-types.ts'
import { checkPair, gpuLoadLimit, hostPolicySetting } from '../flag-values.ts'
import { RESPONSE_CACHE_BYTE_SIZE } from './cache.ts'
import { OLD_TRACE_FLAGS } from './trace.ts'

/** Flags of Triton that are checked here and do nothing yet, so that existing command lines start. */
function accepted(flag: Omit<Flag, 'effect'>): Flag {
  return { ...flag, effect: 'accepted' }
}

const integer = (name: string, help: string, rest: Partial<Flag> = {}): Flag =>
  accepted({ name, type: 'integer', help, ...rest })
const string = (name: string, help: string, rest: Partial<Flag> = {}): Flag =>
  accepted({ name, type: 'string', help, ...rest })

const MEMORY: FlagGroup = {
  title: 'Memory/Device Management',
  flags: [
    integer('pinned-memory-pool-byte-size', 'Bytes of pinned memory.', {
      default: '268435456',
      min: 0,
    }),
    string('cuda-memory-pool-byte-size', 'Bytes of CUDA memory per device.', {
      value: '<integer>:<integer>',
      repeatable: true,
      check: checkPair,
    }),
    string('cuda-virtual-address-size', 'Bytes of CUDA address space per device.', {
      value: '<integer>:<integer>',
      repeatable: true,
      check: checkPair,
    }),
    accepted({
      name: 'min-supported-compute-capability',
      type: 'float',
      default: '6.0',
      help: 'GPUs below this compute capability are not used.',
    }),
    integer('buffer-manager-thread-count', 'Threads that copy tensors.', {
      default: '0',
      min: 0,
    }),
    string('host-policy', 'Setting of a host policy.', {
      value: '<string>,<string>=<string>',
      repeatable: true,
      check: (value) => void hostPolicySetting(value),
    }),
    {
      name: 'model-load-gpu-limit',
      type: 'string',
      value: '<device_id>:<fraction>',
      repeatable: true,
      effect: 'served',
      check: (value) => void gpuLoadLimit(value),
      help: 'No model is loaded on this GPU while more than this fraction of its memory is used.',
    },
  ],
}

export const DEPRECATED_GROUP: FlagGroup = {
  title: 'DEPRECATED',
  flags: [
    {
      name: 'strict-model-config',
      type: 'boolean',
      effect: 'served',
      help: 'DEPRECATED: true is --disable-auto-complete-config.',
    },
    RESPONSE_CACHE_BYTE_SIZE,
    ...OLD_TRACE_FLAGS,
  ],
}

export const LATER_GROUPS: readonly FlagGroup[] = [MEMORY]
