import { ServerError } from '../errors.ts'
import { nearestPlace, type Places } from './place.ts'
import { batchInputsFit, batchOutputsFit } from './rules/batch-io.ts'
import { orderingIsKept, preferredSizesFit, priorityLevelsFit } from './rules/dynamic-batching.ts'
import { ensembleFieldsFit, ensembleStepsFit } from './rules/ensemble.ts'
import * as groups from './rules/instance-groups.ts'
import { metricControlsAreComplete } from './rules/metrics.ts'
import { paddingFits } from './rules/padding.ts'
import { filesStayInside } from './rules/paths.ts'
import * as platform from './rules/platform.ts'
import type { Rule, RuleContext } from './rules/rule.ts'
import * as sequence from './rules/sequence.ts'
import { tensorNamesAreUnique, tensorsAreComplete } from './rules/tensors.ts'
import { warmupsAreComplete } from './rules/warmup.ts'
import type { ModelConfig } from './types.ts'

export interface ValidateOptions {
  /** The model's folder, which the config's name must equal. */
  readonly modelName: string
  /** GPUs of this machine. Where absent, GPU numbers are not checked. */
  readonly gpus?: readonly number[]
  /** With it, errors end with the place of the field: `… (config.pbtxt:12:3)`. */
  readonly places?: Places
  /** What `places` are in. Default `config.pbtxt`. */
  readonly file?: string
}

/** What holds for every config, complete or not. In Triton's order: the first broken rule is the one reported. */
const CONFIG_RULES: readonly Rule[] = [
  platform.nameIsGiven,
  platform.backendIsGiven,
  platform.platformFitsBackend,
  platform.batchSizeIsNotNegative,
  platform.versionPolicyIsGiven,
  preferredSizesFit,
  priorityLevelsFit,
  orderingIsKept,
  platform.cacheFitsModel,
  sequence.controlTensorsAreNamedOnce,
  sequence.controlKindsAppearOnce,
  sequence.controlValuesAreGiven,
  sequence.sequenceIdTypeIsKnown,
  sequence.oldestSizesFit,
  sequence.slotUtilizationFits,
  ensembleFieldsFit,
  ensembleStepsFit,
  metricControlsAreComplete,
  filesStayInside,
]

/** What holds once inputs, outputs and instance groups are filled in. */
const COMPLETE_RULES: readonly Rule[] = [
  tensorsAreComplete,
  tensorNamesAreUnique,
  batchInputsFit,
  batchOutputsFit,
  paddingFits,
  groups.groupsAreGiven,
  groups.groupDevicesFit,
  groups.groupProfilesFit,
  groups.instancesAreLimited,
  warmupsAreComplete,
]

/**
 * Checks a config that may still lack what auto-completion fills: the rules that need no model file. Throws INVALID_ARG in
 * Triton's words.
 */
export function validatePartialConfig(config: ModelConfig, options: ValidateOptions): void {
  const rules = [...CONFIG_RULES, platform.directoryMatchesName(options.modelName)]
  check(rules, config, options)
}

/** Checks a normalized, complete config: every rule. Throws INVALID_ARG in Triton's words. */
export function validateConfig(config: ModelConfig, options: ValidateOptions): void {
  validatePartialConfig(config, options)
  check(COMPLETE_RULES, config, options)
}

/** A rule that a config breaks, and the field that breaks it. */
export interface BrokenRule {
  /** `input[1]`; '' = the config as a whole. */
  readonly path: string
  readonly message: string
}

/** Every rule that a normalized config breaks, where {@link validateConfig} throws the first. */
export function brokenRules(
  config: ModelConfig,
  options: ValidateOptions & {
    /** False while inputs, outputs and instance groups may still be missing. */
    readonly complete: boolean
  },
): readonly BrokenRule[] {
  const rules = [...CONFIG_RULES, platform.directoryMatchesName(options.modelName)]
  if (options.complete) rules.push(...COMPLETE_RULES)
  return rules.flatMap((rule) => breaksOf(rule, config, options))
}

/** Entries of one list that a rule is tried without, after they broke it. */
const MAX_BREAKS = 100

/** A rule names the first entry of a list that breaks it: without that one, it names the next. */
function breaksOf(rule: Rule, config: ModelConfig, options: ValidateOptions): BrokenRule[] {
  const broken: BrokenRule[] = []
  let rest: ModelConfig = config
  const places = new Map<string, number[]>()
  while (broken.length < MAX_BREAKS) {
    const found = firstBreak(rule, rest, options)
    if (found === undefined) return broken
    const [, list = '', index = ''] = /^([a-z_]+)\[(\d+)\]/.exec(found.path) ?? []
    const entries = (rest as Readonly<Record<string, unknown>>)[list]
    if (!Array.isArray(entries)) return [...broken, found]
    const place = places.get(list) ?? entries.map((_, i) => i)
    const original = place[Number(index)] ?? Number(index)
    const path = `${list}[${original}]${found.path.slice(`${list}[${index}]`.length)}`
    broken.push({ ...found, path })
    const others = (_: unknown, i: number): boolean => i !== Number(index)
    places.set(list, place.filter(others))
    rest = { ...rest, [list]: entries.filter(others) }
  }
  return broken
}

function firstBreak(
  rule: Rule,
  config: ModelConfig,
  options: ValidateOptions,
): BrokenRule | undefined {
  let path = ''
  try {
    rule(
      contextOf(config, options, (at, message) => {
        path = at
        return new ServerError('INVALID_ARG', message)
      }),
    )
    return undefined
  } catch (error) {
    return { path, message: ServerError.from(error).message }
  }
}

function check(rules: readonly Rule[], config: ModelConfig, options: ValidateOptions): void {
  const { places, file = 'config.pbtxt' } = options
  const context = contextOf(config, options, (path, message) => {
    const place = places === undefined ? undefined : nearestPlace(places, path)
    const suffix = place === undefined ? '' : ` (${file}:${place.line}:${place.column})`
    return new ServerError('INVALID_ARG', `${message}${suffix}`)
  })
  for (const rule of rules) rule(context)
}

function contextOf(
  config: ModelConfig,
  { gpus }: ValidateOptions,
  fail: RuleContext['fail'],
): RuleContext {
  // Only a name that no model can have is longer.
  return { config, name: (config.name ?? '').slice(0, 255), gpus, fail }
}
