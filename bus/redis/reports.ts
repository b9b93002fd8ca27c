import type { Report, Reported } from '../shared/engine.ts'
import { type Script, script } from './scripts.ts'

/**
 * Keeps the numbers of readers of an instance. ARGV: its name, the report's number, whether earlier ones are void, the
 * milliseconds after which all of them are, and pairs of count and channel. `COUNTS` has the counts by channel, and the
 * number and the time of the last report in the field without a name. `INSTANCES` has the times at which the reports of
 * the instances become void.
 */
const REPORT = script(
  'allow-oom',
  `
local INSTANCES, COUNTS = unpack(KEYS)
local NAME, NUMBER, WHOLE, LEASE = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1', tonumber(ARGV[4])
local function whole(number) return string.format('%.0f', number) end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', INSTANCES, '-inf', whole(now))
local last = redis.call('HGET', COUNTS, '')
if last and tonumber(string.match(last, '^%d+')) >= NUMBER then return 1 end
if WHOLE then redis.call('DEL', COUNTS) elseif not last then return 0 end
if WHOLE and #ARGV == 4 then
  redis.call('ZREM', INSTANCES, NAME)
  return 1
end
for i = 5, #ARGV, 2 do
  if ARGV[i] == '0' then redis.call('HDEL', COUNTS, ARGV[i + 1])
  else redis.call('HSET', COUNTS, ARGV[i + 1], ARGV[i]) end
end
redis.call('HSET', COUNTS, '', whole(NUMBER) .. ' ' .. whole(now))
redis.call('PEXPIRE', COUNTS, whole(LEASE))
redis.call('ZADD', INSTANCES, whole(now + LEASE), NAME)
redis.call('PEXPIRE', INSTANCES, whole(LEASE))
return 1`,
)

interface Redis {
  command(args: readonly string[], signal: AbortSignal): Promise<unknown>
  run(script: Script, keys: readonly string[], args: readonly string[], signal: AbortSignal): Promise<unknown>
}

/** The numbers of readers that instances have reported: a hash for each instance, which expires, and a list of them. */
export class Reports {
  readonly #redis: Redis
  readonly #tag: string
  readonly #instances: string

  constructor(redis: Redis, tag: string) {
    this.#redis = redis
    this.#tag = tag
    this.#instances = `${tag}instances`
  }

  #countsOf(instance: string): string {
    return `${this.#tag}readers:${instance}`
  }

  async keep({ instance, number, whole, counts, lease }: Report, signal: AbortSignal): Promise<boolean> {
    const args = [instance, `${number}`, whole ? '1' : '0', `${lease}`]
    for (const [channel, count] of counts) args.push(`${count}`, channel)
    const keys = [this.#instances, this.#countsOf(instance)]
    return Number(await this.#redis.run(REPORT, keys, args, signal)) === 1
  }

  async of(channel: string, signal: AbortSignal): Promise<readonly Reported[]> {
    const instances = (await this.#redis.command(['ZRANGE', this.#instances, '0', '-1'], signal)) as string[]
    const all = instances.map(async (instance): Promise<Reported[]> => {
      const command = ['HMGET', this.#countsOf(instance), '', channel]
      const [last, readers] = (await this.#redis.command(command, signal)) as (string | null)[]
      if (last === null || last === undefined) return []
      return [{ instance, readers: Number(readers ?? 0), at: Number(last.slice(last.indexOf(' '))) }]
    })
    return (await Promise.all(all)).flat()
  }
}
