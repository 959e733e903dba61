import type { MemoryFiles } from '../../../native/memfd/library.ts';
import { type MemoryLimits } from './memory-limits.ts';
/** Memory that the server writes and a worker reads. */
export declare class SentMemory {
    #private;
    constructor(files: MemoryFiles, fd: number, limits: MemoryLimits);
    /** Blocks that the worker has not given back. */
    get count(): number;
    /** Offset of a block of `bytes` (more than 0). Throws UNAVAILABLE where the file would get too large. */
    take(bytes: number): number;
    write(at: number, bytes: Uint8Array): void;
    /** What the worker gave back. Throws where it never had it. */
    free(at: unknown): void;
    /** The file's size, once after it grew; else 0. */
    takeGrown(): number;
    /** It grows no more; what is mapped stays. Idempotent. */
    close(): void;
}
