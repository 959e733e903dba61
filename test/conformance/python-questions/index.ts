import type { Question } from '../questions/question.ts'
import { load } from './ask.ts'
import { completing, loading, refusing } from './models.ts'
import { endings, errors, families, interfaces, peers, requests } from './requests.ts'
import { tensors } from './tensors.ts'

/** What is asked over HTTP before the calls of gRPC. */
export const BEFORE: readonly Question[] = [
  ...loading,
  ...tensors,
  ...requests,
  ...errors,
  ...peers,
  ...interfaces,
]

/** And after them. */
export const AFTER: readonly Question[] = [
  ...families,
  ...completing,
  ...refusing,
  load('fails_in_finalize'),
  ...endings,
]
