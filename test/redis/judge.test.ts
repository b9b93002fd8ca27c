import t from 'tap'
import { type Given, Judge, Truth } from './judge.ts'

const message = (seq: number, id = seq, epoch = 'aaaa', channel = 'a'): Given => ({
  cursor: `${epoch}.${seq}`,
  channel,
  time: 0,
  data: { id },
})

/** @returns what a judge says of this course of things */
function judged(
  course: (judge: Judge) => void,
  log: readonly Given[] = [1, 2, 3].map((seq) => message(seq)),
): string {
  const truth = new Truth()
  const judge = new Judge('reader', truth, ['a'], true, 0)
  course(judge)
  judge.conclude(log)
  return truth.faults.join('\n')
}
const all =
  (...seqs: number[]) =>
  (judge: Judge) => {
    for (const seq of seqs) judge.message(message(seq))
  }

t.test('what is right', async (t) => {
  t.equal(judged(all(1, 2, 3)), '')
  const trimmed = (judge: Judge) => {
    judge.gap('trimmed', 'aaaa.2')
    judge.message(message(3))
  }
  t.equal(judged(trimmed), '')
  t.equal(judged(trimmed, [message(3)]), '')
  const fork = [message(1), message(2, 20, 'bbbb')]
  const ahead = (judge: Judge) => {
    all(1, 2, 3)(judge)
    judge.gap('ahead', 'aaaa.1')
    judge.message(fork[1]!)
  }
  t.equal(judged(ahead, fork), '')
  const over = (judge: Judge) => {
    all(1, 2, 3)(judge)
    judge.gap('epoch', 'bbbb.0')
    judge.message(message(1, 10, 'bbbb'))
  }
  t.equal(judged(over, [message(1, 10, 'bbbb')]), '')
})

t.test('what is wrong is found', async (t) => {
  t.match(judged(all(1, 3)), /at 1: a hole before aaaa\.3/)
  t.match(judged(all(1, 2)), /aaaa\.3 never came/)
  t.match(judged(all(1, 2, 2, 3)), /aaaa\.2 comes again/)
  t.match(judged(all(1, 2, 3, 4)), /aaaa\.4 was given, and the log has it no more/)
  const twice = (judge: Judge) => {
    all(1, 2)(judge)
    judge.message(message(3, 1))
  }
  t.match(judged(twice), /number 1 comes twice/)
  const superfluous = (reason: 'trimmed' | 'ahead', seq: number) => (judge: Judge) => {
    all(1, 2)(judge)
    judge.gap(reason, `aaaa.${seq}`)
    all(3)(judge)
  }
  t.match(judged(superfluous('trimmed', 2)), /nothing is missing/)
  t.match(judged(superfluous('ahead', 2)), /nothing is missing/)
  const hole = (judge: Judge) => {
    all(1)(judge)
    judge.gap('trimmed', 'aaaa.2')
    all(3)(judge)
  }
  t.equal(judged(hole), '')
  t.match(
    judged((judge) => judge.message(message(1, 1, 'aaaa', 'b')), []),
    /was not asked for/,
  )
  const truth = new Truth()
  truth.note('one', message(1, 1))
  truth.note('other', message(1, 2))
  t.match(truth.faults.join(), /other: aaaa\.1 is number 2 .* it was number 1/)
})
