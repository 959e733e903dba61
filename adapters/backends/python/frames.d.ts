/** Longest frame that is read, bytes: the files of a model that another one has loaded are in it. */
export declare const MAX_FRAME_BYTES: number;
/** `text` (JSON) as it travels: its length, and its bytes. */
export declare function frameOf(text: string): Buffer;
/** Puts frames together from what arrives, however it was cut. */
export declare class FrameReader {
    #private;
    constructor(onFrame: (text: string) => void);
    /** Throws for a frame that is too long; whatever `onFrame` throws passes. */
    push(chunk: Buffer): void;
}
