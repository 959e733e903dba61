import { messageOf } from '../../errors.ts'
import { paddingOf } from '../padding.ts'
import type { Rule } from './rule.ts'

export const paddingFits: Rule = ({ config, fail }) => {
  try {
    paddingOf(config)
  } catch (error) {
    throw fail('parameters', messageOf(error))
  }
}
