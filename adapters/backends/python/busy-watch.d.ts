import type { Clock } from '../../../core/platform.ts';
/** A model that runs longer than this at a time is named in the log, once. Milliseconds. */
export declare const SLOW_EXECUTION_MS = 30000;
export interface BusyWatchOptions {
    readonly clock: Clock;
    /** 0 = none. */
    readonly timeoutMs: number;
    /** When what runs now was sent, `Clock.now()`; 0 = nothing runs. */
    readonly since: () => number;
    readonly slow: () => void;
    readonly late: () => void;
}
/** Looks after executions that take long, with one timer that mostly sleeps: short ones cost nothing. */
export declare class BusyWatch {
    #private;
    constructor(options: BusyWatchOptions);
    /** Something began to run. */
    start(): void;
    /** Idempotent. */
    close(): void;
}
