/** The package has no types of its own. */
declare module 'parse-prometheus-text-format' {
  interface Metric {
    readonly value?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  interface Family {
    readonly name: string
    readonly type: string
    readonly help: string
    readonly metrics: readonly Metric[]
  }
  export default function parse(text: string): Family[]
}
