/** Segments begin and end at multiples of this: pages of every platform do. Bytes. */
export declare const SEGMENT_BYTES: number;
/** How large the memory files of one instance are, bytes; each is a multiple of {@link SEGMENT_BYTES}. */
export interface MemoryLimits {
    /** At the start. */
    readonly initial: number;
    /** A file grows by at least this much. */
    readonly growth: number;
    /** No file of the two gets larger. */
    readonly most: number;
}
