import type { ModelSource } from '../../../core/backend/types.ts';
import type { InferRequest } from '../../../core/infer.ts';
import type { Clock } from '../../../core/platform.ts';
import type { CustomMetrics } from './custom-metrics.ts';
import type { Message } from './messages.ts';
import type { WorkerProcess, WorkerUser } from './worker-process.ts';
/** Longest time in which a model says whether it is ready, milliseconds. */
export declare const READY_TIMEOUT_MS = 5000;
/** Who has batches run on a worker. */
export interface BatchUser {
    /** `ran` or `sent`. What it throws ends the worker. */
    answered(message: Message): void;
    gone(reason: string): void;
    /** The request that the worker names so; undefined = none. */
    requestOf(run: unknown, index: unknown): InferRequest | undefined;
}
export interface ServicesOptions {
    readonly model: ModelSource;
    readonly worker: WorkerProcess;
    readonly metrics: CustomMetrics;
    readonly clock: Clock;
}
/** What a worker may ask the server for, from when its model is imported until it ends. */
export declare class WorkerServices implements WorkerUser {
    #private;
    constructor(options: ServicesOptions);
    use(user: BatchUser): void;
    /** What the model itself says. Rejects with what it throws, or where it says nothing in time. */
    ready(): Promise<boolean>;
    /** Throws for what cannot be read. */
    message(message: Message): void;
    gone(reason: string): void;
    /** Nothing of what it asked for is wanted any more. Idempotent. */
    close(): void;
}
