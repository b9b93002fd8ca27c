import type { Figures } from './figures.ts'

interface Described {
  description?: string
  unit?: string
  advice?: { explicitBucketBoundaries?: number[] }
}

type Attributes = Record<string, string>

/** The parts of a `Meter` of `@opentelemetry/api` that are used. Its types are not imported: the package is optional. */
export interface Meter {
  createObservableCounter(name: string, options?: Described): object
  createObservableUpDownCounter(name: string, options?: Described): object
  createObservableGauge(name: string, options?: Described): object
  createHistogram(name: string, options?: Described): { record(value: number, attributes?: Attributes): void }
  addBatchObservableCallback(callback: (result: BatchResult) => void, observables: never[]): void
  removeBatchObservableCallback(callback: (result: BatchResult) => void, observables: never[]): void
}

interface BatchResult {
  observe(instrument: never, value: number, attributes?: Attributes): void
}

const CREATE = {
  counter: 'createObservableCounter',
  updown: 'createObservableUpDownCounter',
  gauge: 'createObservableGauge',
} as const

/**
 * Registers an instrument for each figure, named `tidings.` and the figure's name. They are read when the application
 * collects.
 * @returns unregisters them
 */
export function register(meter: Meter, figures: Figures): () => void {
  const instruments = new Map<string, object>()
  for (const { name, unit, help, type } of figures.metrics()) {
    instruments.set(name, meter[CREATE[type]](`tidings.${name}`, { description: help, unit }))
  }
  for (const { name, unit, help, histogram } of figures.histograms) {
    const advice = { explicitBucketBoundaries: [...histogram.bounds] }
    const instrument = meter.createHistogram(`tidings.${name}`, { description: help, unit, advice })
    histogram.onRecord = (value, labels) => instrument.record(value, labels)
  }
  const observe = (result: BatchResult) => {
    for (const { name, samples } of figures.metrics()) {
      const instrument = instruments.get(name) as never
      for (const [labels, value] of samples) result.observe(instrument, value, labels)
    }
  }
  const all = [...instruments.values()] as never[]
  meter.addBatchObservableCallback(observe, all)
  return () => meter.removeBatchObservableCallback(observe, all)
}
