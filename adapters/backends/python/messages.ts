/** A message of a worker as it came: nothing is known of it but that it is an object with a `kind`. */
export interface Message {
  readonly kind: unknown
  readonly free?: unknown
  readonly grown?: unknown
  readonly block?: unknown
  readonly run?: unknown
  readonly index?: unknown
  readonly final?: unknown
  readonly again?: unknown
  readonly answers?: unknown
  readonly outputs?: unknown
  readonly parameters?: unknown
  readonly error?: unknown
  readonly call?: unknown
  readonly model?: unknown
  readonly version?: unknown
  readonly request?: unknown
  readonly decoupled?: unknown
  readonly action?: unknown
  readonly config?: unknown
  readonly files?: unknown
  readonly level?: unknown
  readonly message?: unknown
  readonly file?: unknown
  readonly line?: unknown
  readonly ready?: unknown
  readonly ask?: unknown
  readonly result?: unknown
  readonly family?: unknown
  readonly metric?: unknown
  readonly name?: unknown
  readonly description?: unknown
  readonly type?: unknown
  readonly labels?: unknown
  readonly buckets?: unknown
  readonly value?: unknown
}
