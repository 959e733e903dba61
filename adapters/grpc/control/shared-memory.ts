import { ServerError } from '../../../core/errors.ts'
import type { SharedMemory } from '../../../core/shared-memory/types.ts'
import {
  CudaSharedMemoryRegisterRequestSchema,
  CudaSharedMemoryRegisterResponseSchema,
  CudaSharedMemoryStatusRequestSchema,
  CudaSharedMemoryStatusResponseSchema,
  CudaSharedMemoryUnregisterRequestSchema,
  CudaSharedMemoryUnregisterResponseSchema,
  SystemSharedMemoryRegisterRequestSchema,
  SystemSharedMemoryRegisterResponseSchema,
  SystemSharedMemoryStatusRequestSchema,
  SystemSharedMemoryStatusResponseSchema,
  SystemSharedMemoryUnregisterRequestSchema,
  SystemSharedMemoryUnregisterResponseSchema,
} from '../messages/grpc_service_pb.ts'
import { answer } from './answer.ts'
import type { Answer } from './types.ts'

type Kind = 'system' | 'cuda'

export const systemStatus: Answer = answer({
  input: SystemSharedMemoryStatusRequestSchema,
  output: SystemSharedMemoryStatusResponseSchema,
  run: ({ name }, { sharedMemory }, { principal }) => {
    const found = sharedMemory?.systemStatus(name, principal.id) ?? nothing('system', name)
    const regions = found.map(({ name, key, offset, byteSize }) => {
      return [name, { name, key, offset: BigInt(offset), byteSize: BigInt(byteSize) }] as const
    })
    return { regions: Object.fromEntries(regions) }
  },
})

export const systemRegister: Answer = answer({
  input: SystemSharedMemoryRegisterRequestSchema,
  output: SystemSharedMemoryRegisterResponseSchema,
  run: ({ name, key, offset, byteSize }, { sharedMemory }, { principal }) => {
    present('system', sharedMemory).registerSystem({
      name,
      key,
      offset: Number(offset),
      byteSize: Number(byteSize),
      owner: principal.id,
    })
    return {}
  },
})

export const systemUnregister: Answer = answer({
  input: SystemSharedMemoryUnregisterRequestSchema,
  output: SystemSharedMemoryUnregisterResponseSchema,
  run: ({ name }, { sharedMemory }, { principal }) => {
    sharedMemory?.unregisterSystem(name, principal.id)
    return {}
  },
})

export const cudaStatus: Answer = answer({
  input: CudaSharedMemoryStatusRequestSchema,
  output: CudaSharedMemoryStatusResponseSchema,
  run: ({ name }, { sharedMemory }, { principal }) => {
    const found = sharedMemory?.cudaStatus(name, principal.id) ?? nothing('cuda', name)
    const regions = found.map(({ name, deviceId, byteSize }) => {
      return [name, { name, deviceId: BigInt(deviceId), byteSize: BigInt(byteSize) }] as const
    })
    return { regions: Object.fromEntries(regions) }
  },
})

export const cudaRegister: Answer = answer({
  input: CudaSharedMemoryRegisterRequestSchema,
  output: CudaSharedMemoryRegisterResponseSchema,
  run: ({ name, rawHandle, deviceId, byteSize }, { sharedMemory }, { principal }) => {
    present('cuda', sharedMemory).registerCuda({
      name,
      rawHandle,
      byteSize: Number(byteSize),
      deviceId: Number(deviceId),
      owner: principal.id,
    })
    return {}
  },
})

export const cudaUnregister: Answer = answer({
  input: CudaSharedMemoryUnregisterRequestSchema,
  output: CudaSharedMemoryUnregisterResponseSchema,
  run: ({ name }, { sharedMemory }, { principal }) => {
    sharedMemory?.unregisterCuda(name, principal.id)
    return {}
  },
})

/** What a server without shared memory says of regions: there are none. */
function nothing(kind: Kind, name: string): readonly never[] {
  if (name === '') return []
  throw new ServerError('NOT_FOUND', `Unable to find ${kind} shared memory region: '${name}'`)
}

function present(kind: Kind, sharedMemory: SharedMemory | null): SharedMemory {
  if (sharedMemory !== null) return sharedMemory
  throw new ServerError('UNSUPPORTED', `this server does not support ${kind} shared memory`)
}
