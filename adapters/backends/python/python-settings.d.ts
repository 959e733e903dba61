import type { ModelConfig } from '../../../core/config/types.ts';
import { type MemoryLimits } from './memory-limits.ts';
/** Default of `python-runtime`. */
export declare const DEFAULT_PYTHON = "python3";
/** Default of `stub-timeout-seconds`: how long a model may take to be imported, and `initialize` to end. */
export declare const DEFAULT_START_TIMEOUT_SECS = 30;
/** Defaults of `shm-default-byte-size` and `shm-growth-byte-size`. */
export declare const DEFAULT_MEMORY_BYTES: number;
/** Default of `shm-max-byte-size`: what each of an instance's two memory files may grow to. */
export declare const DEFAULT_MAX_MEMORY_BYTES: number;
/** What flags and a model's config say of its instances. */
export interface PythonSettings {
    readonly python: string;
    readonly startTimeoutMs: number;
    readonly memory: MemoryLimits;
    /** How long a batch may run; 0 (the default) = as long as it takes. */
    readonly executionTimeoutMs: number;
    /** 0 (the default) = no limit. Resident memory of the process, that of the tensors it looks at included. */
    readonly memoryLimitMb: number;
}
/** Throws INVALID_ARG for a value that is none. */
export declare function pythonSettings(config: ModelConfig, flags: ReadonlyMap<string, string>): PythonSettings;
