/** Bytes of an event, and of an answer that is not streamed, that Lambda takes: 6 MB. Base64 counts with its third more. */
export const MAX_PAYLOAD_BYTES: number = 6 * 1024 * 1024

/** What Lambda puts around a body in that payload, and our header fields: kept free of the body. */
export const PAYLOAD_ROOM_BYTES: number = 16 * 1024

/** Milliseconds before the end of an invocation at which it is answered anyway: with 504. */
export const DEADLINE_MARGIN_MS = 250

/**
 * Milliseconds that loading may take of Lambda's ten seconds for the init phase. Past those Lambda starts it from its
 * beginning; a load that is waited for by the first request instead goes on.
 */
export const INIT_WAIT_MS = 8_000
