/** What every message carries. */
export interface Published {
  readonly id: number
  readonly text: string
}

const LINE = 'A line of text: "quoted", \\escaped\\, 你好 \u2028 😀. '

/** A payload whose text follows from its number and its size: whoever has it can check that it is whole. */
export function payloadOf(id: number, size: number): Published {
  return { id, text: LINE.repeat(Math.ceil(size / LINE.length)).slice(id % 7, size) }
}

/** Whether it is what was published. */
export function isWhole({ id, text }: Published, size: number): boolean {
  return text === payloadOf(id, size).text
}
