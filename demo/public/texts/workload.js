/** Texts of the panel for a workload. */
export default {
  en: {
    'workload.lead':
      'Describe your workload to see which transports fit, how much traffic each one causes, and where the verdict changes. The command `fastify-tidings-bench advise` gives the same figures.',
    'workload.rate': 'Messages a second to each reader',
    'workload.back': 'Messages a second from each reader',
    'workload.subscribers': 'Readers at once',
    'workload.payload': 'Payload',
    'workload.latency': 'Acceptable p99 delay',
    'workload.rtt': 'Round-trip time',
    'workload.headers': 'Headers that the browser sends with each request',
    'workload.http': 'HTTP version',
    'workload.tabs': 'Open pages in one browser',
    'workload.proxyIdle': 'A proxy cuts connections that are idle for',
    'workload.unit.rate': '{value}/s',
    'workload.unit.count': '{value}',
    'workload.unit.bytes': '{value} bytes',
    'workload.unit.milliseconds': '{value} ms',
    'workload.unit.seconds': '{value} s',
    'workload.unit.bytesRate': '{value} B/s',
    'workload.unit.gigabytes': '{value} GB',
    'workload.unit.megabytes': '{value} MB',
    'workload.unit.share': '{value} %',
    'workload.way.poll': 'Short polling every {interval}',
    'workload.way.longpoll': 'Long polling',
    'workload.way.sse': 'Server-Sent Events',
    'workload.way.ws': 'WebSocket',
    'workload.use':
      'Use {name} here, because it moves the fewest bytes ({costs} for each reader{more}) and 99 of 100 messages arrive within {p99}, where {budget} is acceptable.{tie} {cost}',
    'workload.use.only':
      'Use {name} here, because nothing else fits and 99 of 100 messages arrive within {p99}, where {budget} is acceptable. {cost}',
    'workload.use.radio': 'It keeps a phone’s radio on for {radio} of the time.',
    'workload.use.memory':
      'It keeps a phone’s radio on for {radio} of the time, and takes {memory} of the server’s memory.',
    'workload.use.next': '; {name}: {bytes}',
    'workload.use.tie': ' About the same: {others}.',
    'workload.and': ', ',
    'workload.none':
      'Nothing fits: the acceptable delay is below the one-way delay, or every transport is ruled out.',
    'workload.ranking': 'Ranking',
    'workload.column.rank': 'Rank',
    'workload.column.delay': 'p99 delay',
    'workload.column.bytes': 'Traffic of each reader, both ways',
    'workload.column.egress': 'Sent by the server in a month',
    'workload.column.radio': 'A phone’s radio is on',
    'workload.column.memory': 'Memory of the server',
    'workload.column.binding': 'Limited by',
    'workload.binding.interval': '0.99 × poll interval + {oneWay} ms one-way delay',
    'workload.binding.requests': 'one request for each answer',
    'workload.binding.connections': '{most} connections from a browser to an origin',
    'workload.binding.streams': '{most} streams on a connection',
    'workload.binding.second': 'a second connection beside the HTTP/2 one',
    'workload.binding.nothing': 'nothing here',
    'workload.refused': 'Ruled out',
    'workload.refused.interval':
      '{name}: 0.99 × poll interval + one-way delay is above {budget} ms, even when it asks every {least} ms.',
    'workload.refused.delay': '{name}: the p99 delay is {p99} ms, and {budget} ms is acceptable.',
    'workload.refused.proxy':
      '{name}: it sends a heartbeat every {beat} s, but the proxy cuts idle connections after {idle} s.',
    'workload.refused.connections':
      '{name}: {tabs} pages take all {most} connections that a browser opens to an origin over HTTP/1.1.',
    'workload.refused.streams': '{name}: {tabs} pages take all {most} streams of the connection.',
    'workload.turns': 'Where the verdict changes',
    'workload.above': 'From about {rate} messages a second: {name}.',
    'workload.below': 'Up to about {rate} messages a second: {name}.',
    'workload.same': 'The verdict is the same within four orders of magnitude of this rate.',
    'workload.link': 'A link with these settings',
    'workload.basis': 'Where these figures come from',
    'workload.basis.theory':
      'Theory: the delays, the requests, the share of empty answers (messages arrive at random, as a Poisson process), and the TCP/IP headers of each segment.',
    'workload.basis.radio':
      'Battery: a phone keeps its radio on for 10 s after each transfer. Real networks have more states, and keep it on for 2 to 15 s.',
    'workload.basis.bytes':
      'Counted: the bytes around a message, from the header lines and frames that this plugin, Fastify and Node write over HTTP/1.1. A test compares them with a real server. Over HTTP/2 the headers of polls are smaller; these figures do not include that.',
    'workload.basis.assumed':
      'Assumed: {assumed} bytes of headers with each request, as Chromium sends them from a page to a server with a name of usual length. Cookies come on top.{own}',
    'workload.basis.own':
      ' Measured here: the last short poll of this page had {own} bytes of headers. A worker sent it, to a short host name.',
    'workload.basis.memory':
      'Measured: the heap and external memory of idle readers, on Node 20. Between two polls the server keeps only the client’s connection, which was not measured.',
    'workload.basis.cpu':
      'Left out: the server’s CPU, because there is no theory of it. `fastify-tidings-bench advise --results` reads it from a benchmark on your machine.',
    'workload.basis.month':
      'A month has 30 days; a GB has 1,000,000,000 bytes. TLS is not included. Differences within 5 % count as a tie.',
  },
  zh: {
    'workload.lead':
      '填写你的场景，看看哪些方式可行、各占多少流量、结论在何处翻转。命令 `fastify-tidings-bench advise` 给出相同的数字。',
    'workload.rate': '每个客户端每秒收到的消息数',
    'workload.back': '每个客户端每秒发出的消息数',
    'workload.subscribers': '同时在线的客户端',
    'workload.payload': '消息大小',
    'workload.latency': '可接受的 P99 延迟',
    'workload.rtt': '往返时间',
    'workload.headers': '浏览器每个请求的头部大小',
    'workload.http': 'HTTP 版本',
    'workload.tabs': '同一浏览器打开的页面数',
    'workload.proxyIdle': '代理断开空闲连接的时限',
    'workload.unit.rate': '每秒 {value} 条',
    'workload.unit.count': '{value}',
    'workload.unit.bytes': '{value} 字节',
    'workload.unit.milliseconds': '{value} 毫秒',
    'workload.unit.seconds': '{value} 秒',
    'workload.unit.bytesRate': '{value} 字节/秒',
    'workload.unit.gigabytes': '{value} GB',
    'workload.unit.megabytes': '{value} MB',
    'workload.unit.share': '{value} %',
    'workload.way.poll': '短轮询，每 {interval}一次',
    'workload.way.longpoll': '长轮询',
    'workload.way.sse': '服务器推送事件（SSE）',
    'workload.way.ws': 'WebSocket',
    'workload.use':
      '建议使用{name}：流量最少（每个客户端 {costs}{more}），而且 99% 的消息在 {p99}内到达，不超过可接受的 {budget}。{tie}{cost}',
    'workload.use.only':
      '建议使用{name}：其他方式都不可行，而且 99% 的消息在 {p99}内到达，不超过可接受的 {budget}。{cost}',
    'workload.use.radio': '手机的无线模块有 {radio} 的时间处于开启状态。',
    'workload.use.memory': '手机的无线模块有 {radio} 的时间处于开启状态，服务器为此占用 {memory} 内存。',
    'workload.use.next': '；{name}则要 {bytes}',
    'workload.use.tie': '{others}与它不相上下。',
    'workload.and': '、',
    'workload.none': '没有可行的方式：可接受的延迟小于单程延迟，或者每种方式都被排除。',
    'workload.ranking': '排名',
    'workload.column.rank': '名次',
    'workload.column.delay': 'P99 延迟',
    'workload.column.bytes': '每个客户端的双向流量',
    'workload.column.egress': '服务器每月发出',
    'workload.column.radio': '手机无线模块开启',
    'workload.column.memory': '服务器内存',
    'workload.column.binding': '受限于',
    'workload.binding.interval': '0.99 × 轮询间隔 + 单程 {oneWay} 毫秒',
    'workload.binding.requests': '每次响应都需要一个请求',
    'workload.binding.connections': '浏览器对一个源的 {most} 条连接',
    'workload.binding.streams': '一条连接上的 {most} 个流',
    'workload.binding.second': '在 HTTP/2 连接之外另需一条连接',
    'workload.binding.nothing': '没有限制',
    'workload.refused': '不可行的方式',
    'workload.refused.interval':
      '{name}：即使每 {least} 毫秒轮询一次，0.99 × 轮询间隔 + 单程延迟仍超过 {budget} 毫秒。',
    'workload.refused.delay': '{name}：P99 延迟为 {p99} 毫秒，可接受的只有 {budget} 毫秒。',
    'workload.refused.proxy': '{name}：每 {beat} 秒发送一次心跳，而代理在空闲 {idle} 秒后断开连接。',
    'workload.refused.connections':
      '{name}：{tabs} 个页面占满了浏览器通过 HTTP/1.1 对一个源打开的全部 {most} 条连接。',
    'workload.refused.streams': '{name}：{tabs} 个页面占满了这条连接的全部 {most} 个流。',
    'workload.turns': '结论在何处翻转',
    'workload.above': '每秒约 {rate} 条及以上：{name}。',
    'workload.below': '每秒约 {rate} 条及以下：{name}。',
    'workload.same': '速率增减四个数量级之内，结论都不变。',
    'workload.link': '带有当前设置的链接',
    'workload.basis': '这些数字的来源',
    'workload.basis.theory':
      '理论：延迟、请求数和空响应的比例（假设消息按泊松过程随机到达），以及按报文段计算的 TCP/IP 头部。',
    'workload.basis.radio':
      '耗电：每次传输之后，手机的无线模块继续开启 10 秒。真实网络的状态更多，这段时间为 2 到 15 秒。',
    'workload.basis.bytes':
      '计数：消息以外的字节，取自本插件、Fastify 和 Node 在 HTTP/1.1 上写出的头部和帧，并有测试与真实服务器核对。使用 HTTP/2 时轮询的头部更小，这里没有计入。',
    'workload.basis.assumed':
      '假设：每个请求有 {assumed} 字节头部，即 Chromium 从网页向一台名称长度普通的服务器发送的大小；cookie 另算。{own}',
    'workload.basis.own': '本页实测：最近一次短轮询的请求头为 {own} 字节；它由 Worker 发出，主机名也较短。',
    'workload.basis.memory':
      '实测：空闲客户端占用的堆内存与外部内存（Node 20）。两次轮询之间，服务器只保留连接本身，这一项没有测量。',
    'workload.basis.cpu':
      '未计入：服务器的 CPU 开销，因为没有理论可用；`fastify-tidings-bench advise --results` 从你机器上的基准测试结果读取。',
    'workload.basis.month':
      '一个月按 30 天计，1 GB 按 1,000,000,000 字节计。不含 TLS。相差 5 % 以内视为不相上下。',
  },
}
