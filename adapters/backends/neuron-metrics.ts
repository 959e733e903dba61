import type { FamilySamples } from '../../core/metrics/model-series.ts'
import type { NeuronRuntime } from '../../native/neuron/runtime.ts'
import type { CoreFigures, NeuronCores } from './neuron-cores.ts'

/** What the NeuronCores of this process did and hold. */
export function neuronFamilies(
  runtime: NeuronRuntime,
  cores: NeuronCores,
): readonly FamilySamples[] {
  const memory = cores.figures.map((_, core) => runtime.memoryOf(core))
  const family = (
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    value: (core: number, figures: CoreFigures) => number | undefined,
  ): FamilySamples => ({
    family: { name, type, help },
    samples: cores.figures.flatMap((figures, core) => {
      const found = value(core, figures)
      return found === undefined ? [] : [{ labels: { core: String(core) }, value: found }]
    }),
  })
  return [
    family(
      'nereid_neuron_executions_total',
      'counter',
      'Number of executions on a NeuronCore',
      (_, figures) => figures.executions,
    ),
    family(
      'nereid_neuron_failures_total',
      'counter',
      'Number of batches that failed on a NeuronCore',
      (_, figures) => figures.failures,
    ),
    family(
      'nereid_neuron_busy_seconds_total',
      'counter',
      'Time in which executions were in progress on a NeuronCore, of all instances together',
      (_, figures) => figures.busyNs / 1e9,
    ),
    family('nereid_neuron_models', 'gauge', 'Models that are loaded on a NeuronCore', (core) =>
      cores.models(core),
    ),
    family(
      'nereid_neuron_memory_used_bytes',
      'gauge',
      'Device memory of a NeuronCore that is in use, as the runtime tells',
      (core) => memory[core]?.usedBytes,
    ),
    family(
      'nereid_neuron_memory_limit_bytes',
      'gauge',
      'Device memory of a NeuronCore, as the runtime tells',
      (core) => memory[core]?.limitBytes,
    ),
  ].filter(({ samples }) => samples.length > 0)
}
