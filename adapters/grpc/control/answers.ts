import { logSettings } from './log-settings.ts'
import { modelConfig, modelMetadata, serverMetadata } from './metadata.ts'
import { modelLoad, modelUnload, repositoryIndex } from './repository.ts'
import {
  cudaRegister,
  cudaStatus,
  cudaUnregister,
  systemRegister,
  systemStatus,
  systemUnregister,
} from './shared-memory.ts'
import { modelStatistics } from './statistics.ts'
import { traceSetting } from './trace-setting.ts'
import type { Answer, AnswerName } from './types.ts'

/** To be imported when the first of them is called: with it come the protobuf library and the generated messages. */
export const ANSWERS: Readonly<Record<AnswerName, Answer>> = {
  ServerMetadata: serverMetadata,
  ModelMetadata: modelMetadata,
  ModelConfig: modelConfig,
  ModelStatistics: modelStatistics,
  RepositoryIndex: repositoryIndex,
  RepositoryModelLoad: modelLoad,
  RepositoryModelUnload: modelUnload,
  SystemSharedMemoryStatus: systemStatus,
  SystemSharedMemoryRegister: systemRegister,
  SystemSharedMemoryUnregister: systemUnregister,
  CudaSharedMemoryStatus: cudaStatus,
  CudaSharedMemoryRegister: cudaRegister,
  CudaSharedMemoryUnregister: cudaUnregister,
  TraceSetting: traceSetting,
  LogSettings: logSettings,
}
