/** Texts of the panel that compares WebSocket with Server-Sent Events. */
export default {
  en: {
    'talk.lead':
      'Both push messages to the browser as soon as they exist. They differ when the browser has something to say. A WebSocket carries it as a frame on the open connection. An event stream runs one way, so the browser sends a separate request.',
    'talk.label': 'Say something to the server',
    'talk.example': 'I am here',
    'talk.send': 'Send it both ways',
    'talk.title': 'What it costs to say this',
    'talk.lane': 'Transport',
    'talk.how': 'Sent as',
    'talk.how.sse': 'POST request beside the stream',
    'talk.how.ws': 'frame on the socket',
    'talk.requests': 'Requests',
    'talk.up': 'Bytes up',
    'talk.down': 'Bytes down',
    'talk.took': 'Confirmed after',
    'talk.sense':
      'Choose WebSocket if the browser talks often. If it mostly listens, it sends few requests, and SSE keeps the benefits of HTTP: cookies, caches, compression and proxies that understand it.',
    'talk.server': 'A whole server',
    'talk.copy': 'Copy',
    'talk.copied': 'Copied',
    'talk.selected': 'Selected: copy it with your keyboard',
  },
  zh: {
    'talk.lead':
      '两者都会在消息产生时立即推送给浏览器，区别在于浏览器要说话的时候：WebSocket 在已打开的连接上发一帧；事件流是单向的，浏览器只能另发一个请求。',
    'talk.label': '对服务器说点什么',
    'talk.example': '我在这里',
    'talk.send': '用两种方式发送',
    'talk.title': '这样说一句的开销',
    'talk.lane': '方式',
    'talk.how': '发送形式',
    'talk.how.sse': '事件流之外的 POST 请求',
    'talk.how.ws': 'socket 上的一帧',
    'talk.requests': '请求数',
    'talk.up': '上行字节',
    'talk.down': '下行字节',
    'talk.took': '确认用时',
    'talk.sense':
      '浏览器经常发送消息时选 WebSocket；以接收为主时请求很少，SSE 又能保留 HTTP 的长处：cookie、缓存、压缩，以及能理解它的代理。',
    'talk.server': '一个完整的服务器',
    'talk.copy': '复制',
    'talk.copied': '已复制',
    'talk.selected': '已选中，请用键盘复制',
  },
}
