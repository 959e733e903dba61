import { type CustomMetrics } from './custom-metrics.ts';
import type { Message } from './messages.ts';
/** What one worker has of the models' metrics; it is gone with the worker. */
export declare class WorkerMetrics {
    #private;
    constructor(metrics: CustomMetrics);
    /** Carries out what a message asks; the JSON of the answer, '' = none is asked for. */
    message(message: Message): string;
    /** Idempotent. */
    close(): void;
}
