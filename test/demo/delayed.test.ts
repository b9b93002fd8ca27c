import t from 'tap'
import { Delayed } from '../../demo/delayed.ts'

t.test('what waits comes out at once when there is a hurry, in its order', async (t) => {
  const out: number[] = []
  const delayed = new Delayed<number>((item) => {
    out.push(item)
    return item !== 2
  })
  for (const item of [1, 2, 3]) delayed.push(item, 60_000)
  t.same(out, [])
  delayed.hurry()
  t.same(out, [1, 2], 'as long as there is room')
  delayed.resume()
  t.same(out, [1, 2, 3])
  delayed.push(4, 60_000)
  delayed.clear()
  delayed.hurry()
  t.same(out, [1, 2, 3], 'nothing comes after the end')
})
