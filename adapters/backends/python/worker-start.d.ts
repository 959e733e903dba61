import type { ModelSource, Placement } from '../../../core/backend/types.ts';
import type { ModelConfig } from '../../../core/config/types.ts';
import type { Clock } from '../../../core/platform.ts';
import type { MemoryFiles } from '../../../native/memfd/library.ts';
import type { CustomMetrics } from './custom-metrics.ts';
import type { ModelFiles } from './model-files.ts';
import type { PythonSettings } from './python-settings.ts';
import { type WorkerCommand, WorkerProcess } from './worker-process.ts';
import { WorkerServices } from './worker-services.ts';
/** What every worker of a model is started from. */
export interface WorkerSource {
    readonly model: ModelSource;
    readonly files: ModelFiles;
    readonly settings: PythonSettings;
    readonly command: WorkerCommand;
    readonly memory: MemoryFiles;
    readonly metrics: CustomMetrics;
    readonly clock: Clock;
}
export interface OpenedWorker {
    readonly worker: WorkerProcess;
    readonly services: WorkerServices;
    /** JSON of the config that the model completed, or null. */
    readonly config: string | null;
    /** Whether the model tells by itself whether it is ready. */
    readonly tellsReady: boolean;
}
/** A worker with the module imported. Throws the reason. */
export declare function openWorker(source: WorkerSource, config: ModelConfig, options: {
    readonly complete: boolean;
    readonly name: string;
    readonly signal?: AbortSignal;
}): Promise<OpenedWorker>;
/** Has the model initialize itself as one instance. The worker is closed where it cannot. Throws the reason. */
export declare function startWorker({ worker, services }: OpenedWorker, source: WorkerSource, placement: Placement, config: ModelConfig): Promise<void>;
/** Ends a worker, at once or kindly; its user hears nothing of it. Idempotent. */
export declare function closeWorker({ worker, services }: OpenedWorker, kindly?: boolean): Promise<void>;
