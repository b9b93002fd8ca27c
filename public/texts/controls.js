/** The controls, and the plots. */
export default {
  en: {
    'controls.rate': 'Publish at a rate',
    'controls.rate.value': '{value} messages a second, at random times',
    'controls.size': 'Size of each',
    'controls.size.value': '{value} bytes',
    'controls.interval': 'Short polling asks at most each',
    'controls.interval.value':
      '{value} ms; the client asks earlier at random, so that many do not ask at once',
    'controls.delay': 'Added network delay',
    'controls.delay.value': '{value} ms each way',
    'controls.speed': 'Speed of the diagram',
    'controls.speed.value': '{value} pixels a second',
    'controls.networks': 'Networks',
    'controls.cut': 'Cut {lane}',
    'controls.restore': 'Restore {lane}',
    'controls.restart': 'Restart the log',
    'controls.restart.hint':
      'As if the process had been killed: the log is empty and of a new epoch, all connections break off, and each reader is told of a gap.',
    'controls.crowd': 'Subscribers beside the server, for each transport',
    'controls.crowd.value':
      '{value} more of each. They run in the server’s own process and read over loopback: they cost it time, and are not in the figures of the lanes.',
    'controls.unavailable': 'The server does not offer this.',
    'controls.failed': 'Not done: {reason}',
    'plots.delay': 'Delay of each message, in milliseconds',
    'plots.bytes': 'Bytes per message, both ways, over the last {seconds} s',
    'plots.hint':
      'Dots and solid lines are measured here; dashed lines are the theory, with the rate, the added delay and the weights of exchanges that were measured. Short polling is taken to ask at intervals between half of its setting and all of it, as the client does. The delay ends where the browser hands the message to the page, and is right to about a millisecond: its start is the server’s clock.',
    'plots.waiting': 'Publish something, best at a rate (see Controls).',
  },
  zh: {
    'controls.rate': '按速率发布',
    'controls.rate.value': '每秒 {value} 条，时刻随机',
    'controls.size': '每条大小',
    'controls.size.value': '{value} 字节',
    'controls.interval': '短轮询的间隔至多',
    'controls.interval.value': '{value} 毫秒；客户端会随机提早，免得大家同时来问',
    'controls.delay': '增加的网络延迟',
    'controls.delay.value': '单程 {value} 毫秒',
    'controls.speed': '图的速度',
    'controls.speed.value': '每秒 {value} 像素',
    'controls.networks': '网络',
    'controls.cut': '切断 {lane}',
    'controls.restore': '恢复 {lane}',
    'controls.restart': '重启日志',
    'controls.restart.hint': '如同进程被杀死：日志清空并换了新纪元，所有连接中断，每个读者都会被告知缺口。',
    'controls.crowd': '服务器旁的订阅者，每种传输',
    'controls.crowd.value':
      '每种另有 {value} 个。它们在服务器自己的进程里经环回读取：会占用它的时间，但不计入各通道的数字。',
    'controls.unavailable': '服务器不提供此项。',
    'controls.failed': '未完成：{reason}',
    'plots.delay': '每条消息的延迟（毫秒）',
    'plots.bytes': '每条消息的字节数，双向，最近 {seconds} 秒',
    'plots.hint':
      '点与实线是此处的实测；虚线是理论，采用实测的速率、增加的延迟和每次往来的字节数。短轮询按客户端的做法，以设定间隔的一半到全部来问。延迟止于浏览器把消息交给页面之时，精确到约一毫秒：起点取自服务器的时钟。',
    'plots.waiting': '请发布些消息，最好按速率（见“控制”）。',
  },
}
