import type { Clock } from '../../../core/platform.ts';
import type { MemoryFiles } from '../../../native/memfd/library.ts';
import type { MemoryLimits } from './memory-limits.ts';
import type { Message } from './messages.ts';
import { ReceivedMemory } from './received-memory.ts';
import { SentMemory } from './sent-memory.ts';
/** How long a worker may take to end by itself, and then after SIGTERM, before it is killed. Milliseconds. */
export declare const END_TIMEOUT_MS = 1000;
/** How often the memory of a worker with a limit is looked at, milliseconds. */
export declare const MEMORY_INTERVAL_MS = 250;
/** How a worker is started. */
export interface WorkerCommand {
    /** Path of Python, or its name. */
    readonly python: string;
    /** The worker's `main.py`. */
    readonly main: string;
    readonly environment: Readonly<Record<string, string | undefined>>;
}
export interface WorkerOptions {
    readonly command: WorkerCommand;
    readonly files: MemoryFiles;
    readonly limits: MemoryLimits;
    /** What it may have in memory, MB; 0 = as much as it wants. */
    readonly memoryLimitMb: number;
    readonly clock: Clock;
    /** See {@link WorkerProcess.name}. */
    readonly name: string;
    /** What it prints, after its name. */
    readonly line: (text: string) => void;
}
/** Who uses a worker once it has started. */
export interface WorkerUser {
    /** What it throws ends the worker. */
    message(message: Message): void;
    /** It ended without being told to. */
    gone(reason: string): void;
}
/** A process with one instance of a model. */
export declare class WorkerProcess {
    #private;
    /** What the log calls it. */
    name: string;
    readonly sent: SentMemory;
    readonly received: ReceivedMemory;
    /** Throws where there is no memory for it; that there is no such Python is told by {@link ask}. */
    constructor(options: WorkerOptions);
    get pid(): number;
    /** Sends what is answered by exactly one message, and waits for it. Ends the process when that takes too long. */
    ask(json: string, what: string, timeoutMs: number, signal?: AbortSignal): Promise<Message>;
    /** Whoever hears of messages from now on. */
    attach(user: WorkerUser): void;
    post(json: string): void;
    /** Ends it at once; its user hears of it with `reason`. */
    kill(reason: string): void;
    /** Ends it, at once or kindly; its user hears nothing of it. Idempotent. */
    close(kindly?: boolean): Promise<void>;
}
