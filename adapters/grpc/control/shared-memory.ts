import { NO_SHARED_MEMORY } from '../../../core/shared-memory/no-shared-memory.ts'
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
import type { Answer, ControlContext } from './types.ts'

export const systemStatus: Answer = answer({
  input: SystemSharedMemoryStatusRequestSchema,
  output: SystemSharedMemoryStatusResponseSchema,
  run: ({ name }, context, { principal }) => {
    const found = regionsOf(context).systemStatus(name, principal.id)
    const regions = found.map(({ name, key, offset, byteSize }) => {
      return [name, { name, key, offset: BigInt(offset), byteSize: BigInt(byteSize) }] as const
    })
    return { regions: Object.fromEntries(regions) }
  },
})

export const systemRegister: Answer = answer({
  input: SystemSharedMemoryRegisterRequestSchema,
  output: SystemSharedMemoryRegisterResponseSchema,
  run: ({ name, key, offset, byteSize }, context, { principal }) => {
    regionsOf(context).registerSystem({
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
  run: ({ name }, context, { principal }) => {
    regionsOf(context).unregisterSystem(name, principal.id)
    return {}
  },
})

export const cudaStatus: Answer = answer({
  input: CudaSharedMemoryStatusRequestSchema,
  output: CudaSharedMemoryStatusResponseSchema,
  run: ({ name }, context, { principal }) => {
    const found = regionsOf(context).cudaStatus(name, principal.id)
    const regions = found.map(({ name, deviceId, byteSize }) => {
      return [name, { name, deviceId: BigInt(deviceId), byteSize: BigInt(byteSize) }] as const
    })
    return { regions: Object.fromEntries(regions) }
  },
})

export const cudaRegister: Answer = answer({
  input: CudaSharedMemoryRegisterRequestSchema,
  output: CudaSharedMemoryRegisterResponseSchema,
  run: ({ name, rawHandle, deviceId, byteSize }, context, { principal }) => {
    regionsOf(context).registerCuda({
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
  run: ({ name }, context, { principal }) => {
    regionsOf(context).unregisterCuda(name, principal.id)
    return {}
  },
})

function regionsOf({ sharedMemory }: ControlContext): SharedMemory {
  return sharedMemory ?? NO_SHARED_MEMORY
}
