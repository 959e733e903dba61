/** Answers of a decoupled model, or of a call to one, that may be on their way without having been taken. */
export const MAX_UNTAKEN = 16
