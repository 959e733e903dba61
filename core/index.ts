export type {
  Backend,
  BackendModel,
  Batch,
  BatchDone,
  BatchResult,
  DecoupledAnswers,
  ExecutionMarks,
  Instance,
  IoSpec,
  ModelIo,
  ModelSource,
  Placement,
} from './backend/types.ts'
export { packBytes, unpackBytes } from './bytes.ts'
export { localCache } from './cache/local-cache.ts'
export type { CachedResponse, CacheFigures, ResponseCache } from './cache/types.ts'
export type { ModelConfig } from './config/types.ts'
export { type ErrorCode, messageOf, ServerError } from './errors.ts'
export {
  InferRequest,
  type InferRequestOptions,
  type InferResponse,
  type Parameters,
  type ParameterValue,
  type RequestTrace,
  type ResponseSink,
  type TracedModel,
} from './infer.ts'
export { safeJoin, safeName } from './paths.ts'
export type {
  Clock,
  Hash,
  Log,
  LogLevel,
  ModelStore,
  Platform,
  StoreEntry,
  StoreStat,
} from './platform.ts'
export { fileMapStore } from './repository/file-map.ts'
export type { StartupRow } from './repository/startup-report.ts'
export type { Scheduler } from './schedulers/types.ts'
export {
  type CreateServerOptions,
  createServer,
  EXTENSIONS,
  type Server,
  TRITON_VERSION,
} from './server.ts'
export type { ModelControlMode, OnDemandOptions, ServerOptions } from './server-options.ts'
export type {
  IndexEntry,
  InferenceServer,
  LoadOverrides,
  LogControl,
  LogSettings,
  ModelMetadata,
  ModelState,
  ModelStatisticsEntry,
  OnDemand,
  OnDemandFigures,
  Routable,
  ServedModel,
  TensorMetadata,
} from './server-types.ts'
export {
  type BatchSizeStats,
  type Duration,
  FAILURE_REASONS,
  type FailureReason,
  type FirstResponseHistogram,
  LatencyHistogram,
  ModelStats,
  type RequestTimes,
  type ResponseStats,
} from './stats.ts'
export {
  byteSize,
  DATATYPE_SIZES,
  type Datatype,
  elementCount,
  isDatatype,
  type Tensor,
} from './tensor.ts'
export type {
  TrafficControl,
  TrafficPolicy,
  TrafficState,
} from './traffic/types.ts'
