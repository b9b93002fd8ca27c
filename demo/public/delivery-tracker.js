/** Maximum messages remembered. */
const MOST = 2000

/** Compares the deliveries of all lanes. A message is missed if one lane has it and another has moved past it. */
export class DeliveryTracker {
  #epoch = ''
  /** The sequence numbers that any lane received, in order. */
  #all = []
  #lanes = new Map()

  #of(lane) {
    let own = this.#lanes.get(lane)
    if (own === undefined) {
      own = { got: new Set(), from: Number.POSITIVE_INFINITY, repeated: 0 }
      this.#lanes.set(lane, own)
    }
    return own
  }

  /** A lane has its place: what comes after it counts. @param {string} cursor */
  begin(lane, cursor) {
    const [epoch, seq] = cursor.split('.')
    this.#age(epoch)
    const own = this.#of(lane)
    own.from = Math.min(own.from, Number(seq))
  }

  /** @param {string} cursor of a message that the lane has got */
  got(lane, cursor) {
    const [epoch, text] = cursor.split('.')
    const seq = Number(text)
    this.#age(epoch)
    const own = this.#of(lane)
    own.from = Math.min(own.from, seq - 1)
    if (own.got.has(seq)) own.repeated++
    own.got.add(seq)
    let at = this.#all.length
    while (at > 0 && this.#all[at - 1] > seq) at--
    if (this.#all[at - 1] !== seq) this.#all.splice(at, 0, seq)
    if (this.#all.length <= MOST) return
    const old = this.#all.shift()
    for (const each of this.#lanes.values()) each.got.delete(old)
  }

  /** The server reported a gap: earlier messages do not count as missed. */
  told(lane, cursor) {
    const [epoch, seq] = cursor.split('.')
    this.#age(epoch)
    this.#of(lane).from = Number(seq)
  }

  /** @param {string | undefined} cursor the lane's place */
  missed(lane, cursor) {
    const own = this.#lanes.get(lane)
    if (!own || !cursor?.startsWith(`${this.#epoch}.`)) return 0
    const place = Number(cursor.split('.')[1])
    return this.#all.filter((seq) => seq > own.from && seq <= place && !own.got.has(seq)).length
  }

  repeated(lane) {
    return this.#lanes.get(lane)?.repeated ?? 0
  }

  clear() {
    this.#all = []
    this.#lanes.clear()
  }

  /** A restarted log numbers its messages from 1 again. */
  #age(epoch) {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#all = []
    for (const own of this.#lanes.values()) {
      own.got.clear()
      own.from = Number.POSITIVE_INFINITY
    }
  }
}
