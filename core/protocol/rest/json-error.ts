import { ServerError } from '../../errors.ts'

/** What is wrong with a JSON text, in the words Triton's clients know. */
export const JSON_ERRORS = {
  empty: 'The document is empty.',
  trailing: 'The document root must not be followed by other values.',
  value: 'Invalid value.',
  name: 'Missing a name for object member.',
  colon: 'Missing a colon after a name of object member.',
  objectEnd: "Missing a comma or '}' after an object member.",
  arrayEnd: "Missing a comma or ']' after an array element.",
  hex: 'Incorrect hex digit after \\u escape in string.',
  surrogate: 'The surrogate pair in string is invalid.',
  escape: 'Invalid escape character in string.',
  quote: 'Missing a closing quotation mark in string.',
  tooBig: 'Number too big to be stored in double.',
  fraction: 'Miss fraction part in number.',
  exponent: 'Miss exponent in number.',
} as const

/** A syntax error at byte `offset`; Triton answers INTERNAL, here it is the client's mistake. */
export function jsonSyntaxError(reason: keyof typeof JSON_ERRORS, offset: number): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `failed to parse the request JSON buffer: ${JSON_ERRORS[reason]} at ${offset}`,
  )
}

/** Triton's words for a value of the wrong type. */
export const TYPE_ERRORS = {
  string: 'attempt to access JSON non-string as string',
  boolean: 'attempt to access JSON non-boolean as boolean',
  signed: 'attempt to access JSON non-signed-integer as signed-integer',
  unsigned: 'attempt to access JSON non-unsigned-integer as unsigned-integer',
  double: 'attempt to access JSON non-number as double',
  array: 'attempt to access JSON non-array as array',
  object: 'attempt to access JSON non-object as object',
} as const

export function missingMember(name: string): string {
  return `attempt to access non-existing object member '${name}'`
}
