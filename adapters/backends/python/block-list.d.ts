/** Where blocks begin, and what their sizes are multiples of. */
export declare const BLOCK_BYTES = 64;
/** Hands out blocks of a file that grows by segments. A block lies in one segment; neighbours that are free are one again. */
export declare class BlockList {
    #private;
    /** Blocks in use. */
    get count(): number;
    addSegment(begin: number, end: number): void;
    /** Offset of a block of at least `bytes` (more than 0); -1 = there is no room. */
    take(bytes: number): number;
    /** False where no block begins at `at`. */
    free(at: number): boolean;
}
