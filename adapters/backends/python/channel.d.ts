import type { Duplex } from 'node:stream';
import type { Message } from './messages.ts';
/** Bytes that may wait for a worker that does not read. */
export declare const MAX_UNSENT_BYTES: number;
export interface ChannelUser {
    /** What it throws ends the channel. */
    message(message: Message): void;
    /** Never called twice, and not after `close`. */
    broken(reason: string): void;
}
/** Frames to and from a worker. */
export declare class Channel {
    #private;
    constructor(socket: Duplex, user: ChannelUser);
    /** `json` is an object, and not empty. */
    send(json: string, grown?: number): void;
    /** Told with what is sent next: a worker that has nothing to do needs no memory. */
    free(at: number): void;
    /** Nothing is sent or heard any more; the worker's end of it is closed. Idempotent. */
    close(): void;
}
