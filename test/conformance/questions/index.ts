import { binaries, raws } from './binary.ts'
import { classes, encodings } from './encoding.ts'
import { routing, versions } from './model.ts'
import type { Question } from './question.ts'
import { logging, repository } from './repository.ts'
import { requests, syntax } from './request.ts'
import { tensors } from './tensor.ts'

/** What is asked beyond the recorded sample, in order; a model that is changed is put back by a later case. */
export const MORE_QUESTIONS: readonly Question[] = [
  ...requests,
  ...tensors,
  ...syntax,
  ...binaries,
  ...raws,
  ...encodings,
  ...classes,
  ...versions,
  ...routing,
  ...logging,
  ...repository,
]
